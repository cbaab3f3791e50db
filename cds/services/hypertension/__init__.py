"""Could this adult, who has no diagnosis of hypertension and no recent pressure, have high blood pressure now?"""

from __future__ import annotations
