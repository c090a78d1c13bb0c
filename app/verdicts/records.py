"""What an inspector says of a patch, and what was in sight when it was said."""

import math
import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from uuid import uuid4

from severstal_xai.classes import CLASSES, DEFECTS, SOUND
from severstal_xai.errors import InputError, check_range
from severstal_xai.files import check_name

LONGEST_NAME = 100
"""In characters, of a reader's name."""
LONGEST_NOTE = 2000
"""In characters."""
MOST_HEATS = 2
"""In sight at once."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(r"[0-9a-f]{32}")
_UNSEEN_IN_NAMES = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode's categories of signs that nobody sees: two names that look alike must be one name."""
_UNSEEN_IN_NOTES = {"Cc", "Cs"}
_ALLOWED_IN_NOTES = {"\n", "\t"}
_TURNS_TEXT = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Unicode's signs that turn the direction of what follows: a note must read as it was written."""
_DEFECT_LABELS = tuple(steel.id for steel in DEFECTS)
_LABELS = tuple(steel.id for steel in CLASSES)

Setting = tuple[str, float | str]


class Kind(StrEnum):
    """What a verdict says of a patch and its marks; `WITHDRAWN` takes an earlier one back."""

    AGREE = "agree"
    WRONG_CLASS = "wrong_class"
    SEGMENT_WRONG = "segment_wrong"
    NOT_A_DEFECT = "not_a_defect"
    UNSURE = "unsure"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True)
class Answer:
    """The model's answer that was in sight.

    Args:
        weights_sha256: The checksum of the model's weights.
        predicted: The class that the model gave the patch, 0 to 4.
        probability: Its probability, 0 to 1.
    """

    weights_sha256: str
    predicted: int
    probability: float

    def __post_init__(self) -> None:
        _check_sha256("weights_sha256", self.weights_sha256)
        _check_label("predicted", self.predicted, _LABELS)
        check_range("probability", self.probability, 0, 1)


@dataclass(frozen=True)
class Heat:
    """A map that was in sight.

    Args:
        method: A name in `explain.methods.METHODS`.
        settings: The method's settings that differ from its defaults, as pairs of name and value.
        target: The class that was explained.
        sha256: The checksum of the map's bytes: float32, row by row.
    """

    method: str
    settings: tuple[Setting, ...]
    target: int
    sha256: str

    def __post_init__(self) -> None:
        check_line("method", self.method)
        for name, value in self.settings:
            check_line("setting", name)
            if isinstance(value, str):
                check_line(f"setting {name}", value, least=0)
            elif not math.isfinite(value):
                raise InputError(f"setting {name} {value}, expected a finite number")
        _check_label("target", self.target, _LABELS)
        _check_sha256("map_sha256", self.sha256)


@dataclass(frozen=True)
class Seen:
    """What was in sight when a verdict was given.

    Args:
        patch: The patch's name, `STRIP_i`.
        strip: The strip's name.
        image_sha256: The checksum of the patch's image file.
        label: The class that the patch is marked as, 0 to 4.
        mask_sha256: The checksum of the mask's file; empty for class 0.
        answer: The model's; None where none was shown.
        heats: The maps that were whole, the one asked for first; a page shows `MOST_HEATS` at most.
        blind: Whether nobody else's verdict on the patch could have been seen before.
    """

    patch: str
    strip: str
    image_sha256: str
    label: int
    mask_sha256: str
    answer: Answer | None
    heats: tuple[Heat, ...]
    blind: bool

    def __post_init__(self) -> None:
        check_name(self.patch)
        _check_signs("patch", self.patch, _UNSEEN_IN_NAMES)
        if self.patch.rpartition("_")[0] != self.strip:
            raise InputError(f"strip {self.strip!r} of patch {self.patch!r}, expected the one in its name")
        _check_sha256("image_sha256", self.image_sha256)
        _check_label("label", self.label, _LABELS)
        if self.label != SOUND.id:
            _check_sha256("mask_sha256", self.mask_sha256)
        elif self.mask_sha256:
            raise InputError(f"mask_sha256 {self.mask_sha256!r}, expected none for class {SOUND.id}")
        if len(self.heats) > MOST_HEATS:
            raise InputError(f"{len(self.heats)} maps in sight, expected {MOST_HEATS} at most")


@dataclass(frozen=True)
class Verdict:
    """What an inspector says of a patch.

    Args:
        kind: What is said.
        reader: Who says it, as `tidy_name` writes a name.
        at: When, in any time zone; the store keeps UTC to the microsecond.
        seen: What was in sight.
        label: The class that is right, 1 to 4, for `WRONG_CLASS` alone; a patch without a defect is `NOT_A_DEFECT`.
        note: Anything to add, as `tidy_note` writes it.
        withdraws: The number of the record that is taken back, for `WITHDRAWN` alone.
        id: Names the verdict before the store has numbered it: appended twice, it is stored once.
    """

    kind: Kind
    reader: str
    at: datetime
    seen: Seen
    label: int | None = None
    note: str = ""
    withdraws: int | None = None
    id: str = field(default_factory=lambda: uuid4().hex)

    def __post_init__(self) -> None:
        check_line("reader", self.reader)
        if self.reader != tidy_name(self.reader):
            raise InputError(f"reader {self.reader!r}, expected {tidy_name(self.reader)!r}")
        _check_length("note", self.note, 0, LONGEST_NOTE)
        _check_signs("note", self.note, _UNSEEN_IN_NOTES, _ALLOWED_IN_NOTES)
        if turning := _TURNS_TEXT.search(self.note):
            raise InputError(
                f"note holds U+{ord(turning[0]):04X}, which turns the direction of the text, expected it without"
            )
        if self.at.tzinfo is None:
            raise InputError(f"at {self.at.isoformat()}, expected a time with its zone")
        if not _ID.fullmatch(self.id):
            raise InputError(f"id {self.id[:40]!r}, expected 32 hexadecimal digits")
        self._check_label()
        if self.kind == Kind.WITHDRAWN:
            check_range("withdraws", 0 if self.withdraws is None else self.withdraws, 1)
        elif self.withdraws is not None:
            raise InputError(
                f"withdraws {self.withdraws} with {self.kind}, expected it with {Kind.WITHDRAWN} alone"
            )

    def _check_label(self) -> None:
        if self.kind != Kind.WRONG_CLASS:
            if self.label is not None:
                raise InputError(
                    f"label {self.label} with {self.kind}, expected one with {Kind.WRONG_CLASS} alone"
                )
            return
        _check_label("label", self.label, _DEFECT_LABELS)
        if self.label == self.seen.label:
            raise InputError(f"label {self.label}, expected another class than the patch is marked as")


@dataclass(frozen=True)
class Entry:
    """A verdict in the store.

    Args:
        number: Its place in the chain, from 1.
        verdict: What was said.
        sha256: The record's hash, which seals it and all records before it.
    """

    number: int
    verdict: Verdict
    sha256: str


def withdrawal_of(entry: Entry, at: datetime, note: str = "") -> Verdict:
    """Return the record by which a reader takes a verdict of theirs back.

    Raises:
        InputError: The record is itself such a one: to take it back, judge the patch again.
    """
    if entry.verdict.kind == Kind.WITHDRAWN:
        raise InputError(f"record {entry.number} takes one back, expected a verdict on the patch")
    verdict = entry.verdict
    return Verdict(Kind.WITHDRAWN, verdict.reader, at, verdict.seen, note=note, withdraws=entry.number)


def implied_class(verdict: Verdict) -> int | None:
    """Return the class, 0 to 4, that a verdict holds for right; None where it leaves that open.

    A wrong segment has the right class; where nothing is marked, nobody knows which.
    """
    match verdict.kind:
        case Kind.AGREE:
            return verdict.seen.label
        case Kind.WRONG_CLASS:
            return verdict.label
        case Kind.NOT_A_DEFECT:
            return SOUND.id
        case Kind.SEGMENT_WRONG:
            return verdict.seen.label or None
        case _:
            return None


def tidy_name(text: str) -> str:
    r"""Return a name as it is kept: composed, in single blanks, without blanks around it.

    Example:
        >>> tidy_name("  Anna\u0308  M. ")
        'Annä M.'
    """
    return " ".join(unicodedata.normalize("NFC", text).split())


def tidy_note(text: str) -> str:
    r"""Return a note as it is kept: lines ended by a line feed, without blanks around it.

    Example:
        >>> tidy_note(" a scab,\r\nnot a scratch \n")
        'a scab,\nnot a scratch'
    """
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def as_text(at: datetime) -> str:
    """Return a time as the store keeps it: UTC, always of one length, so that texts sort as times do.

    Example:
        >>> as_text(datetime(2026, 3, 1, 12, tzinfo=UTC))
        '2026-03-01T12:00:00.000000Z'
    """
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _check_label(name: str, label: int | None, allowed: tuple[int, ...]) -> None:
    if label not in allowed:
        raise InputError(f"{name} {label}, expected {allowed[0]} to {allowed[-1]}")


def _check_sha256(name: str, value: str) -> None:
    if not _SHA256.fullmatch(value):
        raise InputError(f"{name} {value[:70]!r}, expected 64 hexadecimal digits")


def check_line(name: str, value: str, least: int = 1) -> None:
    """Refuse a text of one line that is too long or holds signs that nobody sees.

    Raises:
        InputError: It is or does; `name` names it in the message.
    """
    _check_length(name, value, least, LONGEST_NAME)
    _check_signs(name, value, _UNSEEN_IN_NAMES)


def _check_length(name: str, value: str, least: int, most: int) -> None:
    if not least <= len(value) <= most:
        raise InputError(f"{name} of {len(value)} characters, expected {least} to {most}")


def _check_signs(name: str, value: str, unseen: Collection[str], allowed: Collection[str] = ()) -> None:
    if value.isascii() and value.isprintable():
        return
    for sign in value:
        if unicodedata.category(sign) in unseen and sign not in allowed:
            raise InputError(f"{name} holds the control character U+{ord(sign):04X}, expected text")
