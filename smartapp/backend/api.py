"""What all of the API has in common: whose token, what it opens, how often; and that every call is counted."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, ClassVar, cast

from django.core.cache import cache
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone
from redis.exceptions import RedisError
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.parsers import BaseParser
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from cds import scopes
from cds.formats import Body
from cds.prepared import insert
from smartapp.backend.formats import FhirBody
from smartapp.backend.models import AccessToken, ApiCall, BackendClient
from smartapp.backend.refusals import InsufficientScope, answered
from smartapp.backend.scopes import READ_RESULTS
from smartapp.backend.server import hash_of

logger = logging.getLogger(__name__)


class Bearer(BaseAuthentication):
    """A token of ours that is still good (RFC 6750). `request.auth` becomes its row, with its client and EHR."""

    def authenticate(self, request: Request) -> tuple[None, AccessToken] | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return None
        good = AccessToken.objects.select_related("client__ehr").filter(
            token_hash=hash_of(token.strip()),
            expires_at__gt=timezone.now(),
            client__active=True,
            client__ehr__active=True,
        )
        found = good.first()
        if found is None:
            raise AuthenticationFailed("The token is not one of ours, or is not good any more.")
        return None, found

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class Scoped(BasePermission):
    """One of the view's scopes is in the token."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.auth, AccessToken):
            raise NotAuthenticated("A bearer token is needed.")
        given, needed = request.auth.scope.split(), cast("Api", view).scopes
        if not any(scope in given or _covers(given, scope) for scope in needed):
            raise InsufficientScope(needed[0])
        return True


def _covers(given: list[str], scope: str) -> bool:
    return scope == READ_RESULTS and scopes.allow(given, "RiskAssessment", "r", levels=("system",))


class Pace(BaseThrottle):
    """So many calls a minute, counted for all processes. While the cache is down nobody is counted."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        client = caller(request)
        minute = f"backend:calls:{client.pk}:{int(time.time() // 60)}"
        try:
            cache.add(minute, 0, 120)
            return cache.incr(minute) <= client.calls_per_minute
        except (RedisError, ValueError) as error:
            logger.error("calls are not counted: %s", type(error).__name__)
            return True

    def wait(self) -> float:
        return 60 - time.time() % 60


class Api(APIView):
    """Base of our views. `operation` names it in log, audit and statistics; one of `scopes` opens it."""

    operation: ClassVar[str]
    scopes: ClassVar[tuple[str, ...]]
    authentication_classes = (Bearer,)
    permission_classes = (Scoped,)
    throttle_classes = (Pace,)
    parser_classes: tuple[type[BaseParser], ...] = (Body, FhirBody)

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        self.began = time.perf_counter()
        self.client: BackendClient | None = None
        return super().initialize_request(request, *args, **kwargs)

    def perform_authentication(self, request: Request) -> None:
        if isinstance(request.auth, AccessToken):
            self.client = request.auth.client

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response | None]:
        return answered

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Nothing is kept on the way; and a known caller's call is counted, as long as there is a database."""
        found: HttpResponseBase = super().finalize_response(request, response, *args, **kwargs)
        found.headers.setdefault("Cache-Control", "no-store")
        if self.client is not None:
            self._count(self.client, found.status_code)
        return found

    def _count(self, client: BackendClient, status: int) -> None:
        milliseconds = (time.perf_counter() - self.began) * 1000
        try:
            insert(ApiCall(client=client, operation=self.operation, status=status, milliseconds=milliseconds))
        except DatabaseError as error:
            logger.error("a call answered with %s is not counted: %s", status, type(error).__name__)


def caller(request: Request) -> BackendClient:
    """Who asks; `Scoped` has made sure that there is one."""
    return cast("AccessToken", request.auth).client
