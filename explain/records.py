"""What stands in a folder of maps, and so what is still to do.

```
settings.yaml          the last run's
explained.csv          a line for each map in the folder
rejected.csv           what the last run could not use
METHOD/settings.yaml   what made this method's maps: the weights, the choice of target, the method's settings
METHOD/NAME.npy .png   a map and its picture
METHOD/NAME.json       their record, written last: without it they are not there yet
```

A folder of one method holds maps that were made alike, or none.
"""

import csv
import dataclasses
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter

from explain.explainer import Explainer
from explain.subjects import Subject
from severstal_xai.command import to_plain, to_yaml
from severstal_xai.errors import InputError
from severstal_xai.files import whole_file, write_bytes, write_new, write_text

Record = TypeVar("Record")
_SETTINGS = "settings.yaml"
_ENDINGS = (".npy", ".png", ".json")


@dataclass(frozen=True)
class Row:
    """One map: a line of `explained.csv`.

    Args:
        name: The patch or the strip.
        window: The window on the strip, 0 to 5; -1 for a patch.
        method: The method's name.
        label: The ground truth's class; empty where nobody knows.
        prediction: The class of the highest probability.
        target: The class that was explained.
        probability: Its softmax probability.
        highest: The map's largest value; 0 where the method found nothing.
        seconds: What it took, its share of the time of those that were explained together.
    """

    name: str
    window: int
    method: str
    label: int | None
    prediction: int
    target: int
    probability: float
    highest: float
    seconds: float


@dataclass(frozen=True)
class Maker:
    """What makes a method's maps what they are: two maps of one image by equal makers are equal.

    Args:
        weights: SHA-256 of the model's weights.
        target: How the class to explain is chosen.
        settings: The method's settings, as plain values.
    """

    weights: str
    target: str
    settings: dict[str, Any]


def maker_of(explainer: Explainer, weights: str, target: str) -> Maker:
    """Return what makes the maps of a method."""
    return Maker(weights, target, to_plain(explainer))


def check_maker(folder: Path, maker: Maker, what: str = "maps") -> None:
    """Refuse to add to a folder what was made in another way than what it holds, or is to hold: another process may be at it.

    Args:
        folder: A method's, or another of one maker.
        maker: What makes what is to be added.
        what: How to call what it holds.

    Raises:
        InputError: The folder is another maker's; the message names what differs first.
    """
    path = folder / _SETTINGS
    if not path.is_file():
        if not any(path.suffix in _ENDINGS for path in folder.glob("*")):
            return
        raise InputError(f"{folder}: holds {what} without {_SETTINGS}, expected {_WAYS_OUT}")
    try:
        before = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (ValueError, yaml.YAMLError) as error:
        raise InputError(
            f"{path}: not readable as YAML, expected what an earlier run wrote, or {_WAYS_OUT}"
        ) from error
    now = _flat(to_plain(maker))
    then = _flat(before) if isinstance(before, dict) else {}
    for name in dict.fromkeys([*now, *then]):
        if now.get(name) != then.get(name):
            raise InputError(
                f"{folder}: holds {what} with {name} {then.get(name)}, now {now.get(name)}, expected {_WAYS_OUT}"
            )


_WAYS_OUT = "another --output, or --overwrite true to delete them"


def settings_of(folder: Path) -> dict[str, Any] | None:
    """Return what made a folder's maps besides the weights, by flat names; None where nothing there says it."""
    try:
        found = yaml.safe_load((folder / _SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None
    return (
        {name: value for name, value in _flat(found).items() if name != "weights"}
        if isinstance(found, dict)
        else None
    )


def claim(folder: Path, maker: Maker, *, overwrite: bool) -> None:
    """Make a method's folder this maker's own; maps of another are deleted where that was asked for.

    Raises:
        InputError: Another process, of other settings, made it its own meanwhile.
    """
    path = folder / _SETTINGS
    content = to_yaml(maker).encode()
    if path.is_file() and path.read_bytes() == content:
        return
    if overwrite:
        for map_file in [path for path in folder.glob("*") if path.suffix in _ENDINGS]:
            map_file.unlink()
        write_bytes(path, content)
    elif not write_new(path, content):
        check_maker(folder, maker)


_adapter = cache(TypeAdapter)


def parse_record(kind: type[Record], content: Any) -> Record:
    """Make a record of what a file holds of it.

    Args:
        kind: A dataclass of plain values.
        content: The values by the names of its fields.

    Raises:
        ValueError: A field is missing, unknown or not of its type, or lists that go side by side differ in length.

    Example:
        >>> parse_record(Maker, {"weights": "a", "target": "label", "settings": {}})
        Maker(weights='a', target='label', settings={})
    """
    adapter = _adapter(kind)  # type: ignore[arg-type]  # a class is hashable
    record: Record = adapter.validate_json(json.dumps(content), strict=True)
    if set(content) - {field.name for field in dataclasses.fields(kind)}:  # type: ignore[arg-type]
        raise ValueError(f"unknown fields, expected those of a {kind.__name__}")
    if len({len(value) for value in content.values() if isinstance(value, list)}) > 1:
        raise ValueError(f"lists of several lengths, expected one in a {kind.__name__}")
    return record


def write_record(folder: Path, subject: Subject, rows: Sequence[Row]) -> None:
    """Note that a subject's map and picture are there."""
    record = {"image_sha256": _image_sha256(subject), "rows": [dataclasses.asdict(row) for row in rows]}
    write_text(folder / f"{subject.name}.json", json.dumps(record, indent=1) + "\n")


def is_done(folder: Path, subject: Subject) -> bool:
    """Whether the folder has this subject's map: of the same image with the same label."""
    if not all((folder / f"{subject.name}{ending}").is_file() for ending in _ENDINGS):
        return False
    record = _read_record(folder / f"{subject.name}.json")
    return (
        record is not None
        and record[0] == _image_sha256(subject)
        and all(row.label == subject.label for row in record[1])
    )


def write_tables(folder: Path, methods: Iterable[str], rejects: Sequence[str]) -> None:
    """Write `explained.csv` from the records of all methods, by name, and `rejected.csv`."""
    order = {method: place for place, method in enumerate(methods)}
    records = [_read_record(path) for method in order for path in (folder / method).glob("*.json")]
    rows = [row for record in records if record for row in record[1]]
    rows.sort(key=lambda row: (row.name, order[row.method], row.window))
    _write_table(
        folder / "explained.csv", [field.name for field in dataclasses.fields(Row)], map(_cells, rows)
    )
    _write_table(folder / "rejected.csv", ["reason"], ([reason] for reason in rejects))


def _read_record(path: Path) -> tuple[str, list[Row]] | None:
    """Return a record's image and rows; None where it is none of ours, which is then made anew."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        image, rows = str(content["image_sha256"]), [parse_record(Row, row) for row in content["rows"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    own = all((row.name, row.method) == (path.stem, path.parent.name) for row in rows)
    return (image, rows) if own else None


def _image_sha256(subject: Subject) -> str:
    return hashlib.sha256(f"{subject.grey.shape}".encode() + subject.grey.tobytes()).hexdigest()


def _flat(tree: dict[str, Any]) -> dict[str, Any]:
    """Return a tree's leaves by their dotted names.

    Example:
        >>> _flat({"target": "auto", "settings": {"mu": 0.3}})
        {'target': 'auto', 'settings.mu': 0.3}
    """
    leaves: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            leaves |= {f"{name}.{inner}": leaf for inner, leaf in _flat(value).items()}
        else:
            leaves[name] = value
    return leaves


def _cells(row: Row) -> list[str]:
    cells = dataclasses.astuple(row)
    return ["" if cell is None else f"{cell:.6g}" if isinstance(cell, float) else str(cell) for cell in cells]


def _write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
