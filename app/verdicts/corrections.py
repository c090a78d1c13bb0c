"""From verdicts to a corrected `train.csv`, which `python -m data_prep` reads; nothing in it is guessed.

Only where all who hold a verdict on a patch say the same, and it says what is to be done, is something done: a wrong class moves
the marks within the patch's window to the right one, what is no defect is taken out there, agreement leaves all as it is.
The rest is listed with its reason, for somebody to mark anew. Lines on other strips stay byte for byte what they were;
on a corrected strip every run outside the judged windows does, but for one that crosses a window's edge, which is cut there.

Pure functions, of the file's bytes and the data folder's patches.
"""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np

from app.verdicts.records import Entry, Kind, Verdict
from severstal_xai.annotation_file import (
    NEW_COLUMNS,
    OLD_COLUMNS,
    RUNS_COLUMN,
    cells_of,
    check_row,
    columns_of,
    is_old_form,
    lines_of,
    row_of,
)
from severstal_xai.classes import SOUND
from severstal_xai.errors import InputError
from severstal_xai.manifest import Manifest, Patch
from severstal_xai.rle import decode_rle, join_rle, part_columns
from severstal_xai.strips import PATCH_SIZE, STRIP_HEIGHT, STRIP_WIDTH, Window, cut

_SHAPE = (STRIP_HEIGHT, STRIP_WIDTH)
_MARK = "\ufeff"
_OPEN = {
    Kind.SEGMENT_WRONG: "the segment is wrong, and is to be marked anew",
    Kind.UNSURE: "the reader is unsure",
}
ReadMask = Callable[[Patch], np.ndarray]
Masks = dict[int, str]


@dataclass(frozen=True)
class Change:
    """What becomes of a patch's marks: those of its class become `label`'s, or go where that is 0."""

    patch: Patch
    label: int


@dataclass(frozen=True)
class Redo:
    """A patch that somebody is to look at again, why, and who said what."""

    patch: str
    reason: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Corrected:
    """What came of it.

    Args:
        content: The corrected file's bytes.
        moved: Patches whose marks are another class's now.
        removed: Patches whose marks went.
        kept: Patches whose marks stay, as all agreed.
        redo: Patches on which nothing was done, by name.
        mixed: Strips that are annotated with several classes now and were not before: data preparation leaves such out, by
            its default.
        bare: Strips without any mark now that had some before: its default takes no sound patches from them.
    """

    content: bytes
    moved: tuple[str, ...]
    removed: tuple[str, ...]
    kept: tuple[str, ...]
    redo: tuple[Redo, ...]
    mixed: tuple[str, ...]
    bare: tuple[str, ...]


@dataclass(frozen=True)
class _Line:
    """A line, what ends it, and what it says; no image where it is the header, blank, or wrong."""

    text: str
    end: str
    image: str = ""
    label: int = 0


@dataclass(frozen=True)
class _File:
    columns: list[str]
    lines: list[_Line]
    masks: dict[str, Masks] = field(default_factory=dict)


def correct(content: bytes, current: Iterable[Entry], manifest: Manifest) -> Corrected:
    """Correct `train.csv` by the verdicts that hold.

    Args:
        content: The file's bytes; they are not changed where nothing says so.
        current: Of each reader and patch the verdict that holds.
        manifest: The data folder that was judged, made from that file.

    Raises:
        InputError: The file is no `train.csv`, or a mask of the data folder cannot be read.
    """
    file = _read(content)
    kept, changes, redo = _decide(current, manifest)
    images = {PurePosixPath(image).stem: image for image in file.masks}
    after = {image: dict(masks) for image, masks in file.masks.items()}
    done: list[Change] = []
    for change, entries in changes:
        image = images.get(change.patch.strip, "")
        wrong = _what_differs(file.masks.get(image, {}), change.patch, manifest.read_mask)
        if wrong:
            redo.append(Redo(change.patch.patch, wrong, entries))
        else:
            after[image] = _apply(after[image], change)
            done.append(change)
    return Corrected(
        _write(file, after),
        tuple(change.patch.patch for change in done if change.label != SOUND.id),
        tuple(change.patch.patch for change in done if change.label == SOUND.id),
        tuple(kept),
        tuple(sorted(redo, key=lambda one: one.patch)),
        tuple(image for image in after if len(after[image]) > 1 >= len(file.masks[image])),
        tuple(image for image in after if file.masks[image] and not after[image]),
    )


def _decide(
    current: Iterable[Entry], manifest: Manifest
) -> tuple[list[str], list[tuple[Change, tuple[Entry, ...]]], list[Redo]]:
    """Sort the judged patches into those that stay, those that change, and those to look at again."""
    patches = {patch.patch: patch for patch in manifest.patches}
    judged: dict[str, list[Entry]] = {}
    for entry in current:
        judged.setdefault(entry.verdict.seen.patch, []).append(entry)
    kept, changes, redo = [], [], []
    for name, entries in sorted(judged.items()):
        said = tuple(entries)
        reason = _why_open([entry.verdict for entry in said], patches.get(name))
        if reason:
            redo.append(Redo(name, reason, said))
            continue
        verdict, patch = said[0].verdict, patches[name]
        if verdict.kind == Kind.AGREE or patch.label == SOUND.id:
            kept.append(name)
        else:
            changes.append((Change(patch, verdict.label or SOUND.id), said))
    return kept, changes, redo


def _why_open(verdicts: Sequence[Verdict], patch: Patch | None) -> str:
    """Say why nothing can be done about a patch; nothing where something can."""
    if patch is None:
        return "the data folder has no such patch"
    if any(_marks(verdict) != (patch.image_sha256, patch.label, patch.mask_sha256) for verdict in verdicts):
        return "was judged with another image or other marks than the data folder's"
    said = {(verdict.kind, verdict.label) for verdict in verdicts}
    if len(said) > 1:
        return "readers differ"
    if verdicts[0].kind == Kind.WRONG_CLASS and patch.label == SOUND.id:
        return "a defect that nobody marked, and is to be marked"
    return _OPEN.get(verdicts[0].kind, "")


def _marks(verdict: Verdict) -> tuple[str, int, str]:
    return verdict.seen.image_sha256, verdict.seen.label, verdict.seen.mask_sha256


def _what_differs(masks: Mapping[int, str], patch: Patch, read_mask: ReadMask) -> str:
    """Say how a strip's marks within a window differ from those that were judged; nothing where they are those."""
    inside = {label: _part(runs, patch)[0] for label, runs in masks.items()}
    classes = sorted(label for label, runs in inside.items() if runs)
    if classes != [patch.label]:
        found = ", ".join(map(str, classes)) or "nothing"
        return f"the file marks {found} in its window, expected class {patch.label} alone"
    marked = cut(decode_rle(inside[patch.label], *_SHAPE), Window(patch.index, patch.x))
    if not np.array_equal(marked, read_mask(patch)):
        return "the file marks other pixels in its window than those that were judged"
    return ""


def _part(runs: str, patch: Patch) -> tuple[str, str]:
    return part_columns(runs, patch.x, patch.x + PATCH_SIZE, *_SHAPE)


def _apply(masks: Masks, change: Change) -> Masks:
    """Return a strip's masks after a change; a class without any mark left is not among them."""
    inside, outside = _part(masks[change.patch.label], change.patch)
    after = masks | {change.patch.label: outside}
    if change.label != SOUND.id:
        after[change.label] = join_rle(masks.get(change.label, ""), inside, *_SHAPE)
    return {label: runs for label, runs in after.items() if runs}


def _read(content: bytes) -> _File:
    """Read the file so that it can be written as it was; bytes that are no text are kept."""
    lines = list(lines_of(content.decode("utf-8", errors="surrogateescape")))
    first = next((place for place, (line, _) in enumerate(lines) if line.strip(f"{_MARK} \t")), len(lines))
    columns = columns_of(lines[first][0].removeprefix(_MARK) if first < len(lines) else "")
    file = _File(columns, [_Line(*line) for line in lines[: first + 1]])
    seen: set[tuple[str, int]] = set()
    for text, end in lines[first + 1 :]:
        try:
            row = row_of(columns, cells_of(text))
            label = check_row(row, {row.image}, seen)
        except InputError:
            file.lines.append(_Line(text, end))  # data preparation lists it, and leaves its strip out
        else:
            seen.add((row.image, label))
            file.lines.append(_Line(text, end, row.image, label))
            of_strip = file.masks.setdefault(row.image, {})
            if row.runs:
                of_strip[label] = row.runs
    return file


def _write(file: _File, after: Mapping[str, Masks]) -> bytes:
    """Return the file's bytes with other masks: lines whose mask is the same as it was stay as they are."""
    last = {line.image: place for place, line in enumerate(file.lines)}
    written: list[str] = []
    for place, line in enumerate(file.lines):
        before, now = file.masks.get(line.image, {}), after.get(line.image, {})
        if before.get(line.label) == now.get(line.label):
            written.append(line.text + line.end)
        elif line.label in now or is_old_form(file.columns):
            written.append(_with_runs(file.columns, line, now.get(line.label, "")))
        if line.image and last[line.image] == place and before != now:
            written += _new_lines(file, line, now)
    return "".join(written).encode("utf-8", errors="surrogateescape")


def _new_lines(file: _File, after: _Line, masks: Mapping[int, str]) -> list[str]:
    """Return the lines of a strip's classes that have none yet, to stand after its last one."""
    listed = {line.label for line in file.lines if line.image == after.image}
    new = [
        _new_line(file, after, label, runs) for label, runs in sorted(masks.items()) if label not in listed
    ]
    if not after.end and after.label in masks:  # the file's last line, which nothing ends
        new = ["\n", *new]
    return new


def _with_runs(columns: list[str], line: _Line, runs: str) -> str:
    cells = cells_of(line.text)
    cells[columns.index(RUNS_COLUMN)] = runs
    return _csv_line(cells) + line.end


def _new_line(file: _File, after: _Line, label: int, runs: str) -> str:
    old = is_old_form(file.columns)
    named = {OLD_COLUMNS[0]: f"{after.image}_{label}"} if old else {NEW_COLUMNS[0]: after.image}
    named |= {RUNS_COLUMN: runs} if old else {NEW_COLUMNS[1]: str(label), RUNS_COLUMN: runs}
    return _csv_line([named.get(column, "") for column in file.columns]) + (after.end or "\n")


def _csv_line(cells: Sequence[str]) -> str:
    content = io.StringIO()
    csv.writer(content, lineterminator="").writerow(cells)
    return content.getvalue()
