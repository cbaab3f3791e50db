"""Administrators sign in at the hospital's OpenID provider, which says their role; one sealed account is left for emergencies."""

from __future__ import annotations

import hashlib
import logging
import math
from typing import Any

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.django_client import DjangoIntegration, DjangoOAuth2App
from django.conf import settings
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import login
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Group, User
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.core.exceptions import ValidationError
from django.dispatch import receiver
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from joserfc.errors import JoseError
from requests import RequestException

from cds import audit
from cds.models.audit import EMERGENCY_SIGN_IN, SIGN_IN
from config import tries
from config.roles import ROLES

logger = logging.getLogger(__name__)

EMERGENCY = "emergency"  # the sealed account's name
_TIMEOUT_SECONDS = 5
_FAILURES = (
    AuthlibBaseError,
    JoseError,
    RequestException,
    ValueError,
    RuntimeError,
)  # RuntimeError: no end point named


class Password(ModelBackend):
    """Where there is an OpenID provider, a password opens the sealed account and no other."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **options: Any
    ) -> Any:
        account = username or ""
        left = tries.take(account)
        user = None
        if left and (account == EMERGENCY or not settings.ADMIN_OIDC_ISSUER):
            user = super().authenticate(request, username=username, password=password, **options)
        if user is None:
            _wrong(account, left)
        else:
            tries.forget_here(account)
        return user


class SignInForm(AdminAuthenticationForm):
    """Says when to try again where a password was tried too often."""

    def get_invalid_login_error(self) -> ValidationError:
        until = tries.closed_until(self.cleaned_data["username"])
        if until is None:
            return super().get_invalid_login_error()
        minutes = math.ceil((until - timezone.now()).total_seconds() / 60)
        return ValidationError(
            f"Too many wrong passwords for this account. Try again after {timezone.localtime(until):%H:%M %Z}, in "
            f"{minutes} {'minute' if minutes == 1 else 'minutes'}. Until then the right password is refused, too."
        )


def begin(request: HttpRequest) -> HttpResponse:
    """To the provider: authorization code with PKCE, state and nonce."""
    try:
        answer: HttpResponse = _provider().authorize_redirect(request, settings.BASE_URL + reverse("oidc-callback"))
    except _FAILURES as error:
        return _refuse(request, type(error).__name__)
    return answer


def finish(request: HttpRequest) -> HttpResponse:
    """Back again: the id_token says who it is and what they are there."""
    try:
        claims = _provider().authorize_access_token(request).get("userinfo") or {}
    except _FAILURES as error:
        return _refuse(request, type(error).__name__)
    roles = _roles(claims)
    if not claims.get("sub") or not roles:
        return _refuse(request, "no role" if claims.get("sub") else "no id_token")
    user = _user(claims, roles)
    if not user.is_active:
        return _refuse(request, "the account is switched off here")
    login(request, user, backend="config.sign_in.Password")
    return redirect("admin:index")


def _provider() -> Any:
    """Made for each request, so that the provider's keys and addresses are as fresh as its answer."""
    if not settings.ADMIN_OIDC_ISSUER:
        raise Http404("no OpenID provider is configured")
    return DjangoOAuth2App(
        DjangoIntegration("admin"),
        name="admin",
        client_id=settings.ADMIN_OIDC_CLIENT_ID,
        client_secret=settings.ADMIN_OIDC_CLIENT_SECRET or None,
        server_metadata_url=f"{settings.ADMIN_OIDC_ISSUER}/.well-known/openid-configuration",
        client_kwargs={
            "scope": "openid profile",
            "code_challenge_method": "S256",
            "default_timeout": _TIMEOUT_SECONDS,
            "token_endpoint_auth_method": "client_secret_basic" if settings.ADMIN_OIDC_CLIENT_SECRET else "none",
        },
    )


def _roles(claims: dict[str, Any]) -> list[str]:
    said = claims.get(settings.ADMIN_OIDC_CLAIM) or []
    theirs = said if isinstance(said, list) else [said]
    return [ours for left, ours in settings.ADMIN_OIDC_ROLES.items() if left in theirs and ours in ROLES]


def _user(claims: dict[str, Any], roles: list[str]) -> User:
    """Known by issuer and `sub`, which are never given to somebody else; the roles are those of today."""
    who = hashlib.sha256(f"{settings.ADMIN_OIDC_ISSUER}|{claims['sub']}".encode()).hexdigest()
    user, new = User.objects.get_or_create(username=f"oidc:{who}")
    if new:
        user.set_unusable_password()
    user.is_staff, user.is_superuser = True, False
    user.first_name = str(claims.get("name") or claims.get("preferred_username") or "")[:150]
    user.save()
    user.groups.set(Group.objects.filter(name__in=roles))
    return user


def _refuse(request: HttpRequest, reason: str) -> HttpResponse:
    """The reason is for the log and the audit; the person learns whom to ask."""
    logger.warning("an administrator's sign-in was refused: %s", reason)
    audit.record("sign-in-refused", actor=audit.US, reason=reason)
    return render(request, "admin/refused.html", status=403)


@receiver(user_logged_in)
def _signed_in(user: User, **_: Any) -> None:
    emergency = user.get_username() == EMERGENCY
    if emergency:
        logger.warning("the sealed account was opened")
    audit.record(EMERGENCY_SIGN_IN if emergency else SIGN_IN, actor=f"admin {user.pk}")


@receiver(user_logged_out)
def _signed_out(user: User | None, **_: Any) -> None:
    """Nobody, where the button was pressed after the session had ended."""
    if user:
        audit.record("sign-out", actor=f"admin {user.pk}")


def _wrong(account: str, left: int) -> None:
    """The trail names the account by its number, never by what was typed: that may be a password."""
    known = User.objects.filter(username=account).values_list("pk", flat=True).first()
    subject = f"admin {known}" if known else "no account"
    audit.record("sign-in-refused", actor=audit.US, subject=subject, reason="password" if left else "locked")
    if left == 1:
        logger.warning("an account is closed to an address, or to all, after wrong passwords")
        minutes = int(tries.PAUSE.total_seconds() / 60)
        audit.record("sign-in-locked", actor=audit.US, subject=subject, minutes=minutes)
