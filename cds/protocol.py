"""What an experiment asks and the rules it binds itself to, written down before the first patient and never changed."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator
from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from cds.facts import PLACE
from scoring import trials

Form = Literal["shadow", "variants", "withheld"]
Unit = Literal["patient", "clinician", "place"]
Metric = Literal["alerts", "right", "tested", "found", "ppv", "accepted", "overridden"]

FORMS: dict[Form, str] = {
    "shadow": "Shadow: everybody is scored in both ways, and only the way in force is shown",
    "variants": "Two ways: each patient, clinician or department is shown one of the two",
    "withheld": "Shown or withheld: the same answers, but some are not shown any",
}
UNITS: dict[Unit, str] = {"patient": "the patient", "clinician": "the clinician", "place": "the department"}
FEWEST_PLACES = 2  # in each way: of one alone nobody can tell how much departments vary
METRICS: dict[Metric, str] = {
    "alerts": "patients who would be alerted on",
    "right": "patients told right, of those whose truth is known: alerted on if ill, not alerted on if well",
    "tested": "patients whose truth became known by a test or a diagnosis within the follow-up",
    "found": "patients found to have it within the follow-up",
    "ppv": "alerts that were right, of those whose truth is known",
    "accepted": "patients for whom a suggestion of a card was accepted, of those with a card",
    "overridden": "patients for whom a card was overridden, of those with a card",
}
# What each form can be judged by. Whether a card was there is no outcome of an arm that shows none.
FIT: dict[Form, tuple[Metric, ...]] = {
    "shadow": ("alerts", "right"),
    "variants": ("tested", "found", "ppv", "accepted", "overridden"),
    "withheld": ("tested", "found"),
}
# Of these the arms themselves decide whom they count, so that a difference may lie in the people and not in the arms.
CHOSEN_BY_THE_ARM: tuple[Metric, ...] = ("ppv", "accepted", "overridden")


class Arm(Struct, frozen=True, kw_only=True):
    """One of the two ways; the threshold is a fraction."""

    model_version: str
    threshold: float
    shown: bool = True

    def __str__(self) -> str:
        model = f"version {self.model_version}, " if self.model_version else ""
        return f"{model}threshold {100 * self.threshold:g} %{'' if self.shown else ', not shown'}"


class Protocol(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`baseline`, `difference` and `icc` are fractions, `share` is per cent of the units in the other arm.

    In a shadow `baseline` is the share of patients on whom the two ways are expected to differ.
    """

    question: str
    form: Form = "shadow"
    unit: Unit = "patient"
    standing: Arm  # as it is without the experiment
    other: Arm
    share: int = 50
    metric: Metric
    days: int  # of follow-up, from the first time that the patient is asked about
    baseline: float
    difference: float  # the smallest that matters
    cluster: float = 1.0  # patients of a clinician or department
    icc: float = 0.0  # how alike patients of one clinician or department are
    looks: int = 1  # equally far apart; the last one ends it
    # The departments that take part, as encounters name them. Not written where none are drawn: older hashes stay as they are.
    places: tuple[str, ...] | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Each mistake in a sentence for whoever fills in the form."""
        for wrong, said in self._mistakes():
            if wrong:
                raise ValueError(said)

    def _mistakes(self) -> Iterator[tuple[bool, str]]:
        numbers = (
            self.baseline,
            self.difference,
            self.icc,
            self.standing.threshold,
            self.other.threshold,
            self.cluster,
        )
        other = self.baseline + self.difference
        inside = self.difference < self.baseline if self.form == "shadow" else 0 < other < 1
        yield from (
            (not all(map(math.isfinite, numbers)), "Every figure has to be a number."),
            (self.metric not in FIT[self.form], f"By “{METRICS[self.metric]}” this form cannot be judged."),
            (self.form != "withheld" and self.standing == self.other, "The two ways are the same."),
            (not self.standing.shown, "The way in force is shown."),
            (self.other.shown == (self.form == "withheld"), "Only “shown or withheld” withholds anything."),
            (not 0 < self.other.threshold < 1, "The threshold is more than 0 and less than 100 %."),
            (not 1 <= self.share <= 50, "The other way gets 1 to 50 in 100."),
            (not 0 < self.baseline < 1, "The expected share is more than 0 and less than 100 %."),
            (self.difference == 0, "A difference of 0 cannot be found."),
            (not inside, "The difference leads outside of what is possible from the expected share."),
            (
                not 0 <= self.icc < 1 or self.cluster < 1,
                "An ICC lies from 0 to 1, and a clinician or department has a patient or more.",
            ),
            (not 1 <= self.looks <= trials.MOST_LOOKS, f"There are 1 to {trials.MOST_LOOKS} looks."),
            (not 0 <= self.days <= 365, "The follow-up is at most a year."),
        )
        if self.by_place:
            yield from self._mistakes_of_places()
        else:
            yield bool(self.places), "Departments are named only where they are drawn."

    def _mistakes_of_places(self) -> Iterator[tuple[bool, str]]:
        places = self.places or ()
        wrong = next((place for place in places if not re.fullmatch(PLACE, place)), "")
        yield bool(wrong), f"“{wrong}” names no department: such as Location/north-ward or Organization/17."
        yield len(set(places)) < len(places), "Each department is named once."
        few = min(self.places_drawn, len(places) - self.places_drawn) < FEWEST_PLACES
        yield few, "Each of the two ways needs two departments, or more; with fewer than 20 its result is not exact."
        met = len(places) * self.cluster
        yield met < self.size, f"The {len(places)} departments have {met:,.0f} patients, and it takes {self.size:,}."

    @property
    def by_place(self) -> bool:
        return self.unit == "place" and self.form != "shadow"

    @property
    def clustered(self) -> bool:
        """Are several patients drawn at once?"""
        return self.unit != "patient" and self.form != "shadow"

    @property
    def places_drawn(self) -> int:
        """How many departments get the other way."""
        return round(len(self.places or ()) * self.share / 100)

    @property
    def size(self) -> int:
        """Patients of both arms together."""
        if self.form == "shadow":
            return trials.size_of_pairs(differing=self.baseline, difference=abs(self.difference))
        cluster = self.cluster if self.clustered else 1.0
        return trials.size(
            baseline=self.baseline, difference=self.difference, share=self.share / 100, cluster=cluster, icc=self.icc
        )

    @property
    def planned(self) -> tuple[int, ...]:
        """At how many patients with complete follow-up each look is due."""
        return tuple(math.ceil(self.size * look / self.looks) for look in range(1, self.looks + 1))

    @property
    def sha256(self) -> str:
        """Of every word and number above; field by field in their order, so that the same protocol has the same hash."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()
