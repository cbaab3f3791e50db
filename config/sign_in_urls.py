"""The way to the OpenID provider and back."""

from __future__ import annotations

from django.urls import path

from config import sign_in

urlpatterns = [
    path("login", sign_in.begin, name="oidc-login"),
    path("callback", sign_in.finish, name="oidc-callback"),
]
