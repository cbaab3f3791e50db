"""`manage.py conformance URL`: any CDS Hooks service, ours or another's, against CDS Hooks 2.0.1."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from hooks.conformance.run import held_against_all
from hooks.conformance.signing import Signer, read_key
from hooks.conformance.target import target
from hooks.conformance.verdicts import as_text, conforms


class Command(BaseCommand):
    """Exit code 0 if no SHALL is broken. It sends made-up patients: never aim it at a service in use."""

    help = "Hold a CDS Hooks service against CDS Hooks 2.0.1 and print a report. Sends made-up patients."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("url", help="the service's base URL: what stands before /cds-services")
        parser.add_argument("--issuer", help="`iss` under which the service knows us")
        parser.add_argument("--issuer-key", type=Path, metavar="FILE", help="our private key, as JWK or PEM")
        parser.add_argument("--kid", help="the key's id, if the file does not say it")
        parser.add_argument("--jku", help="where our public keys are published")
        parser.add_argument(
            "--request",
            type=Path,
            action="append",
            default=[],
            metavar="FILE",
            dest="requests",
            help="a request, as JSON, that should get a card; one for each hook",
        )
        parser.add_argument("--private-network", action="store_true", help="allow http and private addresses")

    def handle(self, *args: Any, **options: Any) -> None:
        service = target(
            options["url"],
            signer=self._signer(options),
            private_network=options["private_network"],
            samples=[self._request(file) for file in options["requests"]],
        )
        results = list(held_against_all(service))
        self.stdout.write(as_text(results))
        if not conforms(results):
            raise CommandError("it does not conform")

    def _signer(self, options: dict[str, Any]) -> Signer | None:
        if options["issuer_key"] is None:
            return None
        if not options["issuer"]:
            raise CommandError("--issuer-key needs --issuer")
        try:
            key = read_key(options["issuer_key"].read_bytes(), kid=options["kid"])
        except (OSError, ValueError) as error:
            raise CommandError(f"--issuer-key: {error}") from error
        return Signer(issuer=options["issuer"], key=key, jku=options["jku"])

    def _request(self, file: Path) -> dict[str, Any]:
        try:
            found = json.loads(file.read_bytes())
        except (OSError, ValueError) as error:
            raise CommandError(f"--request: {error}") from error
        if not isinstance(found, dict) or not isinstance(found.get("context"), dict) or "hook" not in found:
            raise CommandError(f"--request: {file} holds no request with hook and context")
        return found
