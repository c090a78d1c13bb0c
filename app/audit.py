"""The command `python -m app.audit`: the store of verdicts checked, noted, exported, and its readers compared."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.actions import Actions, act
from app.verdicts.agreement import Agreement, Kappa, agreements
from app.verdicts.corrections import Corrected, Redo, correct
from app.verdicts.export import CSV_FILE, csv_file, harmless, records, write_parquet
from app.verdicts.records import Entry, Verdict
from app.verdicts.store import open_store
from severstal_xai.annotation_file import ANNOTATIONS
from severstal_xai.command import DONE, WRONG_INPUT, run
from severstal_xai.errors import InputError, about, check_range
from severstal_xai.files import write_bytes
from severstal_xai.manifest import read_manifest
from severstal_xai.markdown import table

COMMAND = "python -m app.audit"
PARQUET_FILE = "verdicts.parquet"
REDO_FILE = "to_redo.csv"
_REDO_COLUMNS = ("patch", "strip", "marked_label", "reason", "verdicts", "notes")
_SHA256_DIGITS = 64


@dataclass(frozen=True)
class VerifySettings:
    """What to verify.

    Args:
        store: The store's address; null for SEVERSTAL_XAI_VERDICTS, else verdicts/verdicts.sqlite.
        head: A hash that `python -m app.audit head` printed, noted elsewhere; null to compare with none.
    """

    store: str | None = None
    head: str | None = None

    def __post_init__(self) -> None:
        if self.head is not None and (
            len(self.head) != _SHA256_DIGITS or set(self.head) - set("0123456789abcdef")
        ):
            raise InputError(f"--head {self.head[:80]!r}, expected {_SHA256_DIGITS} hexadecimal digits")


@dataclass(frozen=True)
class HeadSettings:
    """Whose head to print.

    Args:
        store: The store's address; null for SEVERSTAL_XAI_VERDICTS, else verdicts/verdicts.sqlite.
    """

    store: str | None = None


@dataclass(frozen=True)
class BackupSettings:
    """What to copy.

    Args:
        output: The new file.
        store: The store's address; null for SEVERSTAL_XAI_VERDICTS, else verdicts/verdicts.sqlite.
    """

    output: Path
    store: str | None = None


@dataclass(frozen=True)
class ExportSettings:
    """What to export.

    Args:
        output: The folder to write into.
        store: The store's address; null for SEVERSTAL_XAI_VERDICTS, else verdicts/verdicts.sqlite.
        annotations: The train.csv to correct, which stays as it is; null to correct none.
        data: The data folder that was judged, made from that train.csv.
        overwrite: Whether the files of an earlier export are replaced.
    """

    output: Path
    store: str | None = None
    annotations: Path | None = None
    data: Path | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        if (self.annotations is None) != (self.data is None):
            given, missing = ("data", "annotations") if self.data else ("annotations", "data")
            raise InputError(
                f"--{given} without --{missing}, expected both to correct {ANNOTATIONS}, or neither"
            )


@dataclass(frozen=True)
class AgreementSettings:
    """Whose agreement to measure.

    Args:
        store: The store's address; null for SEVERSTAL_XAI_VERDICTS, else verdicts/verdicts.sqlite.
        blind: Whether blind readings alone count; false for all that hold.
        seed: Of the lot by which the intervals are drawn.
    """

    store: str | None = None
    blind: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        check_range("seed", self.seed, 0, 2**32)


def verify(settings: VerifySettings) -> int:
    """Check the chain; exit status 1 where it is broken, and the first wrong record by number."""
    with closing(open_store(settings.store, create=False)) as store:
        head, fault = store.head(), store.fault(settings.head)
    if fault:
        print(f"{store.address}: {fault.reason}")
        return WRONG_INPUT
    noted = ", which holds the noted one" if settings.head else ""
    print(f"{store.address}: {_records(head.number)}, the chain holds{noted}; its head is {head.sha256}")
    return DONE


def _records(count: int) -> str:
    return "1 record" if count == 1 else f"{count:,} records"


def print_head(settings: HeadSettings) -> int:
    """Print the hash that seals all records, to be noted where nobody who can write the database can."""
    with closing(open_store(settings.store, create=False)) as store:
        print(store.head().sha256)
    return DONE


def back_up(settings: BackupSettings) -> int:
    """Copy the store as it is now into a new file, while inspectors go on, and check the copy's chain."""
    output = settings.output
    if output.exists():
        raise InputError(f"--output {output}: is there already, expected a new file")
    with closing(open_store(settings.store, create=False)) as store:
        store.back_up(output)
    return verify(VerifySettings(str(output)))


def export(settings: ExportSettings) -> int:
    """Write all records as CSV and parquet and, where they are given, a corrected train.csv."""
    _check_output(settings)
    with closing(open_store(settings.store, create=False)) as store:
        entries, current = list(store.entries()), store.current()
    corrected = _corrected(current, settings)
    rows = records(entries, [entry.number for entry in current])
    output = settings.output
    write_bytes(output / CSV_FILE, csv_file(rows))
    write_parquet(output / PARQUET_FILE, rows)
    print(f"{output}: {_records(len(rows))} in {CSV_FILE} and {PARQUET_FILE}")
    if corrected:
        write_bytes(output / REDO_FILE, csv_file(map(_redo_row, corrected.redo), _REDO_COLUMNS))
        write_bytes(output / ANNOTATIONS, corrected.content)
        print(_in_words(corrected, output))
    return DONE


def _check_output(settings: ExportSettings) -> None:
    """Refuse to replace what stands there, and the original whatever is said."""
    output, original = settings.output, settings.annotations
    names = [CSV_FILE, PARQUET_FILE, *([REDO_FILE, ANNOTATIONS] if original else [])]
    if output.exists() and not output.is_dir():
        raise InputError(f"--output {output}: a file, expected a folder")
    for path in (output / name for name in names):
        if original and path.exists() and original.exists() and path.samefile(original):
            raise InputError(f"{path}: the original, expected another --output: it is never overwritten")
        if path.exists() and not settings.overwrite:
            raise InputError(f"{path}: is there already, expected a new folder or --overwrite true")


def _corrected(current: Sequence[Entry], settings: ExportSettings) -> Corrected | None:
    if settings.annotations is None or settings.data is None:
        return None
    manifest = read_manifest(settings.data)
    try:
        content = settings.annotations.read_bytes()
    except OSError as error:
        raise InputError(
            f"--annotations {settings.annotations}: {error.strerror}, expected a {ANNOTATIONS}"
        ) from error
    with about(settings.annotations):
        return correct(content, current, manifest)


def _redo_row(redo: Redo) -> dict[str, Any]:
    seen = redo.entries[0].verdict.seen
    said = [f"{entry.verdict.reader}: {_said(entry.verdict)}" for entry in redo.entries]
    notes = [f"{entry.verdict.reader}: {entry.verdict.note}" for entry in redo.entries if entry.verdict.note]
    return {
        "patch": redo.patch,
        "strip": seen.strip,
        "marked_label": seen.label,
        "reason": redo.reason,
        "verdicts": "; ".join(said),
        "notes": "; ".join(notes),
    }


def _said(verdict: Verdict) -> str:
    return str(verdict.kind) if verdict.label is None else f"{verdict.kind} ({verdict.label})"


def _in_words(corrected: Corrected, output: Path) -> str:
    lines = [
        f"{output / ANNOTATIONS}: {len(corrected.moved)} patches moved to another class, {len(corrected.removed)} cleared, "
        f"{len(corrected.kept)} confirmed; {len(corrected.redo)} to look at again, listed in {output / REDO_FILE}"
    ]
    if corrected.mixed:
        lines.append(
            f"{len(corrected.mixed)} strips hold several classes now: `python -m data_prep` leaves out their defects unless "
            "--several_classes leave_out_patch"
        )
    if corrected.bare:
        lines.append(
            f"{len(corrected.bare)} strips hold no mark now: `python -m data_prep` takes no sound patch from them unless "
            "--normal_from all"
        )
    return "\n".join(lines)


def measure_agreement(settings: AgreementSettings) -> int:
    """Print how far each two readers agree beyond chance."""
    with closing(open_store(settings.store, create=False)) as store:
        found = agreements(store.entries(), blind_only=settings.blind, seed=settings.seed)
    readings = "blind readings" if settings.blind else "all verdicts that hold"
    if not found:
        print(f"{store.address}: no two readers judged a patch in common ({readings})")
        return DONE
    print(f"Agreement of {readings}: Cohen's kappa, with 95 % intervals by the bootstrap over strips\n")
    print(tabulate(found))
    return DONE


def tabulate(found: Sequence[Agreement]) -> str:
    """Write agreements as Markdown."""
    rows = []
    for one in found:
        for what, kappa in (("verdict", one.kinds), ("class", one.classes)):
            readers = " and ".join(map(harmless, one.readers))
            rows.append(
                [readers, what, kappa.patches, *_kappa_in_words(kappa), _notes(kappa, one.other_marks)]
            )
    return table(["readers", "of", "patches", "alike", "kappa", "note"], rows)


def _kappa_in_words(kappa: Kappa) -> tuple[str, str]:
    alike = f"{kappa.agreed:.1%}" if kappa.patches else "-"
    if kappa.kappa is None:
        return alike, "not defined"
    value = f"{kappa.kappa.value:.2f}"
    return alike, value if kappa.note else f"{value} ({kappa.kappa.low:.2f} to {kappa.kappa.high:.2f})"


def _notes(kappa: Kappa, other_marks: int) -> str:
    left_out = f"{other_marks} left out: other marks were judged" if other_marks else ""
    return "; ".join(note for note in (kappa.note, left_out) if note)


_ACTIONS: Actions = {
    "verify": (VerifySettings, verify, "Check that no record was altered, removed, moved or put in."),
    "head": (HeadSettings, print_head, "Print the hash that seals all records, to note it elsewhere."),
    "backup": (BackupSettings, back_up, "Copy the store into a new file while it is in use."),
    "export": (ExportSettings, export, "Write the records as CSV and parquet, and a corrected train.csv."),
    "agreement": (AgreementSettings, measure_agreement, "Tell how far readers agree, by Cohen's kappa."),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the first word says, with the settings after it."""
    return act(COMMAND, _ACTIONS, arguments)


if __name__ == "__main__":
    run(main)
