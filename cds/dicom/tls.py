"""TLS to an archive (PS3.15, annex B: BCP 195): whom we trust, and who we are where it asks for that."""

from __future__ import annotations

import os
import ssl
import tempfile

from cds.errors import BadInput


def context(*, trusted: str, certificate: str, key: bytes) -> ssl.SSLContext:
    """All in PEM. `trusted`: who signed the archive's certificate; "": whom this machine trusts. BadInput says what is wrong."""
    try:
        made = ssl.create_default_context(cadata=trusted or None)
    except (ssl.SSLError, ValueError) as error:
        raise BadInput("the trusted certificates are not certificates in PEM") from error
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate:
        _load(made, certificate.encode() + b"\n" + key)
    return made


def _load(made: ssl.SSLContext, chain: bytes) -> None:
    """Python takes it from a file only: one that nobody else can read, for this moment."""
    descriptor, path = tempfile.mkstemp()
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(chain)
        made.load_cert_chain(path, password="")
    except (ssl.SSLError, ValueError) as error:
        raise BadInput("our certificate and its key are not a pair in PEM, or the key wants a password") from error
    finally:
        os.unlink(path)
