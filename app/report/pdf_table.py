"""A table in a PDF: laid out once, cut between rows wherever a page ends, its head repeated.

reportlab's own tables lay out and copy all rows that are left at each page: a queue of ten thousand patches takes minutes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from reportlab.lib.colors import Color, HexColor
from reportlab.platypus import Flowable

from app.report.pdf_fonts import BOLD, PLAIN, width_of, wrapped
from app.report.record import Column, Table

_SIZE, _LEADING = 6.6, 8.4
_SIDE, _ABOVE = 2.4, 2.0
_MOST_LINES = 60
"""Of a row on one page; a longer one goes on in another row."""
_INK, _LINE, _RULE = HexColor("#22272b"), HexColor("#dfe3e6"), HexColor("#5a636b")

_Lines = tuple[tuple[str, ...], ...]
"""The lines of each cell of a row."""


@dataclass(frozen=True)
class _Laid:
    """A table whose cells are broken into lines.

    Args:
        columns: The table's.
        edges: The columns' left edges and the right one of the last, in points.
        head: The head's lines.
        rows: The rows' lines.
        tops: How much of the table lies above each row and above its end, without the head, in points.
    """

    columns: tuple[Column, ...]
    edges: tuple[float, ...]
    head: _Lines
    rows: tuple[_Lines, ...]
    tops: tuple[float, ...]


class Rows(Flowable):
    """Some rows of a table, below its head."""

    def __init__(self, laid: _Laid, begin: int, end: int) -> None:
        super().__init__()
        self._laid, self._begin, self._end = laid, begin, end

    def wrap(self, aW: float, aH: float) -> tuple[float, float]:  # noqa: ARG002, N803 (reportlab's names)
        """Return the width and the height, in points."""
        laid = self._laid
        self.width = laid.edges[-1]
        self.height = _height(laid.head) + laid.tops[self._end] - laid.tops[self._begin]
        return self.width, self.height

    def split(self, aW: float, aH: float) -> list[Flowable]:  # noqa: ARG002, N803 (as above)
        """Return the rows that fit and the rest; nothing where none fits."""
        laid, fits = self._laid, self._begin
        room = aH - _height(laid.head) + laid.tops[self._begin]
        while fits < self._end and laid.tops[fits + 1] <= room:
            fits += 1
        if fits == self._begin:
            return []
        if fits == self._end:
            return [self]
        return [Rows(laid, self._begin, fits), Rows(laid, fits, self._end)]

    def draw(self) -> None:
        """Draw them."""
        y = self._row(self._laid.head, self.height, BOLD, _RULE)
        for row in self._laid.rows[self._begin : self._end]:
            y = self._row(row, y, PLAIN, _LINE)

    def _row(self, row: _Lines, top: float, name: str, colour: Color) -> float:
        """Draw a row below `top`, and the line below it; return where that lies."""
        canvas, edges = self.canv, self._laid.edges
        canvas.setFont(name, _SIZE)
        canvas.setFillColor(_INK)
        for column, left, right, lines in zip(self._laid.columns, edges, edges[1:], row, strict=False):
            for number, line in enumerate(lines):
                y = top - _ABOVE - _SIZE - number * _LEADING
                x = right - _SIDE - width_of(line, name, _SIZE) if column.number else left + _SIDE
                canvas.drawString(x, y, line)
        bottom = top - _height(row)
        canvas.setStrokeColor(colour)
        canvas.setLineWidth(0.4)
        canvas.line(0, bottom, edges[-1], bottom)
        return bottom


def rows_of(table: Table, width: float) -> Rows:
    """Return a table, laid out.

    Args:
        table: The table.
        width: Of the page's text, in points.
    """
    whole = sum(column.width for column in table.columns)
    widths = [width * column.width / whole for column in table.columns]
    known: dict[tuple[str, float], tuple[str, ...]] = {}

    def broken(cell: str, room: float) -> tuple[str, ...]:
        if (cell, room) not in known:
            known[cell, room] = wrapped(cell, room - 2 * _SIDE, PLAIN, _SIZE)
        return known[cell, room]

    rows = tuple(
        piece
        for row in table.rows
        for piece in _pieces([broken(cell, room) for cell, room in zip(row, widths, strict=True)])
    )
    head = tuple(
        wrapped(column.title, room - 2 * _SIDE, BOLD, _SIZE)
        for column, room in zip(table.columns, widths, strict=True)
    )
    tops = tuple(accumulate(map(_height, rows), initial=0.0))
    return Rows(_Laid(table.columns, tuple(accumulate(widths, initial=0.0)), head, rows, tops), 0, len(rows))


def _pieces(cells: Sequence[tuple[str, ...]]) -> list[_Lines]:
    """Cut a row that no page could hold into several."""
    longest = max(map(len, cells), default=1)
    return [
        tuple(lines[begin : begin + _MOST_LINES] for lines in cells)
        for begin in range(0, longest, _MOST_LINES)
    ]


def _height(row: _Lines) -> float:
    return max(map(len, row), default=1) * _LEADING + 2 * _ABOVE
