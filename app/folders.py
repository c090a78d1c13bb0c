"""Which data and which trained model the inspector shows."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from severstal_xai.checkpoint import MODEL_FILE
from severstal_xai.errors import InputError
from severstal_xai.manifest import MANIFEST_FILE

_USAGE = "expected `streamlit run app/main.py -- --data DIR --run DIR [--strips DIR] [--watch DIR]`"


@dataclass(frozen=True)
class Folders:
    """The folders that the inspector reads; it reads nothing outside them.

    Args:
        data: A data folder, as `python -m data_prep` makes it.
        run: A run folder, as `python -m training` makes it.
        strips: The images that the data was made from, `train_images`; None to show of a strip what became patches.
        watch: Where new strips arrive, which are not part of the data; None where nothing is watched.
    """

    data: Path
    run: Path
    strips: Path | None = None
    watch: Path | None = None


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
    return Folders(named.data or _usual_data(home), named.run or _usual_run(home), named.strips, named.watch)


def _usual_data(home: Path) -> Path:
    """Return the demo's data folder, also where there is none: `make demo` is the way to begin."""
    places = (home / "demo/patches", home / "data/patches")
    return next((place for place in places if (place / MANIFEST_FILE).is_file()), places[0])


def _usual_run(home: Path) -> Path:
    demo = home / "demo/run"
    if (demo / MODEL_FILE).is_file():
        return demo
    trained = sorted((home / "runs").glob(f"*/{MODEL_FILE}"), key=lambda file: file.stat().st_mtime)
    return trained[-1].parent if trained else demo
