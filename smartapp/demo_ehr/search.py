"""FHIR search on resources in memory: which match, in what order (R4 search, 3.1.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from smartapp.demo_ehr import periods
from smartapp.demo_ehr.outcomes import FhirError, Resource
from smartapp.demo_ehr.parameters import Parameter, parameters_of

Criteria = Sequence[tuple[str, str]]
CONTROLS = frozenset({"_count", "_sort", "_format", "_pretty", "_total", "_offset"})


def select(resources: Iterable[Resource], *, kind: str, criteria: Criteria) -> list[Resource]:
    """The resources of one type that meet every criterion, in the order of `_sort`."""
    refuse_unknown(kind, criteria)
    found = [resource for resource in resources if matches(resource, criteria)]
    for key in reversed(",".join(value for name, value in criteria if name == "_sort").split(",")):
        if key:
            found = ordered(found, kind=kind, key=key)
    return found


def refuse_unknown(kind: str, criteria: Criteria) -> None:
    """400 rather than a result that was not asked for: a parameter ignored in silence is how wrong data get in."""
    known = parameters_of(kind)
    unknown = sorted({name for name, _ in criteria if name not in known and name not in CONTROLS})
    if unknown:
        raise FhirError(400, "not-supported", *(f"{kind} cannot be searched by {name!r}" for name in unknown))


def matches(resource: Resource, criteria: Criteria) -> bool:
    """Does it meet every criterion? Commas within one are "or", repeated parameters are "and"."""
    known = parameters_of(resource["resourceType"])
    return all(
        any(meets(resource, known[name], name=name, wanted=wanted) for wanted in value.split(","))
        for name, value in criteria
        if name in known
    )


def meets(resource: Resource, parameter: Parameter, *, name: str, wanted: str) -> bool:
    test: Callable[[Any, str], bool] = TESTS[parameter.kind]
    found = [value for path in parameter.paths for value in values_at(resource, path)]
    if name == "patient" and "/" not in wanted:
        wanted = f"Patient/{wanted}"
    try:
        return any(test(value, wanted) for value in found)
    except ValueError as error:
        raise FhirError(400, "invalid", f"{name}: {error}") from error


def values_at(value: Any, path: str) -> list[Any]:
    """What stands at a dotted path; lists on the way are flattened."""
    values = [value]
    for step in path.split("."):
        inner = [item[step] for item in values if isinstance(item, dict) and step in item]
        values = [item for found in inner for item in (found if isinstance(found, list) else [found])]
    return values


def token_matches(value: Any, wanted: str) -> bool:
    """`system|code`, `code`, `|code` (no system) or `system|` (any code of it)."""
    system, bar, code = wanted.rpartition("|")
    if not isinstance(value, dict):
        return str(value).lower() == code.lower() if isinstance(value, bool) else value == code
    codings = value.get("coding", [value])
    return any(
        (not bar or coding.get("system", "") == system)
        and (not code or coding.get("code", coding.get("value")) == code)
        for coding in codings
    )


def date_matches(value: Any, wanted: str) -> bool:
    found = periods.span(value)
    return found is not None and periods.satisfies(found, wanted)


def reference_matches(value: Any, wanted: str) -> bool:
    """`Patient/ada`, `ada`, or an absolute URL ending so."""
    reference = "/".join(str(value.get("reference", "")).split("/_history/")[0].split("/")[-2:])
    target = "/".join(wanted.split("/")[-2:])
    return reference == target or ("/" not in target and reference.endswith(f"/{target}"))


def string_matches(value: Any, wanted: str) -> bool:
    return str(value).casefold().startswith(wanted.casefold())


TESTS: dict[str, Callable[[Any, str], bool]] = {
    "token": token_matches,
    "date": date_matches,
    "reference": reference_matches,
    "string": string_matches,
}


def ordered(resources: list[Resource], *, kind: str, key: str) -> list[Resource]:
    """Sorted by one `_sort` key; `-` turns it round; what lacks the element stands last either way."""
    name, down = key.removeprefix("-"), key.startswith("-")
    parameter = parameters_of(kind).get(name)
    if parameter is None or parameter.kind not in {"date", "token", "string"}:
        raise FhirError(400, "not-supported", f"{kind} cannot be sorted by {name!r}")
    ranked = [(sort_value(resource, parameter), resource) for resource in resources]
    present = sorted((pair for pair in ranked if pair[0] is not None), key=lambda pair: pair[0], reverse=down)
    return [resource for _, resource in present] + [resource for value, resource in ranked if value is None]


def sort_value(resource: Resource, parameter: Parameter) -> Any:
    found = [value for path in parameter.paths for value in values_at(resource, path)]
    if not found:
        return None
    if parameter.kind == "date":
        span = periods.span(found[0])
        return span and span[0]
    first = found[0]
    return str(first.get("coding", [first])[0].get("code", "")) if isinstance(first, dict) else str(first)
