"""Prefetch: the templates of a service, resolved against our own chart (CDS Hooks 2.0, "Prefetch Template")."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from smartapp.demo_ehr import interactions
from smartapp.demo_ehr.grants import Grant
from smartapp.demo_ehr.outcomes import FhirError, Resource

TOKEN = re.compile(r"\{\{\s*([A-Za-z.]+)\s*\}\}")


def resolve_prefetch(templates: Mapping[str, str], context: Mapping[str, Any], *, grant: Grant) -> dict[str, Any]:
    """A value for every template whose tokens are known; null means "asked, and there is none"."""
    known = tokens_of(context)
    return {
        key: answer_to(TOKEN.sub(lambda token: known[token[1]], template), grant=grant)
        for key, template in templates.items()
        if all(token in known for token in TOKEN.findall(template))
    }


def tokens_of(context: Mapping[str, Any]) -> dict[str, str]:
    """Only texts are tokens: what is drafted or selected is not."""
    kind, _, user_id = context.get("userId", "").partition("/")
    tokens = {f"context.{name}": value for name, value in context.items() if isinstance(value, str)}
    return tokens | ({f"user{kind}Id": user_id} if user_id else {})


def answer_to(query: str, *, grant: Grant) -> Resource | None:
    """What the app itself would have got; a refusal is handed on as an OperationOutcome."""
    path, _, criteria = query.partition("?")
    kind, _, resource_id = path.partition("/")
    try:
        if resource_id:
            return interactions.read(grant, kind, resource_id).body
        bundle = interactions.search(grant, kind, parse_qsl(criteria, keep_blank_values=True)).body
    except FhirError as error:
        return None if error.status in {404, 410} else error.outcome()
    return bundle if bundle and bundle["total"] else None
