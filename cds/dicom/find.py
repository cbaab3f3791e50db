"""Looking in an archive over HTTP: QIDO-RS (PS3.18, 10.6) for studies, WADO-RS (10.4) for structured reports.

An archive holds many hospitals' people. By record number they are asked for, and what comes is looked at again: a
number that another issuer gave, or another date of birth, is somebody else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, tzinfo
from typing import Any

import requests
from pydicom.dataset import Dataset

from cds.codes import DCM, Code
from cds.dicom import stow
from cds.dicom.archive import DicomWeb
from cds.dicom.header import issuer
from cds.dicom.moments import moment
from cds.errors import ArchiveInvalid, FhirError
from cds.facts import Imaging
from cds.identity import PatientIdentity

MOST_STUDIES = 100
MOST_REPORTS = 10  # the newest; each is fetched by itself
# The structured reports that may hold measurements of a person (PS3.4, B.5): Enhanced, Comprehensive, Comprehensive 3D,
# Extensible, Simplified Adult Echo.
_MEASURING = {f"1.2.840.10008.5.1.4.1.1.88.{last}" for last in ("22", "33", "34", "35", "72")}
_STUDY_FIELDS = (
    *("StudyInstanceUID", "StudyDate", "StudyTime", "TimezoneOffsetFromUTC", "StudyDescription", "ModalitiesInStudy"),
    *("PatientID", "PatientBirthDate", "IssuerOfPatientID", "IssuerOfPatientIDQualifiersSequence"),
    "ProcedureCodeSequence",
)
_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, NotImplementedError)


@dataclass(frozen=True, kw_only=True)
class Search:
    """For one patient; `zone`: the EHR's, for times without one."""

    archive: DicomWeb
    patient: PatientIdentity
    zone: tzinfo

    def studies(self, *, since: date) -> list[Imaging]:
        """As facts, by what the archive says of each study."""
        found = self._ask(
            lambda client: client.search_for_studies(
                limit=MOST_STUDIES, fields=list(_STUDY_FIELDS), search_filters=self._of_patient(since)
            )
        )
        return [self._imaging(study) for study in self._datasets(found) if self.mine(study)]

    def reports(self, *, since: date) -> Iterator[Dataset]:
        """The structured reports that may hold measurements, newest first."""
        found = self._ask(
            lambda client: client.search_for_series(
                limit=MOST_STUDIES, fields=["StudyDate"], search_filters={**self._of_patient(since), "Modality": "SR"}
            )
        )
        series = sorted(self._datasets(found), key=lambda one: str(one.get("StudyDate") or ""), reverse=True)
        for one in series[:MOST_REPORTS]:
            yield from self._reports_of(one)

    def _reports_of(self, series: Dataset) -> Iterator[Dataset]:
        study_uid, series_uid = str(series.StudyInstanceUID), str(series.SeriesInstanceUID)
        found = self._ask(lambda client: client.search_for_instances(study_uid, series_uid, limit=MOST_REPORTS))
        for instance in self._datasets(found):
            if instance.get("SOPClassUID") in _MEASURING:
                uid = str(instance.SOPInstanceUID)
                report = self._ask(lambda client, uid=uid: client.retrieve_instance(study_uid, series_uid, uid))  # type: ignore[misc]
                if self.mine(report):
                    yield report

    def mine(self, dataset: Dataset) -> bool:
        """PS3.3, C.7.1.1: the same number, of the same issuer where both are known, born on the same day."""
        if str(dataset.get("PatientID") or "").strip() != self.patient.mrn:
            return False
        issued = dataset.get("IssuerOfPatientIDQualifiersSequence")
        if (
            issued
            and self.patient.issuer
            and _universal(issued[0]) not in {"", _universal(issuer(self.patient.issuer))}
        ):
            return False
        born = str(dataset.get("PatientBirthDate") or "").replace(".", "")
        known = f"{self.patient.birth_date:%Y%m%d}" if self.patient.birth_date else ""
        return not (born and known) or born == known

    def _of_patient(self, since: date) -> dict[str, str]:
        return {"PatientID": self.patient.mrn, "StudyDate": f"{since:%Y%m%d}-"}

    def _imaging(self, study: Dataset) -> Imaging:
        modalities = study.get("ModalitiesInStudy") or []
        names = [modalities] if isinstance(modalities, str) else list(modalities)
        done = [str(one.get("CodeMeaning") or "") for one in study.get("ProcedureCodeSequence") or []]
        described = [str(study.get("StudyDescription") or ""), *done]
        return Imaging(
            codes=frozenset(Code(DCM, str(name)) for name in names if name),
            text="; ".join(dict.fromkeys(text for text in described if text)),
            status="available",
            source=f"urn:oid:{study.StudyInstanceUID}",
            start=moment(study, "Study", zone=self.zone),
        )

    def _ask(self, question: Callable[[Any], Any]) -> Any:
        try:
            return question(stow.client(self.archive))
        except requests.HTTPError as error:
            raise stow.error_of(error.response.status_code) from error
        except FhirError as error:
            raise stow.unreached(error) from error
        except _UNREADABLE as error:
            raise ArchiveInvalid("the archive's answer cannot be read") from error

    def _datasets(self, found: list[dict[str, Any]]) -> list[Dataset]:
        try:
            return [Dataset.from_json(one) for one in found]
        except _UNREADABLE as error:
            raise ArchiveInvalid("the archive's answer cannot be read") from error


def _universal(named: Dataset) -> str:
    return str(named.get("UniversalEntityID") or "")
