"""Could this adult, who has no diabetes diagnosis, have diabetes now that nobody has found?"""

from __future__ import annotations
