"""The command `python -m data_prep.verify`: every file of a data folder, held against its manifest."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from data_prep.build import FINGERPRINT_FILE, LOCK_FILE, SETTINGS_FILE
from data_prep.rejects import REJECTED_FILE
from data_prep.report import REPORTS
from data_prep.staging import STAGING
from data_prep.strip_work import IMAGES, MASKS
from data_prep.threads import run_bounded
from severstal_xai.command import DONE, WRONG_INPUT, parse_settings, run
from severstal_xai.errors import InputError
from severstal_xai.files import inside, sha256_of
from severstal_xai.left_out import LEFT_OUT_FILE
from severstal_xai.manifest import MANIFEST_FILE, Manifest, read_manifest

_BESIDE = {MANIFEST_FILE, FINGERPRINT_FILE, LEFT_OUT_FILE, SETTINGS_FILE, REJECTED_FILE, *REPORTS}


@dataclass(frozen=True)
class VerifySettings:
    """What to verify.

    Args:
        data: The data folder.
    """

    data: Path


@dataclass(frozen=True, order=True)
class Problem:
    """A file that is not as the manifest says: `missing`, `changed` or `extra`."""

    kind: str
    path: str


def find_problems(manifest: Manifest, workers: int = 0) -> Iterator[Problem]:
    """Yield what is missing, changed or extra in a data folder.

    Args:
        manifest: The folder's manifest.
        workers: Threads; 0 is one for each core.
    """
    expected = {
        name: checksum
        for patch in manifest.patches
        for name, checksum in ((patch.image, patch.image_sha256), (patch.mask, patch.mask_sha256))
        if name
    }
    checks = run_bounded(lambda item: _check(manifest.root, *item), expected.items(), workers)
    for problem in tqdm(checks, total=len(expected), desc="files", unit="file"):
        if problem:
            yield problem
    for name in sorted(_BESIDE):
        if not (manifest.root / name).is_file():
            yield Problem("missing", name)
    yield from _extras(manifest.root, {*expected, *_BESIDE, LOCK_FILE})


def _check(root: Path, name: str, checksum: str) -> Problem | None:
    try:
        path = inside(root, name)
        found = sha256_of(path)
    except (InputError, OSError):
        return Problem("missing", name)
    return None if found == checksum else Problem("changed", name)


def _extras(root: Path, known: set[str]) -> Iterator[Problem]:
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if name.startswith(f"{STAGING}/"):
            continue  # a build that was begun; named once
        if name not in known and not (path.is_dir() and name in {IMAGES, MASKS, "report"}):
            yield Problem("extra", name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify a data folder; exit status 1 where anything is not as the manifest says."""
    settings = parse_settings(
        VerifySettings,
        command="python -m data_prep.verify",
        description="Hold every file of a data folder against its manifest.",
        arguments=arguments,
    )
    manifest = read_manifest(settings.data)
    problems = sorted(find_problems(manifest))
    for problem in problems:
        print(f"{problem.kind}: {settings.data / problem.path}")
    print(f"{settings.data}: {len(manifest.patches)} patches, {len(problems)} problems")
    return WRONG_INPUT if problems else DONE


if __name__ == "__main__":
    run(main)
