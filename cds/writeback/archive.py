"""Into the archive: report and PDF are built once and kept encrypted until they are delivered, so that no session is needed.

What a clinician vouches for is filed anew, in their name; the first report stays.
"""

from __future__ import annotations

import io

import msgspec
import pydicom
from pydicom.dataset import FileDataset

from cds.connect import archive_of
from cds.dicom.deliver import deliver
from cds.errors import BadInput
from cds.filing import instances
from cds.models import WriteBack
from cds.records import Verification
from cds.writeback import outbox
from cds.writeback.hand import Hand, Lend
from cds.writeback.kept import records


def into_archive(row: WriteBack, lend: Lend) -> None:
    """Nobody's hand is needed once the report is built."""
    if row.payload is None:
        outbox.remember(row, payload=msgspec.msgpack.encode(_built(row, lend())))
    files = msgspec.msgpack.decode(bytes(row.payload or b""), type=list[bytes])
    made = [pydicom.dcmread(io.BytesIO(file)) for file in files]
    delivered = deliver(made, to=archive_of(row.assessment.ehr))
    outbox.remember(row, resources=list(delivered.uids), payload=None)


def _built(row: WriteBack, hand: Hand) -> list[bytes]:
    """The files, one for each SOP instance."""
    kept = records(row.assessment)
    if hand.patient is None or kept.report is None or kept.observation is None:
        raise BadInput("a report needs the patient's identity and a value")
    ehr = row.assessment.ehr
    made = instances(kept.report, measured=kept.observation, patient=hand.patient, ehr=ehr, verified=_verified(row))
    return [_file(instance) for instance in made]


def _verified(row: WriteBack) -> Verification | None:
    if row.aim != WriteBack.Aim.CONFIRM:
        return None
    ehr, name = row.assessment.ehr, bytes(row.requested_name or b"").decode()
    return Verification(name=name, organization=ehr.name, at=row.requested_at.astimezone(ehr.zone))


def _file(instance: FileDataset) -> bytes:
    file = io.BytesIO()
    instance.save_as(file, enforce_file_format=True)
    return file.getvalue()
