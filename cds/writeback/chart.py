"""Into the chart: all at once where the EHR can, else one by one; what it refuses is left out and said.

Whoever comes after a try whose answer was lost looks before each write, and goes on where that one stopped.
"""

from __future__ import annotations

from dataclasses import dataclass

from cds.errors import BadInput, FhirError, FhirInvalid, FhirRefused, FhirUnreachable, Gone
from cds.fhir import stepwise
from cds.fhir.client import FhirServer
from cds.fhir.elements import Resource
from cds.fhir.identity import identity
from cds.fhir.transaction import references
from cds.models import WriteBack
from cds.writeback import outbox
from cds.writeback.hand import Lend
from cds.writeback.kept import records
from cds.writeback.plan import plan
from cds.writeback.taking import BASE, FORBIDDEN, MODEL_CARD, REFUSALS, UNSUPPORTED, Taking

_ASK_EACH = {*REFUSALS, 409, 412}  # of a transaction one entry was refused: which, only each of them can tell
_UNSURE = "an earlier try may have written it, and Bedside may not look. Look in the chart before it is sent again"


class _Refused(Exception):
    """The EHR takes no resource of this type."""

    def __init__(self, kind: str, error: FhirError) -> None:
        super().__init__(kind)
        self.kind, self.error = kind, error


def into_chart(row: WriteBack, lend: Lend) -> None:
    """In the fullest form that the EHR takes; raises Declined if it takes none."""
    hand = lend()
    kept, writer = records(row.assessment), _Writer(row, hand.client, Taking(row.assessment.ehr, hand))
    user = bytes(row.requested_by or b"").decode().removeprefix(hand.client.base_uri)
    send = writer.send
    while True:
        form, bundle, lacking = plan(kept, writer.taking, fhir_user=user, confirmed_at=row.requested_at)
        try:
            send(bundle)
        except _Refused as refused:
            _require_still_there(row, refused.error, client=hand.client)
            writer.taking.learn(refused.kind, "create", refused.error)
            send = writer.one_by_one
        else:
            outbox.remember(row, form=form, lacking=lacking)
            return


def _require_still_there(row: WriteBack, refusal: FhirError, *, client: FhirServer) -> None:
    """A refusal may be about the patient, who was deleted or merged since they were read, and not about the type."""
    if refusal.http_status == FORBIDDEN:
        return
    try:
        identity(client.request_json(f"Patient/{row.assessment.context.patient.id}"), mrn_system="")
    except FhirError as error:
        if error.http_status in {404, 410}:
            raise Gone("the patient's record was deleted at the EHR") from error


@dataclass(frozen=True)
class _Writer:
    """One try at one row: after each step the row knows what is written."""

    row: WriteBack
    client: FhirServer
    taking: Taking

    def send(self, bundle: Resource) -> None:
        if not (self._surely_new(bundle) and self._at_once(bundle)):
            self.one_by_one(bundle)

    def one_by_one(self, bundle: Resource) -> None:
        for entry in stepwise.in_order(bundle):
            if _key(entry) not in self.row.steps:
                self._step(entry)

    def _surely_new(self, bundle: Resource) -> bool:
        """Nothing of it can be there: nobody has sent it before, or the EHR has been asked and has none of it."""
        if self.row.tries == 1 or self.row.steps:
            return not self.row.steps
        about_patient = [entry for entry in bundle["entry"] if "subject" in entry["resource"]]
        try:
            return not any(stepwise.find(entry, entry["resource"], client=self.client) for entry in about_patient)
        except (FhirRefused, FhirInvalid):  # we may not look
            return False

    # --- At once -------------------------------------------------------------------------------------------------
    def _at_once(self, bundle: Resource) -> bool:
        """In one transaction; False where there is none, or where it was refused and nothing was written."""
        conditional = [entry["request"]["url"] for entry in bundle["entry"] if "ifNoneExist" in entry["request"]]
        heeded = all(map(self.taking.heeds_conditions, conditional))
        if not heeded or not self.taking.takes(BASE, "transaction"):
            return False
        try:
            answer = self.client.post_json("", bundle).content
        except FhirError as error:
            if error.http_status in UNSUPPORTED:
                self.taking.learn(BASE, "transaction", error)
            if error.http_status in _ASK_EACH:
                return False
            raise
        made = _made(answer, sent=bundle)
        steps = {_key(entry): reference for entry, reference in zip(bundle["entry"], made, strict=True)}
        outbox.remember(self.row, steps=steps, resources=made)
        return True

    # --- One by one ----------------------------------------------------------------------------------------------
    def _step(self, entry: Resource) -> None:
        resource, kind = stepwise.resolved(entry["resource"], self.row.steps), entry["request"]["url"]
        named = "ifNoneExist" in entry["request"]
        heeded = named and self.taking.heeds_conditions(kind)
        made = None
        if self.row.tries > 1 or (named and not heeded):
            try:
                made = stepwise.find(entry, resource, client=self.client)
            except (FhirRefused, FhirInvalid) as error:
                if not named:
                    return  # a second Provenance would be worse than none
                if not heeded and self.row.tries > 1:
                    raise BadInput(_UNSURE) from error
        made = made or self._created(entry, resource, conditionally=heeded)
        steps = {**self.row.steps, _key(entry): made}
        outbox.remember(self.row, steps=steps, resources=[*self.row.resources, made])

    def _created(self, entry: Resource, resource: Resource, *, conditionally: bool) -> str:
        try:
            return stepwise.create(entry, resource, client=self.client, conditionally=conditionally)
        except FhirError as error:
            if error.http_status == 412 and (there := stepwise.find(entry, resource, client=self.client)):
                return there  # several are, written by somebody else under our identifier: one more helps nobody
            if error.http_status in REFUSALS:
                raise _Refused(_kind(entry), error) from error
            raise


def _made(answer: bytes, *, sent: Resource) -> list[str]:
    """What the answer does not say may have been written all the same: the next try looks."""
    try:
        return references(answer, sent=sent)
    except FhirInvalid as error:
        raise FhirUnreachable("the answer to the transaction cannot be used") from error


def _kind(entry: Resource) -> str:
    """As `Taking` knows it."""
    kind = str(entry["request"]["url"])
    return MODEL_CARD if kind == "DocumentReference" and "subject" not in entry["resource"] else kind


def _key(entry: Resource) -> str:
    """By which a later try knows the step; what has no identifier gets a new fullUrl each time."""
    return str(entry["fullUrl"] if "ifNoneExist" in entry["request"] else entry["request"]["url"])
