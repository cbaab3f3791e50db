"""Model cards for people: Markdown as HTML, where HTML inside the Markdown is not let through."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from django.utils.safestring import SafeString
from markdown_it import MarkdownIt

from cds.model_card import is_shipped, path_of
from cds.service import DecisionService
from scoring.headline import headline
from scoring.models import ModelVersion

_markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
# A wide table scrolls by itself, by keyboard too, and the page does not.
_markdown.add_render_rule(
    "table_open", lambda *_: '<div class="wide" tabindex="0" role="group" aria-label="Table"><table>'
)
_markdown.add_render_rule("table_close", lambda *_: "</table></div>")


def has_card(service: DecisionService) -> bool:
    return path_of(service).exists()


def markdown(service: DecisionService, version: ModelVersion) -> str:
    """The card of that version; of one that did not come with the code its figures only, since the words are not its."""
    if is_shipped(service, version):
        return path_of(service).read_text(encoding="utf-8")
    rows = "\n".join(f"| {title} | {figure} |" for title, figure in headline(version.facts).items())
    return (
        f"# {version.name} {version.version}\n\nPredicts: {version.facts['label']}.\n\n"
        "The chapters in words are about the version that came with the code; these are the figures of this one.\n\n"
        f"| figure | with its 95 % interval |\n|---|---|\n{rows}\n"
    )


def as_html(service: DecisionService, version: ModelVersion) -> SafeString:
    return _html(markdown(service, version))


@lru_cache
def chapter(service: DecisionService, title: str) -> SafeString:
    """One chapter, without its heading; "" if the card has none of that title."""
    _, _, rest = _read(path_of(service)).partition(f"\n## {title}\n")
    return _html(rest.partition("\n## ")[0])


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@lru_cache
def _html(text: str) -> SafeString:
    """The renderer escapes everything that is not Markdown. A heading without words is none to a screen reader."""
    return SafeString(_markdown.render(text).replace("<th></th>", "<td></td>"))
