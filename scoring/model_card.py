"""The model card: what a reader needs to trust or refuse a model, written by the run that made it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

Facts = Mapping[str, Any]


def render(facts: Facts, *, words: Mapping[str, str]) -> str:
    """Markdown. `words` are the chapters only a human can write: title -> text, in order, around the figures."""
    opening = [f"# {facts['name']} {facts['version']}", f"Predicts: {facts['label']}.", _in_short(facts)]
    chapters = [f"## {title}\n\n{text}" for title, text in words.items()]
    figures = [f"## {title}\n\n{write(facts)}" for title, write in FIGURES.items()]
    return "\n\n".join([*opening, *chapters, *figures]) + "\n"


def _in_short(facts: Facts) -> str:
    unweighted, weighted = facts["performance"]["unweighted"], facts["performance"]["weighted"]
    return (
        f"On {facts['validated_on']['n']} people of {_periods(facts['validated_on'])} ({unweighted['events']} with the"
        f" label), none of them used in training: AUROC {_interval(unweighted['auroc'], 3)}, observed/expected"
        f" {_interval(unweighted['observed_expected'])}, weighted to the nation"
        f" {_interval(weighted['observed_expected'])}. Square brackets hold 95 % intervals throughout."
    )


def _data(facts: Facts) -> str:
    rows = [
        (use, _periods(facts[key]), facts[key]["n"], facts[key]["events"])
        for use, key in (("training", "trained_on"), ("validation", "validated_on"))
    ]
    return (
        f"Source: {facts['source']}, file sha256 `{facts['source_sha256']}`.\n\n"
        + _table(("use", "years", "people", "with the label"), rows)
        + "\n\nThe shipped model is the one validated: it was not fitted again on all years."
    )


def _performance(facts: Facts) -> str:
    names = {
        "unweighted": "each person once",
        "weighted": "weighted to the nation",
        "subsample": "the survey's own weight, its fasting half only",
    }
    rows = [
        (
            title,
            _interval(view["auroc"], 3),
            _interval(view["observed_expected"]),
            _interval(view["brier"], 4),
            f"{view['calibration_slope']:.2f}",
            f"{view['calibration_intercept']:.2f}",
            view["n"],
            view["events"],
        )
        for title, view in ((names[name], facts["performance"][name]) for name in names)
    ]
    head = ("weight", "AUROC", "observed/expected", "Brier", "slope", "intercept", "people", "with the label")
    alerts = [
        (names[name], *_alerts(facts["performance"][name]["at_threshold"])) for name in ("unweighted", "weighted")
    ]
    return (
        "With every value the survey has of a person.\n\n"
        + _table(head, rows)
        + f"\n\nAt the threshold of {facts['threshold']:.2f}:\n\n"
        + _table(
            ("weight", *ALERTS, "specificity"),
            [
                (*row, f"{100 * facts['performance'][name]['at_threshold']['specificity']:.1f} %")
                for row, name in zip(alerts, ("unweighted", "weighted"), strict=True)
            ],
        )
    )


def _patterns(facts: Facts) -> str:
    low, high = facts["trusted_observed_expected"]
    rows = [
        (
            name or "(none)",
            _triple(figures, "auroc", 3),
            _triple(figures, "observed_expected"),
            f"{figures['observed_expected_weighted']:.2f}",
            f"{figures['observed_expected_subsample']:.2f}",
            *_alerts(figures["at_threshold"]),
            f"{figures['events']}/{figures['n']}",
            "**abstains**" if figures["abstain"] else "",
        )
        for name, figures in facts["patterns"].items()
    ]
    head = ("known beside age and sex", "AUROC", "O/E", "O/E nation", "O/E fasting half", *ALERTS, "cases/people", "")
    return (
        "The same people with the other groups of values hidden. O/E is observed/expected, each person once; then"
        " weighted to the nation; then under the survey's own weight in its fasting half. The model abstains where one"
        f" of the first two leaves {low}-{high}; the third has half the cases and is only reported.\n\n"
    ) + _table(head, rows)


def _groups(facts: Facts) -> str:
    rows = [
        (
            group,
            value,
            _interval(figures["auroc"], 3) if "auroc" in figures else "too few",
            _interval(figures["observed_expected"]) if "observed_expected" in figures else "too few",
            *(_alerts(figures["at_threshold"]) if "at_threshold" in figures else ("", "", "")),
            f"{figures['events']}/{figures['n']}",
        )
        for group, values in facts["by_group"].items()
        for value, figures in values.items()
    ]
    head = ("", "group", "AUROC", "observed/expected", *ALERTS, "cases/people")
    return (
        "None of these but age and sex is a feature. Above 1 the model says too little, below 1 too much.\n\n"
        + _table(head, rows)
    )


def _rival(facts: Facts) -> str:
    key = next(key for key in facts if key.startswith("versus_"))
    rival = key.removeprefix("versus_").removesuffix("_alone")
    rows = [
        (
            name,
            f"{figures['auroc_model']:.3f}",
            f"{figures['auroc_rival']:.3f}",
            _interval(figures["difference"], 3),
            "yes" if figures["beats"] else "**no**",
            f"{100 * figures['sensitivity_model']:.0f} % at {figures['alerts_per_100']:.1f}",
            f"{100 * figures['sensitivity_rival']:.0f} % at {figures['rival_alerts_per_100']:.1f}"
            f" ({rival} >= {figures['rival_cut']:g})",
            f"{figures['events']}/{figures['n']}",
        )
        for name, figures in facts[key].items()
    ]
    head = (
        "people",
        "AUROC model",
        f"AUROC {rival}",
        "difference",
        "ranks better",
        "model finds, alerts per 100",
        f"{rival} alone finds, alerts per 100",
        "cases/people",
    )
    return (
        f"Would {rival} by itself do? The difference is taken on the same resamples; the cut-off of {rival} is set"
        f" after the fact so that it raises about as many alerts as the model does at its threshold.\n\n"
        f"{_table(head, rows)}\n\n{_verdict(facts[key], rival)}"
    )


def _verdict(versus: Facts, rival: str) -> str:
    ranks = [f"{name}: {'better' if part['beats'] else 'not better'}" for name, part in versus.items()]
    finds = [
        f"{name}: {'more' if part['sensitivity_model'] > part['sensitivity_rival'] else 'not more'}"
        for name, part in versus.items()
    ]
    return (
        f"Plainly: the model ranks people compared with {rival} alone – {'; '.join(ranks)}. At the threshold it finds"
        f" cases compared with {rival} alone – {'; '.join(finds)}."
    )


def _reproduce(facts: Facts) -> str:
    libraries = ", ".join(f"{name} {version}" for name, version in sorted(facts["libraries"].items()))
    parameters = ", ".join(f"{name} {value}" for name, value in sorted(facts["params"].items()) if name != "monotone")
    return (
        f"`manage.py train {facts['recipe']} --source {facts['source_name']} --data PATH --seed {facts['seed']}`"
        f" writes the same bytes: sha256 `{facts['sha256']}`.\n\n"
        f"XGBoost: {parameters}; may only rise or fall with: {_signs(facts['params']['monotone'])}."
        f" {facts['copies']} copies of each person. Libraries: {libraries}."
    )


def _signs(monotone: Mapping[str, int]) -> str:
    return ", ".join(f"{key} ({'up' if sign > 0 else 'down'})" for key, sign in sorted(monotone.items()))


FIGURES: Mapping[str, Callable[[Facts], str]] = {
    "Years": _data,
    "How good it is": _performance,
    "By what is known": _patterns,
    "By group of people": _groups,
    "Against one value alone": _rival,
    "How to make it again": _reproduce,
}
ALERTS = ("alerts per 100", "sensitivity", "PPV")


def _alerts(figures: Facts) -> tuple[str, str, str]:
    ppv = "none" if figures["ppv"] is None else f"{100 * figures['ppv']:.0f} %"
    return f"{figures['alerts_per_100']:.1f}", f"{100 * figures['sensitivity']:.0f} %", ppv


def _periods(summary: Facts) -> str:
    return f"{summary['periods'][0][:4]}-{summary['periods'][-1][-4:]}"


def _interval(figures: Facts, digits: int = 2) -> str:
    return f"{figures['value']:.{digits}f} [{figures['low']:.{digits}f}, {figures['high']:.{digits}f}]"


def _triple(figures: Facts, name: str, digits: int = 2) -> str:
    values = {"value": figures[name], "low": figures[f"{name}_low"], "high": figures[f"{name}_high"]}
    return _interval(values, digits)


def _table(head: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)
