"""`python -m data_prep.compare`: hold synthetic strips against real ones, in numbers and a picture.

Only derived figures of the real strips are written, and none of their pixels, so the result may be published.
"""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from data_prep.annotations import read_annotations
from data_prep.comparison_figure import draw_comparison
from data_prep.source import Source, open_source
from data_prep.synthetic.measures import (
    DefectMeasures,
    Measures,
    measure_defect,
    measure_strip,
    quantiles,
)
from severstal_xai.classes import DEFECTS
from severstal_xai.command import DONE, parse_settings, run
from severstal_xai.errors import InputError, about
from severstal_xai.files import write_bytes, write_text
from severstal_xai.imaging import STRIP_SHAPE, read_grey
from severstal_xai.markdown import table
from severstal_xai.rle import decode_rle

FIGURE, TABLE = "comparison.png", "comparison.md"
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""The levels of the quantiles in the table."""
_BANDS = ((1, 4), (5, 16), (17, 64), (65, 128))
_BOX_COLUMNS = {"ClassId", "Pixels", "Boxes"}


@dataclass(frozen=True)
class Settings:
    """What to compare.

    Args:
        real: Kaggle's folder or zip of real strips.
        synthetic: The folder that `python -m data_prep.synthesize` made.
        output: The folder for `comparison.png` and `comparison.md`; made anew each time.
        real_boxes: A CSV with the columns ClassId, Pixels and Boxes ([[y1, x1, y2, x2], ...], inclusive), a row
            an annotation, to take the real defects' sizes from, where `real` is only a sample.
    """

    real: Path
    synthetic: Path
    output: Path
    real_boxes: Path | None = None


def main(arguments: list[str] | None = None) -> int:
    """Measure both sets of strips and write the figure and the table."""
    settings = parse_settings(
        Settings,
        command="python -m data_prep.compare",
        description="Hold synthetic strips against real ones, in numbers and a picture.",
        arguments=arguments,
    )
    with about("real"):
        real = measure(open_source(settings.real), "real strips")
    if settings.real_boxes is not None:
        real = Measures(real.strips, read_boxes(settings.real_boxes))
    with about("synthetic"):
        source = open_source(settings.synthetic)
        synthetic = measure(source, "synthetic strips")
    write_bytes(settings.output / FIGURE, draw_comparison(real, synthetic, source))
    write_text(settings.output / TABLE, tabulate(real, synthetic) + "\n")
    print(f"{settings.output}: {FIGURE} and {TABLE}")
    return DONE


def measure(source: Source, what: str) -> Measures:
    """Measure all strips of a source and all their annotations.

    Raises:
        InputError: There is no strip, or one cannot be read.
    """
    names = sorted(source.list_images()[0])
    if not names:
        raise InputError("no strip, expected at least one")
    strips = []
    for name in tqdm(names, desc=what, unit="strip"):
        with about(name):
            strips.append(measure_strip(read_grey(source.read_image(name), STRIP_SHAPE)))
    masks = read_annotations(source.read_annotations(), names).masks
    defects = [
        measure_defect(label, decode_rle(runs, *STRIP_SHAPE))
        for by_class in masks.values()
        for label, runs in by_class.items()
    ]
    return Measures([strip for strip in strips if strip is not None], defects)


def read_boxes(path: Path) -> list[DefectMeasures]:
    """Read the sizes of annotations from a CSV of boxes.

    Raises:
        InputError: There is no such file, or it is not such a table.
    """
    if not path.is_file():
        raise InputError(f"real_boxes: {path} is no file, expected a CSV file")
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.DictReader(stream)
        if not set(rows.fieldnames or ()) >= _BOX_COLUMNS:
            raise InputError(f"{path}: columns {rows.fieldnames}, expected {sorted(_BOX_COLUMNS)} among them")
        return [_box_row(path, rows.line_num, row) for row in rows]


def _box_row(path: Path, line: int, row: dict[str, str]) -> DefectMeasures:
    try:
        boxes = tuple((right - left + 1, low - top + 1) for top, left, low, right in json.loads(row["Boxes"]))
        return DefectMeasures(int(row["ClassId"]), int(row["Pixels"]), boxes)
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}, line {line}: {error}, expected class, pixels and boxes") from error


def tabulate(real: Measures, synthetic: Measures) -> str:
    """Return the table, in Markdown: quantiles, a row a quantity and set."""
    head = ["quantity", "strips", "n", *(f"{level:.0%}" for level in LEVELS)]
    rows = []
    quantities = zip(quantities_of(real), quantities_of(synthetic), strict=True)
    for (name, real_values), (_, made_values) in quantities:
        for kind, values in (("real", real_values), ("synthetic", made_values)):
            numbers = [
                f"{value:.3g}" if value < 1000 else f"{value:.0f}" for value in quantiles(values, LEVELS)
            ]
            rows.append([name, kind, len(values), *numbers])
    return table(head, rows)


def quantities_of(measures: Measures) -> list[tuple[str, list[float]]]:
    """Return what the table compares: a name, and the values of all strips or defects."""
    strips = measures.strips
    named = [
        ("mean grey value", [strip.mean for strip in strips]),
        ("spread of grey values", [strip.spread for strip in strips]),
        ("share of columns with steel", [strip.steel for strip in strips]),
    ]
    for low, high in _BANDS:
        band = slice(low - 1, high)
        named += [
            (
                f"relative contrast across, {low} to {high} waves",
                [float(strip.across[band].sum() ** 0.5) for strip in strips],
            ),
            (
                f"relative contrast along, {low} to {high} waves",
                [float(strip.along[band].sum() ** 0.5) for strip in strips],
            ),
        ]
    for defect in DEFECTS:
        named += _sizes_of(defect.id, [found for found in measures.defects if found.label == defect.id])
    return named


def _sizes_of(label: int, found: Sequence[DefectMeasures]) -> list[tuple[str, list[float]]]:
    boxes = [box for annotation in found for box in annotation.boxes]
    return [
        (f"class {label}: pixels of an annotation", [float(annotation.pixels) for annotation in found]),
        (
            f"class {label}: components of an annotation",
            [float(len(annotation.boxes)) for annotation in found],
        ),
        (f"class {label}: width of a component", [float(width) for width, _ in boxes]),
        (f"class {label}: height of a component", [float(height) for _, height in boxes]),
    ]


if __name__ == "__main__":
    run(main)
