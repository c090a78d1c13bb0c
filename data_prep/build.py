"""The build: all strips through the recast, resumable, into a data folder that is there when it is whole."""

import dataclasses
import importlib.metadata
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from tqdm import tqdm

from data_prep.annotations import Annotations, read_annotations
from data_prep.journal import Journal, open_journal
from data_prep.rejects import (
    REJECTED_FILE,
    Reject,
    count_rejects,
    holds_rejects,
    reject,
    write_rejects,
)
from data_prep.report import REPORTS, write_report
from data_prep.settings import DataPrepSettings
from data_prep.source import Source, image_path, open_source
from data_prep.split import choose_evaluation, split_by_patch, split_by_strip
from data_prep.staging import STAGING, check_kinds, check_nothing_else_is_lost, discard, publish
from data_prep.strip_work import (
    IMAGES,
    MASKS,
    KeptPatch,
    StripRecord,
    StripTask,
    fields_of,
    work_on_strip,
)
from data_prep.threads import run_bounded
from severstal_xai.annotation_file import ANNOTATIONS
from severstal_xai.command import to_yaml
from severstal_xai.errors import InputError
from severstal_xai.files import delete_leftovers, sha256, write_text
from severstal_xai.left_out import LEFT_OUT_FILE, LeftOutWindow, write_left_out
from severstal_xai.manifest import MANIFEST_FILE, Patch, Split, read_manifest, write_manifest
from severstal_xai.strips import windows

FINGERPRINT_FILE = "inputs.sha256"
SETTINGS_FILE = "settings.yaml"
LOCK_FILE = ".lock"
_FORMAT = 2
_NOT_OF_THE_DATA = ("output", "workers", "strict")
"""Settings that no byte of the data folder depends on."""
_FILES = (
    MANIFEST_FILE,
    FINGERPRINT_FILE,
    LEFT_OUT_FILE,
    SETTINGS_FILE,
    REJECTED_FILE,
    LOCK_FILE,
    *REPORTS,
)
_OURS = {MANIFEST_FILE, FINGERPRINT_FILE, STAGING}
"""One of these in a folder says that it is a data folder, whole or begun."""


@dataclass(frozen=True)
class Outcome:
    """How a build ended.

    Args:
        rejected: How many things of the source were not used.
        patches: How many patches the manifest lists; None where nothing had to be done.
    """

    rejected: int
    patches: int | None


def build(settings: DataPrepSettings) -> Outcome:
    """Build the data folder, or find that it is built already.

    It grows in a staging folder; what stood in the data folder stays until the new is whole. Killed at any moment
    and run again, it ends with the same bytes: a strip counts as done when its files are there.

    Raises:
        InputError: The source or the output folder cannot be used, or no patch came of the source.
    """
    source = open_source(settings.source)
    _check_output(settings)
    with _only_one(settings.output):
        images, refused = source.list_images()
        content = source.read_annotations()
        fingerprint = _fingerprint(settings, images, content)
        staging = settings.output / STAGING
        delete_leftovers(settings.output)
        if _is_built(settings.output, fingerprint):
            discard(staging)
            return Outcome(count_rejects(settings.output), None)
        check_nothing_else_is_lost(settings.output)
        annotations = _read_annotations(content, images, refused, settings.output)
        with open_journal(staging, fingerprint) as journal:
            if not (staging / MANIFEST_FILE).exists():
                tasks = [
                    StripTask(name, annotations.masks.get(name, {}))
                    for name in images
                    if name not in annotations.doubtful
                ]
                records = _work_on_all(source, tasks, settings, staging, journal)
                rejects = [
                    *refused,
                    *annotations.rejects,
                    *(one for record in records for one in record.rejects),
                ]
                _describe(
                    staging,
                    settings,
                    records,
                    rejects=rejects,
                    annotations=annotations,
                    fingerprint=fingerprint,
                )
        publish(staging, settings.output)
        return Outcome(count_rejects(settings.output), len(read_manifest(settings.output).patches))


def _check_output(settings: DataPrepSettings) -> None:
    """Refuse to fill a folder that holds anything else, or that strips are read from."""
    output = settings.output
    if output.exists() and not output.is_dir():
        raise InputError(f"--output {output}: a file, expected a folder to make")
    if settings.source and output.resolve() == settings.source.resolve():
        raise InputError(f"--output {output}: is the source too, expected another folder")
    if settings.source and output.resolve().is_relative_to((settings.source / image_path("")).resolve()):
        raise InputError(f"--output {output}: lies among the source's strips, expected a folder elsewhere")
    if output.is_dir():
        check_kinds(output, _FILES)
        found = {path.name for path in output.iterdir()} - {LOCK_FILE}
        if holds_rejects(output / REJECTED_FILE):
            found -= {REJECTED_FILE}  # of a build that came to nothing
        if found and not found & _OURS:
            raise InputError(
                f"--output {output}: holds {sorted(found)[0]!r}, expected an empty folder or one of data_prep's"
            )


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Let no second process write the same folder."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / LOCK_FILE, timeout=0):
            yield
    except Timeout as error:
        raise InputError(f"--output {folder}: another process is writing it, expected to be alone") from error


def _fingerprint(settings: DataPrepSettings, images: Mapping[str, int], annotations: bytes) -> str:
    """Name all that the output depends on: settings, source, and the programs whose bytes it holds."""
    rules = dataclasses.asdict(settings)
    for name in {"source", *_NOT_OF_THE_DATA}:
        del rules[name]
    versions = [
        importlib.metadata.version(name) for name in ("severstal-xai", "opencv-python-headless", "pillow")
    ]
    inputs = [_FORMAT, versions, rules, sorted(images.items()), sha256(annotations)]
    return sha256(json.dumps(inputs, sort_keys=True).encode())


def _is_built(folder: Path, fingerprint: str) -> bool:
    """Tell whether the folder holds the output of these inputs, by name complete."""
    noted = folder / FINGERPRINT_FILE
    if not noted.is_file() or noted.read_text(encoding="utf-8").strip() != fingerprint:
        return False
    try:
        patches = read_manifest(folder).patches
    except InputError:
        return False
    named = [name for patch in patches for name in (patch.image, patch.mask) if name]
    beside = (REJECTED_FILE, LEFT_OUT_FILE, SETTINGS_FILE, *REPORTS)
    return all((folder / name).is_file() for name in [*named, *beside])


def _read_annotations(
    content: bytes, images: Mapping[str, int], refused: list[Reject], output: Path
) -> Annotations:
    """Read `train.csv`; where nothing of it can be used, that too goes on the list."""
    try:
        return read_annotations(content, images)
    except InputError as error:
        unusable = reject(ANNOTATIONS, 1, content[:80].decode(errors="replace"), error)
        _list_rejects_alone(output, [*refused, unusable])
        raise


def _list_rejects_alone(output: Path, rejects: Sequence[Reject]) -> None:
    """Write the list of a build that came to nothing, unless a data folder would lose its own."""
    if not (output / MANIFEST_FILE).exists():
        write_rejects(output, rejects)


def _work_on_all(
    source: Source, tasks: Sequence[StripTask], settings: DataPrepSettings, staging: Path, journal: Journal
) -> list[StripRecord]:
    """Work on the strips that are not done yet, on all cores; return all records in the order of their names."""
    places, rules = windows(settings.offset), settings.label_rules()
    for kind in (IMAGES, MASKS):
        (staging / kind).mkdir(exist_ok=True)
    missing = [task for task in tasks if task.image not in journal.done]
    results = run_bounded(
        lambda task: work_on_strip(source, task, places, rules, staging), missing, settings.workers
    )
    with closing(results):  # its threads end before the lock is given up
        for record in tqdm(
            results, total=len(tasks), initial=len(tasks) - len(missing), desc="strips", unit="strip"
        ):
            journal.add(record)
    return [journal.done[task.image] for task in tasks]


def _describe(
    staging: Path,
    settings: DataPrepSettings,
    records: Sequence[StripRecord],
    *,
    rejects: Sequence[Reject],
    annotations: Annotations,
    fingerprint: str,
) -> None:
    """Write all that describes the patches, the manifest last."""
    write_rejects(staging, rejects)
    patches = assign_splits([patch for record in records for patch in record.patches], settings)
    left_out = [one for record in records for one in record.left_out]
    if not patches:
        _list_rejects_alone(settings.output, rejects)
        raise InputError(_why_no_patch(settings, left_out, rejects))
    write_left_out(staging, left_out)
    write_text(staging / SETTINGS_FILE, _settings_in_words(settings))
    write_report(
        staging,
        settings,
        patches,
        left_out,
        rejects=rejects,
        annotations=annotations,
        strips=len(records),
    )
    write_text(staging / FINGERPRINT_FILE, fingerprint + "\n")
    write_manifest(staging, patches)


def _why_no_patch(
    settings: DataPrepSettings, left_out: Sequence[LeftOutWindow], rejects: Sequence[Reject]
) -> str:
    reasons = Counter(one.reason for one in left_out)
    windows_lost = ", ".join(f"{reason} ({count})" for reason, count in sorted(reasons.items()))
    first = (
        f"; the first of {len(rejects)} rejects: {min(rejects).file}: {min(rejects).reason}"
        if rejects
        else ""
    )
    return f"no patch came of {settings.source}; windows left out: {windows_lost or 'none'}{first}"


def _settings_in_words(settings: DataPrepSettings) -> str:
    """Return the settings that shaped the data, as `--config` reads them; `--output` is then to be given."""
    values = {name: value for name, value in vars(settings).items() if name not in _NOT_OF_THE_DATA}
    return to_yaml(values)


def assign_splits(kept: Sequence[KeptPatch], settings: DataPrepSettings) -> list[Patch]:
    """Give each patch its split, and its place in the evaluation subset."""
    labels = {patch.patch: patch.label for patch in kept}
    strips = {patch.patch: patch.strip for patch in kept}
    if settings.split.unit == "patch":
        splits = split_by_patch(labels, settings.split)
    else:
        splits = split_by_strip(labels, strips, settings.split)
    test_labels = {name: labels[name] for name, split in splits.items() if split == Split.TEST}
    evaluation = choose_evaluation(test_labels, settings.evaluation_limit, settings.split.seed)
    return sorted(
        (
            Patch(**fields_of(patch), split=splits[patch.patch], evaluation=patch.patch in evaluation)
            for patch in kept
        ),
        key=lambda patch: patch.patch,
    )
