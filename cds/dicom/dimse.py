"""Over DICOM's own protocol: C-STORE (PS3.4, annex B), on request inside TLS (PS3.15, annex B)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from pydicom.dataset import FileDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.transport import T_CONNECT, AssociationSocket

from cds.dicom.archive import Dimse
from cds.dicom.status import Status, status
from cds.errors import ArchiveError, ArchiveRefused, ArchiveUnreachable, FhirError, FhirUnreachable
from cds.http import allowed_addresses

TRANSFER_SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
_SOP_CLASS_NOT_SUPPORTED = 0x0122
_ADDRESSES_TRIED = 4  # of one name: each may cost a time-out
_TRANSIENT = 2  # PS3.8, 9.3.4: the result of a rejected association


def store(instances: Sequence[FileDataset], archive: Dimse) -> list[Status]:
    """All in one association; what broke off half-way may be sent again."""
    with associated(archive, [str(instance.SOPClassUID) for instance in instances]) as association:
        return [status(instance, _store(instance, association)) for instance in instances]


def _store(instance: FileDataset, association: Association) -> int:
    accepted = {context.abstract_syntax for context in association.accepted_contexts}
    if instance.SOPClassUID not in accepted:
        return _SOP_CLASS_NOT_SUPPORTED  # said in the negotiation already
    if not association.is_established:
        raise ArchiveUnreachable("the archive broke the connection off")
    answer = association.send_c_store(instance)
    if "Status" not in answer:
        raise ArchiveUnreachable("the archive did not answer, or broke the connection off")
    return int(answer.Status)


@contextmanager
def associated(archive: Dimse, sop_classes: Sequence[str]) -> Iterator[Association]:
    """An association for these SOP classes; it is released at the end."""
    entity = _Entity(ae_title=archive.calling)
    entity.connection_timeout = entity.acse_timeout = settings.FHIR_TIMEOUT_SECONDS
    entity.dimse_timeout = entity.network_timeout = settings.FHIR_ANSWER_SECONDS
    for sop_class in dict.fromkeys(sop_classes):
        entity.add_requested_context(sop_class, TRANSFER_SYNTAXES)
    try:
        association = _associate(entity, archive)
        yield association
        association.release()
    finally:
        entity.hang_up()


def _associate(entity: _Entity, archive: Dimse) -> Association:
    """With the first of its addresses that answers."""
    tls = (archive.tls, archive.host) if archive.tls else None
    for address in addresses_of(archive):
        association = entity.associate(address, archive.port, ae_title=archive.called, tls_args=tls)
        if association.is_established:
            return association
        if association.acceptor.primitive:
            break  # it has spoken
    raise _not_associated(association)


def addresses_of(archive: Dimse) -> list[str]:
    """Looked up once and held against the limits: the address that was checked is the one that is connected to."""
    try:
        found = allowed_addresses(archive.host, private_network=archive.private_network)
    except FhirUnreachable as error:
        raise ArchiveUnreachable("the archive's host name does not resolve") from error
    except FhirError as error:
        raise ArchiveRefused(f"the archive's address cannot be used: {error}") from error
    return list(dict.fromkeys(map(str, found)))[:_ADDRESSES_TRIED]


def _not_associated(association: Association) -> ArchiveError:
    answer = association.acceptor.primitive
    if answer and association.is_rejected:
        words = f"the archive does not talk to us under these AE titles ({answer.reason_str})"
        return ArchiveRefused(words, retry=answer.result == _TRANSIENT)
    if association.rejected_contexts and not association.accepted_contexts:
        return ArchiveRefused("the archive takes no objects of this kind from us")
    return ArchiveUnreachable("the archive did not answer, or not in the way that is set here (TLS or not)")


class _Socket(AssociationSocket):
    """pynetdicom's own waits for ever in the middle of a message, and stays open where a connection came to nothing."""

    def connect(self, primitive: T_CONNECT) -> None:
        super().connect(primitive)
        if self.socket:
            self.socket.settimeout(settings.FHIR_ANSWER_SECONDS)

    def _shutdown_socket(self) -> None:
        super()._shutdown_socket()
        self.hang_up()

    def hang_up(self) -> None:
        if self.socket:
            self.socket.close()


class _Entity(AE):
    """An AE that gives its sockets back, however its associations end."""

    def _create_socket(self, *names: Any) -> AssociationSocket:
        association, address, tls_args = names
        made = _Socket(association, address=address)
        made.tls_args = tls_args
        self._sockets = (*getattr(self, "_sockets", ()), made)
        return made

    def hang_up(self) -> None:
        for one in getattr(self, "_sockets", ()):
            one.hang_up()
