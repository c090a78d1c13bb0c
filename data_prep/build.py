"""The build: all strips through the recast, resumable, into a data folder whose manifest comes last."""

import dataclasses
import importlib.metadata
import json
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout
from tqdm import tqdm

from data_prep.annotations import Annotations, read_annotations
from data_prep.journal import JOURNAL_FILE, open_journal
from data_prep.rejects import REJECTED_FILE, Reject, count_rejects, reject, to_csv, write_rejects
from data_prep.report import REPORTS, write_report
from data_prep.settings import DataPrepSettings
from data_prep.source import ANNOTATIONS, Source, open_source
from data_prep.split import choose_evaluation, split_by_patch, split_by_strip
from data_prep.strip_work import IMAGES, MASKS, KeptPatch, LeftOutPatch, StripRecord, StripTask, work_on_strip
from severstal_xai.command import to_yaml
from severstal_xai.errors import InputError
from severstal_xai.files import delete_leftovers, sha256, write_text
from severstal_xai.manifest import MANIFEST_FILE, Manifest, Patch, Split, read_manifest, write_manifest
from severstal_xai.strips import windows

FINGERPRINT_FILE = "inputs.sha256"
LEFT_OUT_FILE = "left_out.csv"
SETTINGS_FILE = "settings.yaml"
LOCK_FILE = ".lock"
_FORMAT = 1
_NOT_OF_THE_DATA = ("output", "workers", "strict")
"""Settings that no byte of the data folder depends on."""
_OURS = {MANIFEST_FILE, FINGERPRINT_FILE, JOURNAL_FILE}
"""One of these in a folder says that it is a data folder, whole or begun."""


Task = TypeVar("Task")
Result = TypeVar("Result")


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

    Killed at any moment and run again, it ends with the same bytes: each file is whole or not there, a strip
    counts as done when its files are, and the manifest is written last.

    Raises:
        InputError: The source or the output folder cannot be used, or no patch came of the source.
    """
    source = open_source(settings.source)
    _check_output(settings)
    with _only_one(settings.output):
        images, refused = source.list_images()
        content = source.read_annotations()
        fingerprint = _fingerprint(settings, images, content)
        delete_leftovers(settings.output)
        if _is_built(settings.output, fingerprint):
            (settings.output / JOURNAL_FILE).unlink(missing_ok=True)
            return Outcome(count_rejects(settings.output), None)
        annotations = _read_annotations(content, images, refused, settings.output)
        (settings.output / MANIFEST_FILE).unlink(missing_ok=True)
        tasks = [
            StripTask(name, annotations.masks.get(name, {}))
            for name in images
            if name not in annotations.doubtful
        ]
        records = _work_on_all(source, tasks, settings, fingerprint)
        rejects = [*refused, *annotations.rejects, *(one for record in records for one in record.rejects)]
        manifest = _finish(settings, fingerprint, records, rejects, annotations)
        return Outcome(len(rejects), len(manifest.patches))


def _check_output(settings: DataPrepSettings) -> None:
    """Refuse to fill a folder that holds anything else, or that strips are read from."""
    output = settings.output
    if output.exists() and not output.is_dir():
        raise InputError(f"--output {output}: a file, expected a folder to make")
    if settings.source and output.resolve() == settings.source.resolve():
        raise InputError(f"--output {output}: is the source too, expected another folder")
    if output.is_dir():
        found = {path.name for path in output.iterdir()} - {LOCK_FILE, REJECTED_FILE}
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
    """Read `train.csv`; where nothing of it can be used, that too goes on the list, if no data would lose its own."""
    try:
        return read_annotations(content, images)
    except InputError as error:
        if not (output / MANIFEST_FILE).exists():
            write_rejects(
                output, [*refused, reject(ANNOTATIONS, 1, content[:80].decode(errors="replace"), error)]
            )
        raise


def _work_on_all(
    source: Source, tasks: Sequence[StripTask], settings: DataPrepSettings, fingerprint: str
) -> list[StripRecord]:
    """Work on the strips that are not done yet, on all cores; return all records in the order of their names."""
    places, rules = windows(settings.offset), settings.label_rules()
    with open_journal(settings.output, fingerprint) as journal:
        missing = [task for task in tasks if task.image not in journal.done]
        results = run_bounded(
            lambda task: work_on_strip(source, task, places, rules, settings.output),
            missing,
            settings.workers,
        )
        with closing(results):  # its threads end before the lock is given up
            for record in tqdm(
                results, total=len(tasks), initial=len(tasks) - len(missing), desc="strips", unit="strip"
            ):
                journal.add(record)
        return [journal.done[task.image] for task in tasks]


def run_bounded(
    work: Callable[[Task], Result], tasks: Iterable[Task], workers: int
) -> Generator[Result, None, None]:
    """Yield the results of the tasks, as they come, from threads; only a few tasks are under way at once.

    Threads, since decoding, encoding and hashing release the interpreter; they end with their process.

    Args:
        work: What to do with a task.
        tasks: The tasks.
        workers: How many threads; 0 is one for each core.
    """
    count = workers or os.cpu_count() or 1
    waiting = iter(tasks)
    with ThreadPoolExecutor(count) as pool:
        try:
            running = {pool.submit(work, task) for task in islice(waiting, 4 * count)}
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                running |= {pool.submit(work, task) for task in islice(waiting, len(done))}
                yield from (future.result() for future in done)
        finally:
            pool.shutdown(cancel_futures=True)


def _finish(
    settings: DataPrepSettings,
    fingerprint: str,
    records: Sequence[StripRecord],
    rejects: Sequence[Reject],
    annotations: Annotations,
) -> Manifest:
    """Write all that describes the patches, the manifest last."""
    folder = settings.output
    write_rejects(folder, rejects)
    patches = assign_splits([patch for record in records for patch in record.patches], settings)
    if not patches:
        raise InputError(
            f"no patch came of {settings.source}; {len(rejects)} rejects are listed in {folder / REJECTED_FILE}"
        )
    left_out = [one for record in records for one in record.left_out]
    _delete_others(folder, patches)
    header = [field.name for field in dataclasses.fields(LeftOutPatch)]
    write_text(folder / LEFT_OUT_FILE, to_csv(header, sorted(map(dataclasses.astuple, left_out))))
    write_text(folder / SETTINGS_FILE, _settings_in_words(settings))
    write_report(settings, patches, left_out, rejects, annotations, strips=len(records))
    write_text(folder / FINGERPRINT_FILE, fingerprint + "\n")
    manifest = write_manifest(folder, patches)
    (folder / JOURNAL_FILE).unlink()
    return manifest


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
            Patch(
                **dataclasses.asdict(patch), split=splits[patch.patch], evaluation=patch.patch in evaluation
            )
            for patch in kept
        ),
        key=lambda patch: patch.patch,
    )


def _delete_others(folder: Path, patches: Sequence[Patch]) -> None:
    """Delete the patches of an earlier build with other settings."""
    ours = {name for patch in patches for name in (patch.image, patch.mask)}
    for kind in (IMAGES, MASKS):
        for path in (folder / kind).glob("*"):
            if f"{kind}/{path.name}" not in ours and not path.is_dir():
                path.unlink()
