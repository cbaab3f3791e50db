"""What an archive says of each instance: the status of a C-STORE (PS3.4, B.2.3), the reasons of STOW-RS (PS3.18, I.2)."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from pydicom.dataset import Dataset

from cds.errors import ArchiveRefused

SUCCESS = 0x0000
_ALREADY_THERE = 0x0111  # the same SOP instance is the same object: nothing is lost
_KEPT = {
    SUCCESS,
    _ALREADY_THERE,
    0x0001,
    0x0107,
    0x0116,
    *range(0xB000, 0xC000),
}  # PS3.7, annex C: success and warnings
_PASSING = {0x0110, 0x0213, *range(0xA700, 0xA800)}
_IN_WORDS = {
    0x0110: "it failed while processing it",
    _ALREADY_THERE: "it was there already",
    0x0117: "it finds the instance invalid",
    0x0122: "it takes no objects of this kind",
    0x0124: "it does not allow us to store",
    0x0213: "it has no room or time now",
    0xB000: "it changed some of it",
    0xB006: "it left some of it out",
    0xB007: "it finds that it does not match its kind, and kept it",
    0xC122: "it does not take this transfer syntax",
    **dict.fromkeys(range(0xA700, 0xA800), "it has no room or time now"),
    **dict.fromkeys(range(0xA900, 0xAA00), "it finds that it does not match its kind"),
}


class Status(Struct, frozen=True, kw_only=True):
    """Of one instance. `code` is None where the archive does not mention it."""

    uid: str
    what: str
    code: int | None

    @property
    def kept(self) -> bool:
        return self.code in _KEPT

    @property
    def remarkable(self) -> bool:
        """It was taken, but not simply so."""
        return self.kept and self.code != SUCCESS

    @property
    def passing(self) -> bool:
        return self.code is None or self.code in _PASSING

    @property
    def in_words(self) -> str:
        if self.code is None:
            return f"{self.what}: it says nothing about it"
        otherwise = "it has something to say about it" if self.kept else "it cannot use it"
        return f"{self.what}: {_IN_WORDS.get(self.code, otherwise)} ({self.code:04X})"


def status(instance: Dataset, code: int | None) -> Status:
    what = {"SR": "the structured report", "DOC": "the PDF"}.get(instance.Modality, "an object")
    return Status(uid=str(instance.SOPInstanceUID), what=what, code=code)


def require_kept(statuses: Sequence[Status]) -> tuple[str, ...]:
    """The archive's remarks, where it kept every instance; else ArchiveRefused says what it did not keep, and why."""
    stored = tuple(one.uid for one in statuses if one.kept)
    refused = [one for one in statuses if not one.kept]
    if refused:
        raise ArchiveRefused(
            f"the archive took {len(stored) or 'none'} of {len(statuses)}; {'; '.join(one.in_words for one in refused)}",
            stored=stored,
            retry=all(one.passing for one in refused),
        )
    return tuple(one.in_words for one in statuses if one.remarkable)
