"""The figures about a model as chapters of Markdown, for its card and for an evaluation. "" where there are none.

Square brackets hold 95 % intervals throughout.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from scoring.tables import Facts, cases, interval, number, percent, share, table

VIEWS = {
    "unweighted": "each person once",
    "weighted": "weighted to the population",
    "subsample": "the survey's own weight, its subsample only",
}
DECISIONS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)  # thresholds of the decision curve that the table shows


def _views(facts: Facts) -> list[tuple[str, Facts]]:
    return [(title, facts["performance"][name]) for name, title in VIEWS.items() if name in facts["performance"]]


def how_good(facts: Facts) -> str:
    rows = [
        (
            title,
            interval(view["auroc"], 3),
            interval(view["average_precision"], 3),
            interval(view["observed_expected"]),
            interval(view["brier"], 4),
            interval(view["calibration_slope"]),
            interval(view["calibration_intercept"]),
            cases(view),
        )
        for title, view in _views(facts)
    ]
    head = ("weight", "AUROC", "AUPRC", "observed/expected", "Brier", "slope", "intercept", "cases/people")
    fixed = {
        **{
            f"sensitivity at {100 * float(at):g} % specificity": ("sensitivity_at_specificity", at)
            for at in _fixed(facts, "sensitivity_at_specificity")
        },
        **{
            f"specificity at {100 * float(at):g} % sensitivity": ("specificity_at_sensitivity", at)
            for at in _fixed(facts, "specificity_at_sensitivity")
        },
    }
    points = [(title, *(percent(view[kind][at]) for kind, at in fixed.values())) for title, view in _views(facts)]
    return f"{table(head, rows)}\n\n{table(('weight', *fixed), points)}"


def _fixed(facts: Facts, kind: str) -> list[str]:
    return sorted(facts["performance"]["unweighted"][kind])


def at_the_threshold(facts: Facts) -> str:
    rows = [
        (
            title,
            interval(view["at_threshold"]["alerts_per_100"], 1),
            *(percent(view["at_threshold"][name]) for name in ("sensitivity", "ppv")),
            *(percent(view["at_threshold"][name], 1) for name in ("specificity", "npv")),
            interval(view["at_threshold"]["f1"]),
        )
        for title, view in _views(facts)
    ]
    head = ("weight", "alerts per 100", "sensitivity", "PPV", "specificity", "NPV", "F1")
    return f"An alert from a probability of {facts['threshold']:g} on.\n\n{table(head, rows)}"


def calibration(facts: Facts) -> str:
    tenths = facts["curves"]["calibration"]
    rows = [
        (f"{place + 1}", share(said, 2), f"{share(seen, 2)} [{100 * low:.2f}, {100 * high:.2f}]", n)
        for place, (said, seen, low, high, n) in enumerate(
            zip(*(tenths[name] for name in ("predicted", "observed", "low", "high", "n")), strict=True)
        )
    ]
    return "Tenths of the people by probability; Wilson's intervals.\n\n" + table(
        ("tenth", "said", "seen", "people"), rows
    )


def decision_curve(facts: Facts) -> str:
    curve = facts["curves"]["decision_curve"]
    shown = [place for place, threshold in enumerate(curve["threshold"]) if threshold in DECISIONS]
    rows = [
        (
            share(curve["threshold"][place]),
            f"{1 / curve['threshold'][place] - 1:.3g}",
            interval(
                {
                    key: _per_100(curve[name][place])
                    for key, name in (("value", "model"), ("low", "low"), ("high", "high"))
                }
            ),
            f"{100 * curve['all'][place]:.2f}",
        )
        for place in shown
    ]
    head = ("threshold", "needless tests worth one case", "the model", "testing everybody")
    return (
        "Net benefit in cases found per 100 people, needless tests taken off at their price; testing nobody is 0"
        f" (Vickers & Elkin 2006).\n\n{table(head, rows)}"
    )


def _per_100(value: float | None) -> float | None:
    return None if value is None else 100 * value


def patterns(facts: Facts) -> str:
    if len(facts["patterns"]) < 2:
        return ""
    low, high = facts["trusted_observed_expected"]
    rows = [
        (
            name or "(none)",
            interval({"value": figures["auroc"], "low": figures["auroc_low"], "high": figures["auroc_high"]}, 3),
            interval(
                {
                    key: figures[f"observed_expected{end}"]
                    for key, end in (("value", ""), ("low", "_low"), ("high", "_high"))
                }
            ),
            number(figures["observed_expected_weighted"]),
            number(figures["observed_expected_subsample"]),
            *_alerts(figures["at_threshold"]),
            cases(figures),
            "**abstains**" if figures["abstain"] else "",
        )
        for name, figures in facts["patterns"].items()
    ]
    head = ("known", "AUROC", "O/E", "O/E weighted", "O/E subsample", *ALERTS, "cases/people", "")
    return (
        "The same people with the other groups of values hidden. O/E is observed/expected, each person once; then"
        " weighted to the population; then under the survey's own weight in its subsample. The model abstains where"
        f" one of the first two leaves {low}-{high}; the third has fewer cases and is only reported.\n\n"
    ) + table(head, rows)


ALERTS = ("alerts per 100", "sensitivity", "PPV")


def _alerts(figures: Facts | None) -> tuple[str, str, str]:
    if figures is None:
        return ("none", "none", "none")
    return f"{figures['alerts_per_100']:.1f}", share(figures["sensitivity"]), share(figures["ppv"])


def groups(facts: Facts) -> str:
    if not facts["by_group"]:
        return ""
    rows = [
        (kind, value, *_group(figures))
        for kind, values in facts["by_group"].items()
        for value, figures in values.items()
    ]
    head = ("", "group", "AUROC", "observed/expected", *ALERTS, "cases/people")
    return (
        "Observed/expected above 1: the model says too little; below 1, too much. Counts of 1 to 10 are not shown.\n\n"
        f"{table(head, rows)}\n\n{_gaps(facts['gaps'])}"
    ).strip()


def _group(figures: Facts) -> tuple[str, ...]:
    if "auroc" not in figures:
        return ("too few", "too few", "", "", "", cases(figures))
    alerts = figures["at_threshold"]
    return (
        interval(figures["auroc"], 3),
        interval(figures["observed_expected"]),
        interval(alerts["alerts_per_100"], 1),
        percent(alerts["sensitivity"]),
        percent(alerts["ppv"]),
        cases(figures),
    )


def _gaps(gaps: Mapping[str, Facts]) -> str:
    if not gaps:
        return ""
    rows = [
        (
            kind,
            *(
                f"{100 * gap[name]:.1f}"
                for name in (
                    "demographic_parity_difference",
                    "equal_opportunity_difference",
                    "equalized_odds_difference",
                )
            ),
        )
        for kind, gap in gaps.items()
    ]
    head = (
        "between the groups of",
        "alerts per 100 (demographic parity)",
        "sensitivity (equal opportunity)",
        "equalized odds",
    )
    return f"The widest gaps at the threshold, in percentage points:\n\n{table(head, rows)}"


def rival(facts: Facts) -> str:
    key = next((key for key in facts if key.startswith("versus_")), "")
    if not key:
        return ""
    name = key.removeprefix("versus_").removesuffix("_alone")
    rows = [(part, *_versus(figures, name)) for part, figures in facts[key].items()]
    head = (
        "people",
        "AUROC model",
        f"AUROC {name}",
        "difference",
        "ranks better",
        "model finds, alerts per 100",
        f"{name} alone finds, alerts per 100",
        "cases/people",
    )
    return (
        f"Would {name} by itself do? The difference is taken on the same resamples; the cut-off of {name} is set"
        " after the fact so that it raises about as many alerts as the model does at its threshold.\n\n"
        f"{table(head, rows)}\n\n{_verdict(facts[key], name)}"
    )


def _versus(figures: Facts, name: str) -> tuple[Any, ...]:
    return (
        f"{figures['auroc_model']:.3f}",
        f"{figures['auroc_rival']:.3f}",
        interval(figures["difference"], 3),
        "yes" if figures["beats"] else "**no**",
        f"{share(figures['sensitivity_model'])} at {figures['alerts_per_100']:.1f}",
        f"{share(figures['sensitivity_rival'])} at {figures['rival_alerts_per_100']:.1f}"
        f" ({name} >= {figures['rival_cut']:g})",
        cases(figures),
    )


def _verdict(versus: Facts, name: str) -> str:
    ranks = [f"{part}: {'better' if figures['beats'] else 'not better'}" for part, figures in versus.items()]
    finds = [
        f"{part}: {'more' if figures['sensitivity_model'] > figures['sensitivity_rival'] else 'not more'}"
        for part, figures in versus.items()
    ]
    return (
        f"Plainly: the model ranks people compared with {name} alone – {'; '.join(ranks)}. At the threshold it finds"
        f" cases compared with {name} alone – {'; '.join(finds)}."
    )


FIGURES: Mapping[str, Callable[[Facts], str]] = {
    "How good it is": how_good,
    "At the threshold": at_the_threshold,
    "Is what is said what is seen": calibration,
    "Is it worth it": decision_curve,
    "By what is known": patterns,
    "By group of people": groups,
    "Against one value alone": rival,
}


def written(facts: Facts, chapters: Mapping[str, Callable[[Facts], str]]) -> list[str]:
    """Those of the chapters for which there are figures, under their titles."""
    texts = {title: write(facts) for title, write in chapters.items()}
    return [f"## {title}\n\n{text}" for title, text in texts.items() if text]
