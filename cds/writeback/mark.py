"""What stands in a chart is marked there: read, changed in status and note alone, and put back if nobody was quicker.

Each step is remembered, and each is looked at before it is done: so it goes on where an earlier try stopped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from cds.errors import BadInput, CdsError, FhirError, FhirInvalid, FhirRefused
from cds.fhir import stepwise
from cds.fhir.amend import WRONG, Deed, Mark, has_identifier, marked, revision, said
from cds.fhir.client import FhirServer
from cds.fhir.elements import Resource
from cds.fhir.transparency import MODEL_CARD, is_person
from cds.fhir.write import ASSESSMENT, require_valid
from cds.models import WriteBack
from cds.models.write_back import DELETED
from cds.words import moment
from cds.writeback import outbox
from cds.writeback.hand import Lend
from cds.writeback.plan import Declined, in_words
from cds.writeback.standing import being_written, of, places, places_even_lost, written
from cds.writeback.taking import REFUSALS, Taking

Aim = WriteBack.Aim
Form = WriteBack.Form
_GONE = {404, 410}
# R4 says 412 to an If-Match that does not hold, STU3 409; both say 409 to deleting what others refer to.
_QUICKER = {409, 412}
_PROVENANCE = "Provenance"


class _Untaken(Exception):
    """The EHR takes no change of it; why, in a clause for people."""


class StillWritten(CdsError):
    """What is to be retracted is being written at this moment."""

    retry = True


def mark_in_chart(row: WriteBack, lend: Lend) -> None:
    """Raises Declined where the EHR takes no change of something: that stands there unmarked, which is said."""
    takes_back = row.aim in {Aim.RETRACT, Aim.UNDO}
    if takes_back and being_written(row.assessment):
        raise StillWritten("it is just being written, and is marked as soon as that has come to an end")
    stands = of(row.assessment) if takes_back else written(row.assessment)
    if stands is None:
        return
    hand = lend()
    writer = _Writer(row, stands, hand.client, Taking(row.assessment.ehr, hand))
    found = places_even_lost(stands, writer.taking) if takes_back else places(stands, hand.client)
    for place in reversed(found):  # what refers to others before these
        if place not in row.steps:
            writer.step(place)
    writer.tell()
    if writer.obstacles:
        stays = "unconfirmed" if row.aim == Aim.CONFIRM else "unmarked"
        raise Declined(f"the EHR takes changes of {in_words(writer.obstacles)}. There it stands {stays}")


@dataclass(frozen=True)
class _Writer:
    """One try at one row. `row.steps`: by place, the version that was changed; "" where nothing was to be changed."""

    row: WriteBack
    stands: WriteBack
    client: FhirServer
    taking: Taking
    obstacles: dict[Form, str] = field(default_factory=dict)

    def step(self, place: str) -> None:
        kind = Form(place.partition("/")[0])
        if obstacle := self.taking.obstacle(kind, "read"):
            self.obstacles[kind] = obstacle
            return
        try:
            before = self._marked(place)
        except _Untaken as untaken:
            self.obstacles[kind] = str(untaken)
            return
        except FhirError as error:
            if error.http_status in _GONE:
                self._gone(place, kind)
                return
            if error.http_status not in REFUSALS:
                raise
            self.taking.learn(kind, "update", error)
            self.obstacles[kind] = self.taking.obstacle(kind, "update")
            return
        self._done(place, kind, before)

    def _gone(self, place: str, kind: Form) -> None:
        """Somebody has deleted it; or we have, and nobody was there to hear so."""
        if self.row.aim == Aim.UNDO:
            self._done(place, kind, DELETED)
        else:
            outbox.remember(self.row, steps={**self.row.steps, place: ""}, lacking=_deleted(kind))

    def _done(self, place: str, kind: Form, before: str) -> None:
        steps, made = {**self.row.steps, place: before}, [place] if before else []
        outbox.remember(self.row, steps=steps, resources=[*self.row.resources, *made], form=kind)

    def _marked(self, place: str) -> str:
        """The version that was changed or confirmed. Whoever was quicker is read, and it is tried once more."""
        if self.row.aim == Aim.UNDO and self._deleted(place):
            return DELETED
        try:
            return self._put(place)
        except FhirError as error:
            if error.http_status not in _QUICKER:
                raise
            return self._put(place)

    def _put(self, place: str) -> str:
        found, version = self._read(place)
        if found is None:
            return ""
        note, known = note_of(self.row, self.client), found.get("meta", {}).get("versionId", "")
        wanted = marked(found, mark_of(self.row), note, version=self.client.version)
        if wanted != found:
            if obstacle := self.taking.obstacle(place.partition("/")[0], "update"):
                raise _Untaken(obstacle)
            self.client.update(place, wanted, if_match=version)
            return f"{place}/_history/{known}" if known else place
        if self.row.aim == Aim.CONFIRM:  # as it stands, unless somebody has said meanwhile that it is wrong
            return "" if found.get("status") == WRONG else place
        # By an earlier try whose answer was lost, or by somebody else.
        return place if self.row.tries > 1 and note in said(found) else ""

    def _read(self, place: str) -> tuple[Resource | None, str]:
        """What stands there and its version; None for the model card, which is everybody's and not this answer's."""
        found, version = self.client.read(place)
        if has_identifier(found, MODEL_CARD):
            return None, version
        if not has_identifier(found, ASSESSMENT, beginning=str(self.row.assessment_id)):
            raise BadInput("what stands in its place in the chart is not from Bedside; nothing was changed")
        return found, version

    def _deleted(self, place: str) -> bool:
        """Nobody was told that it is there, so it may go; but not if others refer to it or have changed it since."""
        kind = place.partition("/")[0]
        if not self.taking.takes(kind, "delete"):
            return False
        found, version = self._read(place)
        if found is None:
            return False
        try:
            self.client.delete(place, if_match=version)
        except FhirError as error:
            if error.http_status in REFUSALS - _GONE:
                self.taking.learn(kind, "delete", error)
            elif error.http_status not in _QUICKER:
                raise
            return False
        return True

    def tell(self) -> None:
        """The Provenance of what was changed; a second one would be worse than none."""
        steps = {place: before for place, before in self.row.steps.items() if place != _PROVENANCE}
        changed = {place: before for place, before in steps.items() if before not in {"", DELETED}}
        if not changed or _PROVENANCE in self.row.steps or not self.taking.takes(_PROVENANCE):
            return
        deed = deed_of(self.row, self.stands, tuple(changed.values()), self.client)
        resource = require_valid(self.client.version.writes(revision(changed, deed)), self.client.version)
        entry = {"request": {"url": _PROVENANCE}}
        try:
            made = stepwise.find(entry, resource, client=self.client) if self.row.tries > 1 else None
            made = made or stepwise.create(entry, resource, client=self.client, conditionally=False)
        except (FhirRefused, FhirInvalid) as error:
            if error.http_status not in REFUSALS:
                raise
            self.taking.learn(_PROVENANCE, "create", error)
            return
        steps = {**self.row.steps, _PROVENANCE: made}
        outbox.remember(self.row, steps=steps, resources=[*self.row.resources, made])


def mark_of(row: WriteBack) -> Mark:
    if row.aim == Aim.SUPERSEDE:
        return Mark.SUPERSEDED if row.successor else Mark.RESTORED
    return Mark.CONFIRMED if row.aim == Aim.CONFIRM else Mark.WITHDRAWN


def note_of(row: WriteBack, client: FhirServer) -> str:
    """For people who read the chart; the same at each try."""
    about = row.assessment
    match mark_of(row):
        case Mark.WITHDRAWN if row.aim == Aim.UNDO:
            return "Entered in error: it could not be saved as a whole, and saving it was called off."
        case Mark.WITHDRAWN:
            return f"Entered in error: {about.retraction} (retracted on {_moment(row, about.retracted_at)})."
        case Mark.CONFIRMED:
            return ""  # the status and the Provenance say it
        case Mark.RESTORED:
            return "The newer result was retracted: this one counts again."
    later = _successor(row, client)
    at = row.successor.created_at if row.successor else None
    return f"Superseded by a newer result of {_moment(row, at)}{f' ({later[0]})' if later else ''}."


def _moment(row: WriteBack, at: datetime | None) -> str:
    return moment((at or row.requested_at).astimezone(row.assessment.ehr.zone))


def deed_of(row: WriteBack, stands: WriteBack, changed: tuple[str, ...], client: FhirServer) -> Deed:
    """The algorithm supersedes, people retract and confirm, Bedside takes its own half back."""
    mark, at = mark_of(row), row.requested_at
    user = bytes(row.requested_by or b"").decode().removeprefix(client.base_uri)
    person = user if is_person(user) else ""
    if mark is Mark.CONFIRMED:
        return Deed(mark=mark, at=at, who=person)
    who = next((made for made in stands.resources if made.startswith("Device/")), "")
    if row.aim == Aim.UNDO:
        who = ""
    elif mark is Mark.WITHDRAWN:
        who, at = person, row.assessment.retracted_at or at
    return Deed(mark=mark, at=at, who=who, changed=changed, because_of=tuple(_successor(row, client)))


def _successor(row: WriteBack, client: FhirServer) -> list[str]:
    found = written(row.successor) if row.successor else None
    order = list(Form)
    return sorted(places(found, client), key=lambda place: order.index(Form(place.partition("/")[0]))) if found else []


def _deleted(kind: Form) -> str:
    return f"the {kind.label} was deleted at the EHR meanwhile"
