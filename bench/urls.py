"""The product's addresses, and a fixed card without and with the check of the caller."""

from __future__ import annotations

from django.urls import include, path

from bench.fixed_card import FixedCard, TrustedCard

urlpatterns = [
    path("cds-services/bench/static", FixedCard.as_view()),
    path("cds-services/bench/trusted", TrustedCard.as_view()),
    path("", include("config.urls")),
]
