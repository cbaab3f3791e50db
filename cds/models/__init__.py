"""Connections, decisions and their traces, a noun a module. Every row below an `Ehr` belongs to it: the Ehr is the tenant."""

from __future__ import annotations

from cds.models.archive import Pacs, _is_ae_title
from cds.models.assessment import Assessment
from cds.models.audit import AuditEntry, PurgedSegment
from cds.models.ehr import ConnectionTest, Ehr, OptOut, _are_labels, _is_zone
from cds.models.experiment import Enrolment, Experiment
from cds.models.export import Export, ExportFile
from cds.models.facilities import AtFacility
from cds.models.merge import Merge
from cds.models.population import PopulationFlaw, PopulationResult, PopulationRun
from cds.models.shown import Feedback, IssuedCard, Replayed, Review, Snooze, Suppression
from cds.models.signing_key import SigningKey
from cds.models.stages import Change, EnabledService, ModelChange, SettingsChange, StageChange
from cds.models.subscription import NotifiedEvent, Rescoring, Subscription
from cds.models.write_back import KnownLimit, WriteBack

__all__ = [
    "Assessment",
    "AtFacility",
    "AuditEntry",
    "Change",
    "ConnectionTest",
    "Ehr",
    "EnabledService",
    "Enrolment",
    "Experiment",
    "Export",
    "ExportFile",
    "Feedback",
    "IssuedCard",
    "KnownLimit",
    "Merge",
    "ModelChange",
    "NotifiedEvent",
    "OptOut",
    "Pacs",
    "PopulationFlaw",
    "PopulationResult",
    "PopulationRun",
    "PurgedSegment",
    "Replayed",
    "Rescoring",
    "Review",
    "SettingsChange",
    "SigningKey",
    "Snooze",
    "StageChange",
    "Subscription",
    "Suppression",
    "WriteBack",
    "_are_labels",
    "_is_ae_title",
    "_is_zone",
]
