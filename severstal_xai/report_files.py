"""The three files in which a measurement is told: figures for programs, a table and a picture for people."""

import io
import json
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from severstal_xai.files import write_bytes, write_text

_DPI = 120


def write_report(stem: Path, values: Any, table: str, figure: Figure) -> None:
    """Write `STEM.json`, `STEM.md` and `STEM.png`.

    Args:
        stem: Folder and name of the files.
        values: What was measured, as plain values; what JSON does not know is written as text.
        table: The Markdown text.
        figure: The picture.
    """
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=_DPI)
    write_text(stem.with_suffix(".json"), json.dumps(values, indent=2, default=str) + "\n")
    write_text(stem.with_suffix(".md"), table)
    write_bytes(stem.with_suffix(".png"), picture.getvalue())
