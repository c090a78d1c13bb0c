"""What a report holds, before anybody knows whether it becomes HTML or PDF: plain text, pictures as PNG, tables.

No text here is Markdown or HTML: `app.report.as_html` and `app.report.as_pdf` show it letter by letter.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from severstal_xai.errors import InputError
from severstal_xai.overlay import Colour

PNG = b"\x89PNG\r\n\x1a\n"
"""What a picture's file begins with."""


@dataclass(frozen=True)
class Key:
    """What a colour in the pictures means.

    Args:
        colour: RGB, 0 to 255.
        words: Its meaning.
    """

    colour: Colour
    words: str


@dataclass(frozen=True)
class Scale:
    """What a range of colours in the pictures means.

    Args:
        png: The colours from left to right.
        low: What its left end is.
        high: What its right end is.
        words: Its meaning.
    """

    png: bytes
    low: str
    high: str
    words: str


@dataclass(frozen=True)
class Picture:
    """A picture.

    Args:
        png: The file.
        alt: What it shows, for who cannot see it.
        lines: What stands below it; the first line is its title.
        share: The part of the page's width that it may take, 0 to 1; pictures that fit stand side by side.
    """

    png: bytes
    alt: str
    lines: tuple[str, ...] = ()
    share: float = 1.0

    def __post_init__(self) -> None:
        if not self.png.startswith(PNG):
            raise ValueError(f"picture {self.alt!r} is no PNG file")
        if not 0 < self.share <= 1:
            raise ValueError(f"picture {self.alt!r} of share {self.share}, expected above 0, at most 1")


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Args:
        title: Its head, repeated on each page.
        width: How wide it is beside the others.
        number: Whether its cells are numbers, which stand to the right.
    """

    title: str
    width: float = 1.0
    number: bool = False


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        columns: From the left.
        rows: A text for each column; a line feed in it begins a new line.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ValueError(
                    f"row {number} of a table has {len(row)} cells, expected {len(self.columns)}"
                )


@dataclass(frozen=True)
class Section:
    """A part of a report; what it holds stands in this order.

    Args:
        heading: Its heading.
        sentences: A paragraph each.
        keys: What colours in the pictures mean.
        scale: What the colours of the heat mean; None where there is none.
        pictures: Its pictures.
        tables: Its tables.
    """

    heading: str
    sentences: tuple[str, ...] = ()
    keys: tuple[Key, ...] = ()
    scale: Scale | None = None
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True)
class Report:
    """A report.

    Args:
        title: What it is about.
        made_at: When it was made, in any time zone; UTC is written.
        made_by: Who made it; empty where nobody gave a name.
        provenance: What it was made from, as pairs of a name and a text.
        sections: Its parts.
    """

    title: str
    made_at: datetime
    made_by: str
    provenance: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]

    def __post_init__(self) -> None:
        if self.made_at.tzinfo is None:
            raise InputError(f"made_at {self.made_at.isoformat()}, expected a time with its zone")

    @property
    def lines(self) -> tuple[tuple[str, str], ...]:
        """When and by whom it was made, and its provenance: what stands below the title."""
        made = self.made_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return (("Made", made), ("By", self.made_by or "nobody gave a name"), *self.provenance)
