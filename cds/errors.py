"""Everything that we raise on purpose.

CdsError
├── BadInput            400  what was sent cannot be used as it stands
├── Refused             401  the caller is not who may ask
├── UnknownService      404
├── MergedPatient       409  this record counts no more: the patient has another one
├── Gone                410  it was deleted: here after its retention time, or there
├── MissingData         412  required data could not be had (CDS Hooks 2.0.1, "Prefetch Template")
│   └── ProtectedData        part of it carries a security label that keeps it out
├── TooLarge            413
├── FhirError           502
│   ├── FhirUnreachable      time-out, connection, 429, 5xx: the same call may work later
│   ├── FhirRefused          401, 403: the token or its scopes do not allow it
│   └── FhirInvalid          the answer, or what we were about to send, is not valid FHIR
└── ArchiveError        502  the DICOM archive; the message is a clause that a person may read
    ├── ArchiveUnreachable   no connection, no answer, busy: the same call may work later
    ├── ArchiveRefused       it took none of it, or only a part
    └── ArchiveInvalid       its answer does not say what it took
"""

from __future__ import annotations


class CdsError(Exception):
    """Base of the tree. `status`: what an HTTP door answers.

    `retry`: would the same call work later? `retry_after`: in how many seconds, where the other side said so.
    """

    retry = False
    retry_after: float | None = None
    status = 500


class BadInput(CdsError):
    status = 400


class Refused(CdsError):
    """The reason is for the log; the caller gets a bare 401."""

    status = 401


class UnknownService(CdsError):
    status = 404


class Gone(CdsError):
    status = 410


class TooLarge(CdsError):
    status = 413


class MissingData(CdsError):
    """`keys` names the prefetch keys that could not be had."""

    status = 412

    def __init__(self, keys: tuple[str, ...]) -> None:
        super().__init__(f"required data could not be had: {', '.join(keys)}")
        self.keys = keys


class ProtectedData(MissingData):
    """Which need it concerns is not said: that would tell what kind of entry is protected."""

    def __init__(self) -> None:
        CdsError.__init__(self, "part of the record that is required here is protected and was not used")
        self.keys = ()


class MergedPatient(CdsError):
    """Patient.link says replaced-by. Not followed: token and context are for the record that was asked about.

    `into`: the id of the record that counts, for `cds.merges`; in no message. "" where the link does not say it.
    """

    status = 409

    def __init__(self, into: str = "") -> None:
        super().__init__("this patient's record was merged into another one; ask about that one")
        self.into = into


class FhirError(CdsError):
    """Carries where it happened (no query string: it may name a patient) and the HTTP status, if there was one.

    `issue`: the code that the server gave as its reason, never its text, which may speak of the patient.
    """

    status = 502

    def __init__(self, message: str, *, url: str = "", http_status: int | None = None, issue: str = "") -> None:
        super().__init__(message)
        self.url = url.partition("?")[0]
        self.http_status = http_status
        self.issue = issue


class FhirUnreachable(FhirError):
    retry = True


class FhirRefused(FhirError):
    status = 403


class FhirInvalid(FhirError):
    pass


class ArchiveError(CdsError):
    status = 502


class ArchiveUnreachable(ArchiveError):
    retry = True


class ArchiveRefused(ArchiveError):
    """`stored`: SOP Instance UIDs that were taken all the same. Sent again, an instance replaces itself."""

    def __init__(self, message: str, *, stored: tuple[str, ...] = (), retry: bool = False) -> None:
        super().__init__(message)
        self.stored = stored
        self.retry = retry


class ArchiveInvalid(ArchiveError):
    pass
