"""Each rule with its boundaries: contraindicated, not recommended, reassess, no eGFR, unsteady."""

from __future__ import annotations

from typing import Any

import pytest

from cds.cards import SUMMARY_LIMIT
from cds.codes import ATC, RXNORM, Code
from cds.context import Ordering, PatientContext
from cds.facts import Drug, Issue
from cds.finding import Finding, NotApplicable, NotEnoughData, Outcome
from cds.services.metformin_renal import rules
from cds.services.metformin_renal.service import MetforminRenal, taken
from cds.services.metformin_renal.tests.charts import (
    chart,
    creatinine,
    days_ago,
    drug,
    egfr,
    hours_ago,
    months_ago,
    person,
    prescribing,
    when,
)
from cds.services.metformin_renal.value_sets import METFORMIN

SERVICE = MetforminRenal()
TAKEN = drug()
UNSTEADY = (creatinine(0.9, at=hours_ago(30)), creatinine(1.4, at=hours_ago(2)))


def answer(context: PatientContext) -> Outcome:
    return SERVICE.assess(context, model=None, threshold=0.0)


def said(context: PatientContext) -> tuple[str, str]:
    """(rule, indicator of the card), "" where there is no card."""
    outcome = answer(context)
    found = SERVICE.cards(outcome, context)
    assert len(found) <= 1
    return outcome.rule, found[0].indicator if found else ""


def card(context: PatientContext) -> str:
    (found,) = SERVICE.cards(answer(context), context)
    return f"{found.summary}\n{found.detail}"


# --- Is it metformin? --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "draft",
    [
        drug("Metformin 500 mg"),
        drug("24 HR metformin hydrochloride 500 MG Extended Release Oral Tablet", "860975"),
        drug("", "6809"),
        drug("", "729717"),
        drug("Janumet 50/1000"),
        drug("sitagliptin-metformin HCl"),
        drug("Metformina 850"),
        drug("Metforminhydrochlorid AL 1000"),
        drug("Metformín 500 mg"),
        drug("Metformiini 500 mg"),
        drug("Zituvimet 50/1000"),
        drug("Icandra 50 mg/850 mg"),
        drug("Zomarist"),
        drug("Glubrava"),
        Drug(codes=frozenset({Code(ATC, "A10BD27")}), text="", status="draft", source=""),
        Drug(codes=frozenset({Code(ATC, "A10BD07")}), text="", status="draft", source=""),
    ],
)
def test_metformin_and_its_combinations_are_found_by_code_and_by_name(draft: Drug) -> None:
    assert said(prescribing(egfr(20), draft=draft)) == ("contraindicated", "warning")


@pytest.mark.parametrize(
    "draft",
    [
        drug("Sitagliptin 100 mg", "593411"),
        drug("Insulin glargine"),
        Drug(codes=frozenset({Code(ATC, "A10BD01")}), text="", status="draft", source=""),  # phenformin
        Drug(codes=frozenset({Code("http://snomed.info/sct", "6809")}), text="Aspirin", status="draft", source=""),
    ],
)
def test_other_drugs_are_let_pass(draft: Drug) -> None:
    assert answer(prescribing(egfr(20), draft=draft)) == NotApplicable(rule="not-metformin")


def test_signing_something_else_is_not_asked_about_even_by_who_takes_metformin() -> None:
    assert said(prescribing(egfr(20), TAKEN, draft=drug("Aspirin"))) == ("not-metformin", "")


def test_an_empty_ordering_session_is_not_asked_about() -> None:
    assert said(chart(egfr(20), TAKEN, ordering=Ordering())) == ("not-metformin", "")


def test_of_several_drafts_only_the_selected_ones_are_looked_at() -> None:
    metformin, aspirin = drug("Metformin"), drug("Aspirin")
    for chosen, rule in ((metformin, "contraindicated"), (aspirin, "not-metformin")):
        ordering = Ordering(drugs=(metformin, aspirin), selected=(chosen.source,))
        assert answer(chart(egfr(20), ordering=ordering)).rule == rule


def test_where_nobody_prescribes_it_is_about_what_is_taken() -> None:
    assert answer(chart(egfr(20), TAKEN)).rule == "contraindicated"
    assert answer(chart(egfr(20))).rule == "not-metformin"


def test_a_draft_that_cannot_be_read_may_be_metformin() -> None:
    why = (Issue(need="drafts", reason="neither code nor text says what it is"),)
    context = chart(egfr(20), ordering=Ordering(unread=1), issues=why)
    assert said(context) == ("draft-unreadable", "warning")  # never held back as known
    assert "neither code nor text" in card(context)


@pytest.mark.parametrize("code", [Code(RXNORM, "861025"), Code("urn:local", "6809"), Code(ATC, "A10B")])
def test_a_code_that_does_not_say_what_it_is_may_be_metformin(code: Code) -> None:
    nameless = Drug(codes=frozenset({code}), text="", status="draft", source="MedicationRequest/1")
    assert said(prescribing(egfr(20), draft=nameless)) == ("draft-unreadable", "warning")


def test_what_was_not_selected_needs_no_name() -> None:
    nameless = Drug(codes=frozenset({Code(RXNORM, "1")}), text="", status="draft", source="MedicationRequest/nameless")
    aspirin = drug("Aspirin")
    ordering = Ordering(drugs=(nameless, aspirin), selected=(aspirin.source,))
    assert answer(chart(egfr(20), ordering=ordering)).rule == "not-metformin"


def test_a_selection_that_names_no_draft_silences_nothing() -> None:
    ordering = Ordering(drugs=(drug("Metformin"),), selected=("m1",))
    assert said(chart(egfr(25), ordering=ordering)) == ("contraindicated", "warning")


def test_the_deceased_are_not_asked_about() -> None:
    assert said(prescribing(egfr(20), patient=person(deceased=True))) == ("deceased", "")


# --- Is it new? --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("status", "at", "goes_on"),
    [
        ("active", "2019-01-01", True),
        ("active", "", True),
        ("completed", months_ago(12), True),
        ("completed", months_ago(12, days=-1), False),
        ("completed", "", False),
        ("on-hold", "2026-03-01", False),
        ("stopped", "2026-03-01", False),
        ("cancelled", "2026-03-01", False),
        ("draft", "2026-03-01", False),
    ],
)
def test_taken_already_is_active_or_lately_completed(status: str, at: str, goes_on: bool) -> None:
    assert taken(chart(drug(status=status, at=at))) is goes_on


# --- The cut-offs ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "starting", "going_on"),
    [
        (12, ("contraindicated", "warning"), ("contraindicated", "warning")),
        (29.9, ("contraindicated", "warning"), ("contraindicated", "warning")),
        (30, ("not-recommended", "warning"), ("reassess", "info")),
        (44.9, ("not-recommended", "warning"), ("reassess", "info")),
        (45, ("no-objection", ""), ("no-objection", "")),
        (95, ("no-objection", ""), ("no-objection", "")),
    ],
)
def test_each_cut_off_to_start_and_to_go_on(value: float, starting: Any, going_on: Any) -> None:
    assert said(prescribing(egfr(value))) == starting
    assert said(prescribing(egfr(value), TAKEN)) == going_on


@pytest.mark.parametrize(
    ("value", "rule"), [(2.5, "contraindicated"), (1.58, "not-recommended"), (1.3, "no-objection")]
)
def test_creatinine_alone_gives_the_same_answers(value: float, rule: str) -> None:
    assert answer(prescribing(creatinine(value))).rule == rule


def test_more_than_60_is_no_objection() -> None:
    assert said(prescribing(egfr(60, comparator=">"))) == ("no-objection", "")


def test_less_than_15_contraindicates() -> None:
    context = prescribing(egfr(15, comparator="<"), egfr(60, at=days_ago(200)))
    assert said(context) == ("contraindicated", "warning")
    assert "eGFR <15 mL/min/1.73 m²" in card(context)


# --- No eGFR -----------------------------------------------------------------------------------------------------
def test_without_any_value_an_egfr_is_asked_for() -> None:
    assert said(prescribing()) == ("no-egfr-before-start", "info")
    assert said(prescribing(TAKEN)) == ("no-egfr-this-year", "info")


def test_what_is_missing_is_named_with_its_last_date() -> None:
    outcome = answer(prescribing(egfr(70, at=months_ago(13))))
    assert isinstance(outcome, NotEnoughData)
    assert [(one.label, one.last.text if one.last else None) for one in outcome.missing] == [
        ("eGFR", months_ago(13)),
        ("Creatinine", None),
    ]


def test_a_creatinine_that_cannot_be_used_is_explained() -> None:
    context = prescribing(creatinine(1.2), patient=person(sex="unknown"))
    assert said(context) == ("no-egfr-before-start", "info")
    assert "male or female as sex" in card(context)


@pytest.mark.parametrize(("comparator", "value"), [("<", 45), ("<=", 30), ("<", 31)])
def test_a_limit_below_45_advises_against_starting_and_says_that_it_may_be_lower(comparator: str, value: float) -> None:
    limit = egfr(value, comparator=comparator)
    assert said(prescribing(limit)) == ("not-recommended", "warning")
    assert said(prescribing(limit, TAKEN)) == ("reassess", "warning")
    for context in (prescribing(limit), prescribing(limit, TAKEN)):
        assert "it may be below 30, where metformin is contraindicated" in card(context)
        assert "30-45" not in card(context)


def preliminary(at: str, analyte: str = "egfr") -> Issue:
    return Issue(need="kidneys", reason="eGFR: status preliminary", analyte=analyte, when=when(at))


def test_a_newer_limit_that_decides_nothing_is_not_passed_over() -> None:
    context = prescribing(egfr(60, comparator="<", at=days_ago(2)), egfr(80, at=days_ago(40)))
    assert said(context) == ("newer-unusable", "info")
    assert r"eGFR \<60 (29 Mar 2026) is a limit that does not settle it" in card(context)


@pytest.mark.parametrize("analyte", ["egfr", "creatinine"])
def test_a_newer_result_that_cannot_be_used_is_not_passed_over(analyte: str) -> None:
    context = prescribing(egfr(80, at=days_ago(40)), issues=(preliminary(days_ago(2), analyte),))
    assert said(context) == ("newer-unusable", "info")
    assert card(context).count("status preliminary") == 1
    assert "Not used: eGFR: status preliminary (29 Mar 2026)." in card(context)


def test_an_older_result_that_cannot_be_used_says_nothing() -> None:
    context = prescribing(egfr(80, at=days_ago(2)), issues=(preliminary(days_ago(40)),))
    assert said(context) == ("no-objection", "")


def test_a_newer_unusable_result_is_said_beside_another_answer() -> None:
    context = prescribing(egfr(38, at=days_ago(40)), issues=(preliminary(days_ago(2)),))
    assert said(context) == ("not-recommended", "warning")
    assert "Latest usable: eGFR 38" in card(context)
    assert "status preliminary" in card(context)


def test_of_many_unusable_results_a_few_are_named() -> None:
    issues = tuple(preliminary(days_ago(days)) for days in range(1, 30))
    assert card(prescribing(egfr(80, at=days_ago(40)), issues=issues)).count("status preliminary") == 3


@pytest.mark.parametrize(
    "context",
    [
        prescribing(egfr(60, comparator="<")),
        prescribing(issues=(preliminary(days_ago(2)),)),
    ],
)
def test_an_egfr_that_is_there_but_of_no_use_is_not_called_missing(context: PatientContext) -> None:
    assert said(context) == ("no-egfr-before-start", "info")
    assert "No usable eGFR within 12 months" in card(context)


def test_a_later_creatinine_that_says_better_is_told() -> None:
    context = prescribing(egfr(28, at=days_ago(60)), creatinine(0.8, at=days_ago(5)))
    assert said(context) == ("contraindicated", "warning")
    assert "Reported: eGFR 28" in card(context)
    assert "A later result says otherwise: eGFR 86 was computed from creatinine 0.8 mg/dL (26 Mar 2026)" in card(
        context
    )


def test_a_later_creatinine_that_says_the_same_is_not_told() -> None:
    assert "otherwise" not in card(prescribing(egfr(28, at=days_ago(60)), creatinine(2.3, at=days_ago(5))))


def test_a_creatinine_later_on_the_same_day_counts() -> None:
    context = prescribing(egfr(80, at=hours_ago(12)), creatinine(4.0, at=hours_ago(1)))
    assert said(context) == ("contraindicated", "warning")


def test_a_limit_that_settles_nothing_is_said() -> None:
    context = prescribing(egfr(30, comparator=">"))
    assert said(context) == ("no-egfr-before-start", "info")
    assert r"eGFR \>30 (1 Mar 2026) is a limit that does not settle it." in card(context)


# --- Unsteady ----------------------------------------------------------------------------------------------------
def test_a_fast_rise_warns_though_the_number_would_be_fine() -> None:
    context = prescribing(*UNSTEADY, egfr(55, at=hours_ago(1)))
    assert said(context) == ("unsteady", "warning")
    assert card(context).count("eGFR is not steady") == 1


def test_a_fast_rise_makes_reassess_a_warning() -> None:
    context = prescribing(*UNSTEADY, egfr(38, at=hours_ago(1)), TAKEN)
    assert said(context) == ("reassess", "warning")
    assert "eGFR is not steady" in card(context)


def test_a_fast_rise_is_said_beside_a_contraindication() -> None:
    context = prescribing(*UNSTEADY, egfr(20, at=hours_ago(1)))
    assert said(context) == ("contraindicated", "warning")
    assert "eGFR is not steady" in card(context)


def test_a_fast_rise_is_said_even_where_no_egfr_can_be_computed() -> None:
    assert said(prescribing(*UNSTEADY, patient=person(sex="unknown"))) == ("unsteady", "warning")


# --- The words ---------------------------------------------------------------------------------------------------
def test_the_card_names_value_unit_date_and_source() -> None:
    text = card(prescribing(egfr(38)))
    assert "eGFR 38 mL/min/1.73 m² (1 Mar 2026)" in text
    assert "FDA Drug Safety Communication, 8 April 2016" in text


def test_a_computed_egfr_says_from_what() -> None:
    assert "computed from creatinine 1.58 mg/dL (1 Mar 2026) by CKD-EPI 2021" in card(prescribing(creatinine(1.58)))


def test_unread_medications_are_said() -> None:
    assert "Medications could not be read" in card(prescribing(egfr(38), unread=("medications",)))


def test_text_of_the_record_is_never_markup() -> None:
    issues = (Issue(need="kidneys", reason="unit '<b>*x*' not understood"),)
    assert r"\<b\>\*x\*" in card(prescribing(egfr(38), issues=issues))


EVERY_ANSWER = [
    prescribing(egfr(29.94, at="2026-03-30")),
    prescribing(egfr(44.94, at="2026-03-30")),
    prescribing(egfr(44.94, at="2026-03-30"), TAKEN),
    prescribing(egfr(95)),
    prescribing(egfr(94.94, at="2026-03-29"), issues=(preliminary("2026-03-30"),)),
    prescribing(egfr(44.94, at="2026-03-29"), issues=(preliminary("2026-03-30"),)),
    prescribing(),
    prescribing(issues=(preliminary("2026-03-30"),)),
    prescribing(TAKEN),
    prescribing(creatinine(1999.25, "umol/L", at="2026-03-30"), creatinine(999.25, "umol/L", at="2026-03-28")),
    prescribing(
        creatinine(199.25, "umol/L", at="2026-03-30"),
        creatinine(101.25, "umol/L", at="2026-03-28"),
        egfr(60, at="2026-03-30"),
    ),
    chart(ordering=Ordering(unread=1)),
    chart(),
    prescribing(patient=person(deceased=True)),
]


@pytest.mark.parametrize("context", EVERY_ANSWER, ids=lambda context: answer(context).rule)
def test_every_answer_has_a_sentence_that_fits_on_a_card(context: PatientContext) -> None:
    assert 0 < len(SERVICE.sentence(answer(context), context)) < SUMMARY_LIMIT


def test_every_rule_that_answers_stands_on_the_rules_page() -> None:
    answers = {answer(context).rule for context in EVERY_ANSWER}
    assert answers <= {rule.key for rule in rules.RULES}
    assert len(answers) == 11


def test_nothing_enters_the_chart() -> None:
    context = prescribing(egfr(20))
    assert SERVICE.records(answer(context), context, assessment_id="1", at=context.now) == []


def test_the_answer_rests_on_named_results() -> None:
    value = egfr(38)
    outcome = answer(prescribing(value))
    assert isinstance(outcome, Finding)
    assert outcome.evidence == (value,)


def test_metformin_is_written_as_it_is_compared() -> None:
    assert all(name == name.lower() and name.isalpha() for name in METFORMIN.names)
    assert all(code.isdecimal() for code in METFORMIN.rxnorm)
