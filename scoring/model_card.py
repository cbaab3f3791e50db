"""The model card: what a reader needs to trust or refuse a model, written by the run that made it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scoring.chapters import FIGURES, written
from scoring.preparation import AS_THEY_ARE
from scoring.tables import Facts, interval, number, periods, share, signed, table


def render(facts: Facts, *, words: Mapping[str, str]) -> str:
    """Markdown. `words` are the chapters only a human can write: title -> text, in order, before the figures."""
    opening = [f"# {facts['name']} {facts['version']}", f"Predicts: {facts['label']}.", _in_short(facts)]
    chapters = [f"## {title}\n\n{text}" for title, text in words.items()]
    figures = written(facts, {"Who it learnt from": _data, **FIGURES, **MAKING})
    return "\n\n".join([*opening, *chapters, *figures]) + "\n"


def _in_short(facts: Facts) -> str:
    views, years = facts["performance"], periods(facts["validated_on"])
    once = views["unweighted"]
    weighted = (
        f", weighted to the population {interval(views['weighted']['observed_expected'])}"
        if "weighted" in views
        else ""
    )
    return (
        f"On {facts['validated_on']['n']} people{f' of {years}' if years else ''} ({once['events']} with the label),"
        f" none of them used in training: AUROC {interval(once['auroc'], 3)}, observed/expected"
        f" {interval(once['observed_expected'])}{weighted}. Square brackets hold 95 % intervals throughout."
    )


def _data(facts: Facts) -> str:
    rows = [
        (use, periods(facts[key]) or "no time", facts[key]["n"], facts[key]["events"])
        for use, key in (("training", "trained_on"), ("validation", "validated_on"))
    ]
    return (
        f"Source: {facts['source']}, sha256 `{facts['source_sha256']}`.\n\n"
        + table(("use", "years", "people", "with the label"), rows)
        + "\n\nThe shipped model is the one validated: it was not fitted again on everybody."
    )


def _thresholds(facts: Facts) -> str:
    rows = [
        (
            f"**{row['rule']}**" if row["shipped"] else row["rule"],
            f"{row['threshold']:g}",
            f"{row['alerts_per_100']:.1f}",
            *(share(row[name]) for name in ("sensitivity", "ppv")),
            "none" if row["f1"] is None else f"{row['f1']:.2f}",
        )
        for row in facts["thresholds"]
    ]
    head = ("rule", "threshold", "alerts per 100", "sensitivity", "PPV", "F1")
    return (
        f"The threshold of {facts['threshold']:g} is set by: {facts['threshold_rule']}. Beside it what other rules would"
        " have set, on the people trained on, each judged by a model that never saw him or her. F1 knows nothing of what"
        f" an alert costs and what a missed case costs; it is reported and not used.\n\n{table(head, rows)}"
    )


def _calibration(facts: Facts) -> str:
    line, search = facts["calibration"], facts["search"]
    return (
        f"Platt's line: log-odds times {line['slope']:.3f}, {signed(line['intercept'])}; contributions are multiplied"
        " alike and still add up. It is drawn on the people trained on: each"
        f" of {search['folds']} parts of them was judged by a model made of the others from scratch, its number of"
        " trees included. Those who test had no part in it."
    )


def _search(facts: Facts) -> str:
    search = facts["search"]
    varied = sorted(search["space"]) or sorted(search["trials"][0]["params"])
    rows = [
        (
            place + 1,
            *(f"{trial['params'].get(key, '')}" for key in varied),
            trial["rounds"],
            f"{trial['loss']:.5f}",
        )
        for place, trial in enumerate(search["trials"])
    ]
    return (
        f"{len(rows)} settings were tried, the first of them those of the recipe, the others drawn at random. Each grew"
        f" trees until {search['patience']} more did not help people left out ({search['folds']} parts in turn); the"
        " smallest log loss there wins, and a model with that many trees is grown on all who are trained on.\n\n"
        + table(("place", *varied, "trees", "log loss"), rows)
    )


def _class_weights(facts: Facts) -> str:
    found = facts.get("comparisons", {}).get("class_weights")
    if not found:
        return ""
    rows = [
        (
            row["class_weight"],
            "yes" if row["calibrated"] else "no",
            f"{row['auroc']:.3f}",
            f"{row['average_precision']:.3f}",
            f"{row['observed_expected']:.2f}",
            number(row["calibration_slope"]),
            f"{row['brier']:.4f}",
            f"{row['log_loss']:.4f}",
        )
        for row in found["rows"]
    ]
    before, after = found["trained_on"], found["measured_on"]
    head = ("class weight", "Platt", "AUROC", "AUPRC", "observed/expected", "slope", "Brier", "log loss")
    return (
        f"Trained on {_who(before)} and measured on {_who(after)}, all of them people that the shipped model was"
        " trained on. Weighing the cases up to the number of the others multiplies the odds that the model says, so that"
        " a probability means nothing until it is calibrated again; the order of people gains nothing by it. No class"
        f" weight is shipped.\n\n{table(head, rows)}"
    )


def _preparation(facts: Facts) -> str:
    found = facts.get("comparisons", {}).get("preparation")
    if not found:
        return ""
    rows = [
        (
            f"**{name}**" if name == found["taken"] else name,
            f"{option['loss']:.4f}",
            interval(option["worse"], 4),
            *(f"{option['as_recorded'][key]:.{digits}f}" for key, digits in PREPARED),
            *(f"{option['parts_hidden'][key]:.{digits}f}" for key, digits in PREPARED),
        )
        for name, option in found["options"].items()
    ]
    head = ("outliers + missing", "log loss", "worse by", "AUROC", "O/E", "AUROC, parts hidden", "O/E, parts hidden")
    return (
        f"Trained on {_who(found['trained_on'])}, measured on {_who(found['measured_on'])}. Another way than rows as they"
        f" are is taken only if it is surely better; taken: {found['taken']}.{_not_so(found['taken'])}\n\n{table(head, rows)}"
    )


def _not_so(taken: str) -> str:
    if taken == AS_THEY_ARE:
        return ""
    return (
        " This model does without, since nothing prepares rows at the bedside: do not ship it before that is settled."
    )


def _who(summary: Facts) -> str:
    years = periods(summary)
    return f"{summary['n']} people{f' of {years}' if years else ''} ({summary['events']} with the label)"


def _reproduce(facts: Facts) -> str:
    libraries = ", ".join(f"{name} {version}" for name, version in sorted(facts["libraries"].items()))
    parameters = ", ".join(f"{name} {value}" for name, value in sorted(facts["params"].items()) if name != "monotone")
    return (
        f"`manage.py train {facts['recipe']} --source {facts['source_name']} --data PATH --seed {facts['seed']}`"
        f" writes the same bytes: sha256 `{facts['sha256']}`.\n\n"
        f"XGBoost: {parameters}.{_signs(facts['params']['monotone'])}"
        f" {facts['copies']} copies of each person. Libraries: {libraries}."
    )


def _signs(monotone: Mapping[str, int]) -> str:
    signs = ", ".join(f"{key} ({'up' if sign > 0 else 'down'})" for key, sign in sorted(monotone.items()))
    return f" It may only rise or fall with: {signs}." if signs else ""


PREPARED = (("auroc", 3), ("observed_expected", 2))  # a figure and its digits
MAKING: Mapping[str, Callable[[Facts], str]] = {
    "Why this threshold": _thresholds,
    "How it was calibrated": _calibration,
    "Settings that were tried": _search,
    "Class weights": _class_weights,
    "Outliers and missing values": _preparation,
    "How to make it again": _reproduce,
}
