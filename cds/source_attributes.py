"""The 31 source attributes of a predictive decision support intervention: what a US-certified EHR shows its users of it.

45 CFR 170.315(b)(11)(iv)(B), as of the final rule HTI-1 (89 FR 1192, 9 January 2024). What people have to say stands in
the plug-in's folder, figures come from the facts of the model's version, and Bedside says how it watches and renews.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from scoring.headline import UNKNOWN, Facts, by_group, headline, people

PARAGRAPH = "45 CFR 170.315(b)(11)(iv)(B)"


class Attribute(Struct, frozen=True):
    """One of the 31; `key` is what a plug-in's words are filed under."""

    paragraph: str
    key: str
    title: str


class Chapter(Struct, frozen=True):
    title: str
    attributes: tuple[Attribute, ...]


class Answer(Struct, frozen=True, kw_only=True):
    """What is said of an attribute, or why nothing is."""

    attribute: Attribute
    text: str = ""
    why_not: str = ""


def _chapter(number: int, title: str, **titles: str) -> Chapter:
    numerals = ("i", "ii", "iii", "iv", "v")
    pairs = zip(numerals, titles.items(), strict=False)
    return Chapter(title, tuple(Attribute(f"({number})({numeral})", key, said) for numeral, (key, said) in pairs))


CHAPTERS = (
    _chapter(
        1,
        "Details and output",
        developer="Developer, and how to reach them",
        funding="Who paid for the technical implementation",
        output_value="The value that it puts out",
        output_kind="Prediction, classification, recommendation, evaluation, analysis or other",
    ),
    _chapter(
        2,
        "Purpose",
        intended_use="Intended use",
        intended_patients="Intended patients",
        intended_users="Intended users",
        decision_role="Intended role in the decision: informs, augments, replaces",
    ),
    _chapter(
        3,
        "Cautioned out-of-scope use",
        cautioned_uses="Tasks, situations and populations it is not for",
        known_risks="Known risks, inappropriate settings and uses, limitations",
    ),
    _chapter(
        4,
        "Development and input features",
        training_criteria="Who was included in the training data and who was not",
        sensitive_inputs="Race, ethnicity, language, sexual orientation, gender identity, sex, date of birth, social"
        " determinants and health status as input features",
        representativeness="How far the training data represent these groups",
        relevance="Relevance of the training data to where it is used",
    ),
    _chapter(
        5,
        "Fairness in development",
        fairness_approach="How it was made sure that the output is fair",
        bias_management="How bias was managed, reduced or eliminated",
    ),
    _chapter(
        6,
        "External validation",
        external_data="Data, setting or environment, other than those of training and test",
        external_party="Who did it",
        external_representativeness="How far the external data represent the groups",
        external_process="How it was done",
    ),
    _chapter(
        7,
        "Quantitative measures of performance",
        validity_internal="Validity in test data of the training data's source",
        fairness_internal="Fairness in test data of the training data's source",
        validity_external="Validity in data of another source",
        fairness_external="Fairness in data of another source",
        outcome_references="Evaluations of its use on outcomes",
    ),
    _chapter(
        8,
        "Ongoing maintenance",
        validity_monitoring="How and how often validity is monitored",
        validity_local="Validity in local data",
        fairness_monitoring="How and how often fairness is monitored",
        fairness_local="Fairness in local data",
    ),
    _chapter(
        9,
        "Update and continued validation",
        update_process="How and how often it is updated",
        correction_process="How often it is corrected when risks to validity or fairness are found",
    ),
)
ATTRIBUTES = tuple(attribute for chapter in CHAPTERS for attribute in chapter.attributes)
# Said of the service, so they hold for each version of its model; all others are about how one version was made.
OF_THE_SERVICE = frozenset(attribute.key for chapter in CHAPTERS[:3] for attribute in chapter.attributes)
BEDSIDE = {
    "validity_monitoring": (
        "On a schedule, in each hospital: the inputs and the probabilities are compared with those of training"
        " (population stability index and Kolmogorov-Smirnov, missing values counted). As outcomes become known:"
        " observed against expected and AUROC, with the share of people whose outcome is known. Alarms stand on"
        " the administrators' first page."
    ),
    "update_process": (
        "At most monthly a candidate is made and measured beside the version in use. None replaces it by itself:"
        " two people of the hospital decide, and one goes back to the version before at any time."
    ),
    "correction_process": (
        "Whenever a risk is found: one person switches the service off or goes back to the version before, which"
        " counts at once. What clinicians report as wrong waits in a queue for review."
    ),
}
_UNKNOWN = {
    "funding": "the project has not published who pays for it",
    "representativeness": "the facts of this version do not count groups",
    "validity_internal": "this version was not measured",
    "fairness_internal": "groups had too few cases, or were not measured",
    "validity_external": "nobody has measured it on data of another source and told us",
    "fairness_external": "nobody has measured it on data of another source and told us",
    "external_representativeness": "there is no external validation",
    "outcome_references": "no evaluation of effects on patients' outcomes is known",
    "validity_local": (
        "it is measured in each hospital, in silent mode and after, and shown to its administrators, not in public"
    ),
    "fairness_local": "it is for each hospital to measure by its own groups; not shown in public",
    "fairness_monitoring": "groups are compared when a version is made; in use only the whole is watched",
}


def answers(facts: Facts, *, words: Mapping[str, str], shipped: bool) -> list[Answer]:
    """All 31, in the regulation's order. `words`: the plug-in's; `shipped`: do they describe this very version?"""
    return [_answer(attribute, facts, words=words, shipped=shipped) for attribute in ATTRIBUTES]


def _answer(attribute: Attribute, facts: Facts, *, words: Mapping[str, str], shipped: bool) -> Answer:
    key = attribute.key
    computed = _COMPUTED[key](facts) if key in _COMPUTED else ""
    said = words.get(key, "") if shipped or key in OF_THE_SERVICE else ""
    if text := computed or said or BEDSIDE.get(key, ""):
        return Answer(attribute=attribute, text=text)
    other = (
        "" if key not in words else "the service's words are about the version that came with the code, not this one"
    )
    return Answer(attribute=attribute, why_not=other or _UNKNOWN.get(key, "the service's folder does not say"))


# --- From the facts --------------------------------------------------------------------------------------------------
def _validity(facts: Facts) -> str:
    said = [f"{title}: {figure}" for title, figure in headline(facts).items() if figure != UNKNOWN]
    return f"{'; '.join(said)}. Square brackets hold 95 % intervals." if "performance" in facts else ""


def _represented(facts: Facts) -> str:
    """Counted among those on whom it was measured."""
    tables: Facts = facts.get("by_group", {})
    counts = {by: [f"{name} {found['n']}" for name, found in groups.items()] for by, groups in tables.items()}
    parts = [f"by {by}: {', '.join(names)}" for by, names in counts.items()]
    trained = people(facts.get("trained_on", {}))
    return f"Trained on {trained}. Those on whom it was measured, {'; '.join(parts)}." if parts else ""


def _fairness(facts: Facts) -> str:
    """The lowest and the highest of each figure among groups that are large enough to be measured."""
    found: dict[str, list[tuple[float, str]]] = {}
    for title, by, name, figure in by_group(facts):
        found.setdefault(title, []).append((figure["value"], f"{by} {name}"))
    ranges = [(title, min(known), max(known)) for title, known in found.items()]
    said = [f"{title} from {low[0]:.2f} ({low[1]}) to {high[0]:.2f} ({high[1]})" for title, low, high in ranges]
    return f"{'; '.join(said)}. The card's table has each group with its 95 % interval." if said else ""


_COMPUTED: Mapping[str, Callable[[Facts], str]] = {
    "representativeness": _represented,
    "validity_internal": _validity,
    "fairness_internal": _fairness,
}
