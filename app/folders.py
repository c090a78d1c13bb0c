"""Which data and which trained model the inspector shows."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.demo.steps import DEMO, PATCHES, STRIPS, is_whole
from severstal_xai.checkpoint import MODEL_FILE, WEIGHTS_FILE
from severstal_xai.errors import InputError
from severstal_xai.files import check_name, inside
from severstal_xai.manifest import MANIFEST_FILE

_OWN_DATA = Path("data/patches")
_USAGE = "expected `streamlit run app/main.py -- --data DIR --run DIR [--strips DIR] [--watch DIR]`"


@dataclass(frozen=True)
class Folders:
    """The folders that the inspector reads; it reads nothing outside them.

    Args:
        data: A data folder, as `python -m data_prep` makes it.
        run: A run folder, as `python -m training` makes it.
        strips: The images that the data was made from, `train_images`, where they were named or the data is the demo's, which has its own;
            None to show of a strip what became patches.
        watch: Where new strips arrive, which are not part of the data; None where nothing is watched.
        wait_for_demo: Whether nothing lies there yet, nobody named a folder, and so the demo may be made.
    """

    data: Path
    run: Path
    strips: Path | None = None
    watch: Path | None = None
    wait_for_demo: bool = False


def folders_from(arguments: Sequence[str], home: Path) -> Folders:
    """Return the folders that the command line names, else those that lie where the commands put them.

    Args:
        arguments: What follows `--` on the command line.
        home: The project's folder, where `demo/`, `data/` and `runs/` lie.

    Raises:
        InputError: An argument that is none of `--data DIR`, `--run DIR`, `--strips DIR` and `--watch DIR`; strips that are no folder.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--strips", type=Path)
    parser.add_argument("--watch", type=Path)  # it may be away for a while: its page says so
    try:
        named, unknown = parser.parse_known_args(arguments)
    except argparse.ArgumentError as error:
        raise InputError(f"{error}; {_USAGE}") from error
    if unknown:
        raise InputError(f"argument {unknown[0]}: not known; {_USAGE}")
    if named.strips is not None and not named.strips.is_dir():
        raise InputError(f"--strips {named.strips}: no such folder, expected that of the strips' images")
    data, run = named.data or _usual_data(home), named.run or _usual_run(home)
    wait = not (named.data or named.run or is_whole(home) or _has_own(home))
    return Folders(data, run, named.strips or _strips_of_the_demo(data, home), named.watch, wait)


def _strips_of_the_demo(data: Path, home: Path) -> Path | None:
    """Return the images that the demo was made from, where its data is shown and they lie beside it."""
    strips = home / STRIPS
    return strips if data.resolve() == (home / PATCHES).resolve() and strips.is_dir() else None


def _has_own(home: Path) -> bool:
    """Tell whether anything lies there that is not the demo's."""
    return (home / _OWN_DATA / MANIFEST_FILE).is_file() or bool(_own_runs(home))


def _own_runs(home: Path) -> list[Path]:
    """Return the models that were trained, the oldest first."""
    return sorted((home / "runs").glob(f"*/{MODEL_FILE}"), key=lambda file: file.stat().st_mtime)


def runs_beside(run: Path) -> dict[str, Path]:
    """Return the runs that may be shown, by their names: the one that the inspector was started with, then those beside it.

    Beside it lie the folders of the same folder that hold a model; a link that leads elsewhere is none of them.
    """
    own = run.resolve()
    try:
        names = sorted(path.name for path in own.parent.iterdir())
    except OSError:  # it is not there, or not to be listed
        names = []
    beside = {
        name: own.parent / name for name in names if name != own.name and _holds_a_model(own.parent, name)
    }
    return {own.name: run, **beside}


def _holds_a_model(folder: Path, name: str) -> bool:
    try:
        check_name(name)
        return all((inside(folder, name) / file).is_file() for file in (MODEL_FILE, WEIGHTS_FILE))
    except (InputError, OSError):
        return False


def _usual_data(home: Path) -> Path:
    """Return the demo's data folder, also where there is none: the demo is the way to begin."""
    demo, own = home / PATCHES, home / _OWN_DATA
    if is_whole(home) or not (own / MANIFEST_FILE).is_file():
        return demo
    return own


def _usual_run(home: Path) -> Path:
    """Return the demo's run, if it is whole: one that is still trained has a model, too."""
    demo, trained = home / DEMO / "run", _own_runs(home)
    return demo if is_whole(home) or not trained else trained[-1].parent
