"""What a person may do on a page where two have to agree: each act has a form, and is refused in words on that form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from cds.approval import Person
from cds.errors import BadInput
from cds.models import Change


def why_field() -> forms.CharField:
    return forms.CharField(
        max_length=500,
        label="Why",
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60}),
        help_text="Whoever looks at this later reads it. No patient's name.",
    )


class DecisionForm(forms.Form):
    """Why yes or no; and, where the scorecard is short, why that is enough."""

    why = why_field()
    exception = forms.CharField(
        max_length=500,
        label="Why the scorecard need not be complete",
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "cols": 60}),
        help_text="Needed to approve without it; kept beside your decision and in the audit log.",
    )

    def __init__(self, data: Any, *, short: bool) -> None:
        super().__init__(data, prefix="decide")
        if not short:
            del self.fields["exception"]


class Acts:
    """The forms that this person may fill in, by name; each act is a method that does it and tells what was done."""

    route: str
    form_of = {
        **{name: name for name in ("ask", "withdraw", "lower", "roll_back", "retire", "adjust", "add", "remove")},
        **dict.fromkeys(("approve", "refuse"), "decide"),  # two buttons, one form
    }

    def __init__(self, request: HttpRequest, row: models.Model, *, by: Person) -> None:
        self.request, self.row, self.by = request, row, by
        self.forms: dict[str, forms.Form] = {}

    def data(self, form: str) -> Any:
        """What was entered, if it is this form that was sent."""
        return self.request.POST if self.form_of.get(self.request.POST.get("do", "")) == form else None

    def decision_forms(self, waiting: Change | None, *, short: bool) -> dict[str, forms.Form]:
        """Who asked may withdraw; who did not, and has the role, decides."""
        if waiting is None:
            return {}
        if waiting.asked_key == self.by.key:
            return {"withdraw": forms.Form(self.data("withdraw"))}
        return {"decide": DecisionForm(self.data("decide"), short=short)} if self.by.approves else {}

    def do(self) -> bool:
        """Was it done? If not, its form says why."""
        name = self.request.POST.get("do", "")
        form = self.forms.get(self.form_of.get(name, ""))
        if form is None:
            raise PermissionDenied
        act: Callable[[Any], str] = getattr(self, name)
        try:
            done = act(form) if form.is_valid() else ""
        except BadInput as error:
            form.add_error(None, str(error))
            return False
        if done:
            messages.success(self.request, done)
        return bool(done)

    def back(self) -> HttpResponse:
        return redirect(self.route, self.row.pk)
