"""The demo hospital has been asked to tell us of new results."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cds import system
from cds.fhir.notification import read
from cds.models import Ehr, Subscription
from cds.notified import hear
from cds.notified.subscribe import listen


@pytest.fixture(autouse=True)
def _no_token_kept() -> Iterator[None]:
    system.forget()
    yield
    system.forget()


class Listener:
    """Its row, and what the EHR was handed."""

    def __init__(self, ehr: Ehr) -> None:
        row = Subscription(ehr=ehr)
        self.values = listen(row, actor="somebody")
        self.pk = row.pk

    @property
    def row(self) -> Subscription:
        """As it is now."""
        return Subscription.objects.select_related("ehr").get(pk=self.pk)

    def hears(self, body: bytes) -> int:
        """How many events were news."""
        return hear(self.row, read(body, base=self.row.ehr.fhir_base))


@pytest.fixture
def listener(ehr: Ehr) -> Listener:
    return Listener(ehr)
