"""The checks of the JWT with which a client vouches for its call (CDS Hooks 2.0.1, "Trusting CDS Clients")."""

from __future__ import annotations

from collections.abc import Callable

from hooks.conformance.calls import UNDERSTOOD, sample
from hooks.conformance.check import SHALL, SHOULD, Check, checklist
from hooks.conformance.signing import Signer
from hooks.conformance.target import Service, Target, expect
from hooks.conformance.verdicts import Failed, Skipped

CHECKS: list[Check] = []
check = checklist(CHECKS)


def signer_of(target: Target) -> Signer:
    if target.signer is None:
        raise Skipped("no --issuer-key was given")
    return target.signer


def forged(title: str, token: Callable[[Signer, str], str | None]) -> None:
    """A check: a call with the token that `token` makes for the service's URL must get a 401."""

    @check(SHALL, "Trusting CDS Clients", f"{title} is refused")
    def refused(target: Target, service: Service) -> None:
        url = target.url(service["id"])
        expect(target.post_with(token(signer_of(target), url), url, sample(target, service)), 401)


forged("a call without a JWT", lambda _, __: None)
forged("a JWT for another audience", lambda signer, url: signer.good(f"{url}-else"))
forged("a JWT that has expired", lambda signer, url: signer.good(url, iat=1, exp=2))
forged("a JWT of an unknown issuer", lambda signer, url: signer.good(url, iss="https://stranger.invalid"))
forged("a JWT without jti", lambda signer, url: signer.good(url, jti=""))
forged("a JWT without a signature (alg none)", lambda signer, url: signer.without_signature(url))
forged("a JWT signed with HS256 and the public key", lambda signer, url: signer.with_hs256(url))
forged("a JWT signed with another key", lambda signer, url: signer.of_another_key(url))
forged("a JWT whose jku is not the registered one", lambda signer, url: signer.of_another_jku(url))


@check(SHALL, "Trusting CDS Clients", "a JWT is good once")
def refuses_a_replay(target: Target, service: Service) -> None:
    url = target.url(service["id"])
    token, body = signer_of(target).good(url), sample(target, service)
    expect(target.post_with(token, url, body), *UNDERSTOOD)
    expect(target.post_with(token, url, body), 401)


@check(SHALL, "Trusting CDS Clients", "a JWT for the service is not good for its feedback")
def tells_its_urls_apart(target: Target, service: Service) -> None:
    url = target.url(service["id"])
    answer = target.post_with(signer_of(target).good(url), f"{url}/feedback", {"feedback": []})
    if answer.status_code in {404, 405}:
        raise Skipped("it takes no feedback, which it need not")
    expect(answer, 401)


@check(SHOULD, "Trusting CDS Clients", "a refusal does not say why")
def refuses_without_a_reason(target: Target, service: Service) -> None:
    signer_of(target)
    url = target.url(service["id"])
    if expect(target.post_with(None, url, sample(target, service)), 401).content.strip():
        raise Failed("the 401 has a body")
