"""Holds a service against the checks: discovery first, then each check for every service and hook that it names."""

from __future__ import annotations

from collections.abc import Iterator

from hooks.conformance import calling, shapes, trusting
from hooks.conformance.check import SHALL, Check
from hooks.conformance.target import Service, Target, as_json, expect, none_wrong
from hooks.conformance.verdicts import Failed, Result, Skipped, Verdict

CHECKS = (*calling.CHECKS, *trusting.CHECKS)


def held_against_all(target: Target) -> Iterator[Result]:
    """One result after the other, as they come."""
    yield outcome(
        Check(title="is answered, and complete", section="Discovery", level=SHALL, run=_discovery), target, {}
    )
    for service in offered(target):
        for one in CHECKS:
            yield outcome(one, target, service)


def outcome(one: Check, target: Target, service: Service) -> Result:
    verdict, reason = Verdict.PASS, ""
    try:
        one.run(target, service)
    except Failed as failed:
        verdict, reason = Verdict.FAIL, str(failed)
    except Skipped as skipped:
        verdict, reason = Verdict.SKIP, str(skipped)
    about = f"{service['id']} on {service['hook']}" if service else ""
    return Result(title=one.title, section=one.section, level=one.level, verdict=verdict, about=about, reason=reason)


def _discovery(target: Target, _: Service) -> None:
    none_wrong(shapes.faults_in_discovery(as_json(expect(target.discover(), 200))))


def offered(target: Target) -> list[Service]:
    """The services that can be called at all, whatever else is wrong with discovery: that is said by its own check."""
    try:
        answer = as_json(target.discover())
    except Failed:
        return []
    services = answer.get("services") if isinstance(answer, dict) else None
    return [
        service
        for service in (services if isinstance(services, list) else [])
        if isinstance(service, dict) and not list(shapes.faults_in_names(service))
    ]
