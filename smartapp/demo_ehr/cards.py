"""The cards on the screen: kept here while they are shown, so that a browser can only choose from what was sent."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from django.utils.safestring import SafeString
from markdown_it import MarkdownIt

from smartapp.demo_ehr import addresses

SHOWN_AT_MOST = 500
INDICATORS = {"info": "For information", "warning": "Warning", "critical": "Critical"}


@dataclass(frozen=True, kw_only=True)
class ShownCard:
    """A card, who sent it, and whose chart it is about."""

    key: str
    service_id: str
    patient_id: str
    card: dict[str, Any]

    @property
    def indicator(self) -> str:
        return str(self.card.get("indicator"))

    @property
    def indicator_text(self) -> str:
        return INDICATORS.get(self.indicator, "Unknown indicator")

    @property
    def detail(self) -> SafeString:
        return as_html(str(self.card.get("detail", "")))

    @property
    def links(self) -> list[dict[str, Any]]:
        """Each with `refused` saying why it cannot be opened, if so."""
        return [{**link, "refused": why_refused(link)} for link in self.card.get("links", ())]


def why_refused(link: dict[str, Any]) -> str:
    """A SMART link must be the launch URL that the app registered, any other an ordinary web address."""
    url = str(link.get("url", ""))
    if link.get("type") == "smart":
        return "" if url == addresses.launch_url() else "not the registered launch URL"
    return "" if urlsplit(url).scheme in {"http", "https"} else "not a web address"


@lru_cache(maxsize=1)
def markdown() -> MarkdownIt:
    """GitHub's tables and strikethrough as CDS Hooks has it; HTML and images of others stay out."""
    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")


def as_html(text: str) -> SafeString:
    return SafeString(markdown().render(text))  # html is off: the renderer escapes what the text holds


class Deck:
    """The cards shown of late, by key; the oldest give way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cards: OrderedDict[str, ShownCard] = OrderedDict()

    def show(self, card: dict[str, Any], *, service_id: str, patient_id: str) -> ShownCard:
        shown = ShownCard(key=secrets.token_urlsafe(9), service_id=service_id, patient_id=patient_id, card=card)
        with self._lock:
            self._cards[shown.key] = shown
            while len(self._cards) > SHOWN_AT_MOST:
                self._cards.popitem(last=False)
        return shown

    def get(self, key: str, *, patient_id: str) -> ShownCard | None:
        """The card, if it is about this patient."""
        with self._lock:
            shown = self._cards.get(key)
        return shown if shown and shown.patient_id == patient_id else None


deck = Deck()
