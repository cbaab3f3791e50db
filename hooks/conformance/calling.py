"""The checks of the call and of the feedback, in the order of the specification."""

from __future__ import annotations

import uuid

from hooks.conformance import samples, shapes
from hooks.conformance.calls import UNDERSTOOD, answered, cards_of, complete, feedback_on, fresh, objects_in, sample
from hooks.conformance.check import SHALL, SHOULD, Check, checklist
from hooks.conformance.target import Service, Target, expect, none_wrong, refused
from hooks.conformance.verdicts import Failed, Skipped

SOON_SECONDS = 0.5  # CDS Hooks 2.0.1, "Performance": about 500 ms
CHECKS: list[Check] = []
check = checklist(CHECKS)


# --- Calling a CDS Service ---------------------------------------------------------------------------------------
@check(SHALL, "Calling a CDS Service", "a call whose data are there is answered with cards, or with none")
def answers_with_cards(target: Target, service: Service) -> None:
    answered(target, service)


@check(
    SHALL, "CDS Service Response", "every card is whole: summary, indicator, source, suggestions, links; nothing empty"
)
def cards_are_strict(target: Target, service: Service) -> None:
    none_wrong(shapes.faults_in_answer(answered(target, service)))


@check(
    SHOULD,
    "CDS Service Response",
    "every card and every suggestion has a uuid of its own, so that feedback can name it",
)
def cards_have_a_uuid(target: Target, service: Service) -> None:
    cards = cards_of(target, service)
    suggestions = [one for card in cards for one in objects_in(card.get("suggestions"))]
    found = [str(one.get("uuid", "")) for one in (*cards, *suggestions)]
    if "" in found or len(set(found)) != len(found):
        raise Failed("a uuid is missing, or is there twice")


@check(SHOULD, "Calling a CDS Service", "the answer comes within about 500 ms")
def answers_soon(target: Target, service: Service) -> None:
    answer = target.post(target.url(service["id"]), complete(target, service))
    if answer.elapsed.total_seconds() > SOON_SECONDS:
        raise Failed(f"it took {answer.elapsed.total_seconds() * 1000:.0f} ms")


@check(SHALL, "Extensions", "members and extensions that it does not know are ignored")
def ignores_the_unknown(target: Target, service: Service) -> None:
    body = complete(target, service)
    strange = {"extension": {"org.example.strange": {"a": 1}}, "strange": ["a"]}
    expected = target.post(target.url(service["id"]), body).status_code
    expect(target.post(target.url(service["id"]), fresh(body | strange)), expected)


@check(SHALL, "Prefetch Template", "required data that cannot be had is a 412")
def says_what_is_missing(target: Target, service: Service) -> None:
    if not service.get("prefetch"):
        raise Skipped("it asks for no prefetch")
    answer = expect(target.post(target.url(service["id"]), sample(target, service)), *UNDERSTOOD)
    if answer.status_code == 200:
        raise Skipped("it answered 200 without any data: perhaps all of its prefetch is optional")


@check(SHALL, "Prefetch Template", "a prefetch whose keys all failed is understood: 200 or 412")
def survives_failed_prefetch(target: Target, service: Service) -> None:
    body = sample(target, service) | {"prefetch": samples.unreadable_record(service.get("prefetch", {"any": ""}))}
    expect(target.post(target.url(service["id"]), body), *UNDERSTOOD)


# --- Bad requests ------------------------------------------------------------------------------------------------
# The specification names 200 and 412 only: which 4xx says that a request is bad, each service chooses for itself.
@check(SHOULD, "HTTP Status Codes", "a service id that does not exist is a 404")
def knows_its_services(target: Target, service: Service) -> None:
    expect(target.post(target.url(f"no-such-{uuid.uuid4()}"), sample(target, service)), 404)


@check(SHOULD, "HTTP Status Codes", "what is not JSON, and JSON that is no request, is refused (4xx)")
def refuses_rubbish(target: Target, service: Service) -> None:
    for rubbish in (b"{", b"[]", b'"text"'):
        refused(target.post(target.url(service["id"]), rubbish))


@check(SHOULD, "HTTP Status Codes", "a call for a hook that the service is not registered for is refused (4xx)")
def refuses_other_hooks(target: Target, service: Service) -> None:
    refused(target.post(target.url(service["id"]), sample(target, service) | {"hook": "no-such-hook"}))


@check(SHOULD, "Calling a CDS Service", "a call without context, or without its patient, is refused (4xx)")
def refuses_without_context(target: Target, service: Service) -> None:
    body = sample(target, service)
    without_patient = {name: value for name, value in body["context"].items() if name != "patientId"}
    refused(target.post(target.url(service["id"]), {**body, "context": without_patient}))
    del body["context"]
    refused(target.post(target.url(service["id"]), body))


# --- Feedback ----------------------------------------------------------------------------------------------------
@check(SHALL, "Feedback", "what became of a card is heard, and heard again without harm")
def hears_feedback(target: Target, service: Service) -> None:
    url, body = f"{target.url(service['id'])}/feedback", {"feedback": [feedback_on(cards_of(target, service)[0])]}
    for _ in range(2):
        answer = target.post(url, body)
        if answer.status_code in {404, 405}:
            raise Skipped("it takes no feedback, which it need not")
        expect(answer, 200, 201, 202, 204)


@check(SHOULD, "Feedback", "feedback that is none is refused (4xx)")
def refuses_rubbish_as_feedback(target: Target, service: Service) -> None:
    answer = target.post(f"{target.url(service['id'])}/feedback", {"feedback": [{"card": 1}]})
    if answer.status_code in {404, 405}:
        raise Skipped("it takes no feedback, which it need not")
    refused(answer)
