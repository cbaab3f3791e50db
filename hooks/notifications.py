"""POST /subscriptions/<token>: an EHR knocks because something is new. Noted, then answered; nothing is looked at here."""

from __future__ import annotations

import logging
from typing import cast

from django.http import Http404
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cds.fhir.notification import read
from cds.formats import Body, body
from cds.models import Ehr, Subscription
from cds.notified import hear
from cds.notified.token import find

logger = logging.getLogger(__name__)


class FhirBody(Body):
    """FHIR's JSON; XML is answered with 415."""

    media_type = "application/fhir+json"


class Knocker(BaseAuthentication):
    """Who has both the address and the secret. Whatever is wrong, there is nothing at this address."""

    def authenticate(self, request: Request) -> tuple[Subscription, Ehr]:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        token = cast("str", request.parser_context["kwargs"]["token"])
        found = find(token, secret=secret.strip()) if scheme.lower() == "bearer" else None
        if found is None:
            logger.warning("a notification had no end point, or not its secret")
            raise Http404
        return found, found.ehr


class Door(APIView):
    """Rest-hook notifications (R4 and R5 "Subscription"; Subscriptions R5 Backport 1.1.0, "REST-Hook").

    200 is sent after the rows are stored, never before: the EHR then has no reason to send it again.
    """

    authentication_classes = (Knocker,)
    parser_classes = (FhirBody, Body)

    def post(self, request: Request, **_: str) -> Response:
        subscription = cast("Subscription", request.user)
        news = hear(subscription, read(body(request), base=subscription.ehr.fhir_base))
        logger.info("subscription %s: %d events that are new", subscription.pk, news)
        return Response(status=200)

    put = post
