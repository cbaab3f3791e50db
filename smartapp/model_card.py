"""Model cards: MODEL_CARD.md of a service's folder, as HTML; HTML inside the Markdown is not let through."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from django.apps import apps
from django.utils.safestring import SafeString
from markdown_it import MarkdownIt

from cds.service import DecisionService

_markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
# A wide table scrolls by itself, by keyboard too, and the page does not.
_markdown.add_render_rule(
    "table_open", lambda *_: '<div class="wide" tabindex="0" role="group" aria-label="Table"><table>'
)
_markdown.add_render_rule("table_close", lambda *_: "</table></div>")


def path_of(service: DecisionService) -> Path:
    config = apps.get_containing_app_config(type(service).__module__)
    if config is None:
        raise LookupError(f"{service.id} belongs to no installed app")
    return Path(config.path) / "MODEL_CARD.md"


def has_card(service: DecisionService) -> bool:
    return path_of(service).exists()


@lru_cache
def as_html(path: Path) -> SafeString:
    return _html(path.read_text(encoding="utf-8"))


@lru_cache
def chapter(service: DecisionService, title: str) -> SafeString:
    """One chapter, without its heading; "" if the card has none of that title."""
    _, _, rest = path_of(service).read_text(encoding="utf-8").partition(f"\n## {title}\n")
    return _html(rest.partition("\n## ")[0])


def _html(markdown: str) -> SafeString:
    return SafeString(_markdown.render(markdown))  # the renderer escapes everything that is not Markdown
