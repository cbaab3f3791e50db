"""The bottom layers: the product's middleware, framework, reading and writing, but always the same card."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cds import registry
from cds.cards import Card
from cds.formats import body
from cds.models import Ehr
from hooks.requests import parse, patient_id
from hooks.responses import cards_as_json
from hooks.trust import Caller

EHR = Ehr(name="Bench")  # not saved: the card's source names it


class FixedCard(APIView):
    """The request is read as the product reads it; nothing is decided."""

    def post(self, request: Request) -> Response:
        service = registry.get("diabetes-risk")
        patient_id(parse(body(request), service))
        card = Card(summary="Consider HbA1c.", indicator="info", detail="Always the same.")
        return Response(cards_as_json([card], service=service, ehr=EHR, assessment=None))


class TrustedCard(FixedCard):
    """The same for callers whose JWT holds."""

    authentication_classes = (Caller,)
