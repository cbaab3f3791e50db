"""Experiments: two ways to run a service, compared as was written down before.

`arms`: who is shown which way. `shadow`: the other way, unseen. `steer`: ask, approve, start, stop. `rows`: what became
of whom. `looks`: what may be said by now.
"""

from __future__ import annotations

from cds.experiments.arms import in_arm
from cds.experiments.looks import Report, report
from cds.experiments.shadow import twins

__all__ = ["Report", "in_arm", "report", "twins"]
