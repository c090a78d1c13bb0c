"""A report as a PDF: A4, its fonts and pictures within, its pages numbered."""

import io
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC
from xml.sax.saxutils import escape

from reportlab import rl_config
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    CondPageBreak,
    Flowable,
    Frame,
    Image,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)

from app.report.pdf_fonts import BOLD, PLAIN, font, shortened, shown, width_of
from app.report.pdf_table import rows_of
from app.report.record import Picture, Report, Scale, Section
from severstal_xai.overlay import Colour

rl_config.useA85 = 0  # pictures as bytes: as text they would take a quarter more

_SIDE, _TOP, _BOTTOM = 15 * mm, 15 * mm, 18 * mm
_WIDTH, _HEIGHT = A4[0] - 2 * _SIDE, A4[1] - _TOP - _BOTTOM
_GAP = 3 * mm
_TALLEST = 0.8 * _HEIGHT
"""Of a picture."""
_FEW_ROWS = 25 * mm
"""Of a table that must stand below its heading on one page."""
_INK, _PALE, _EDGE = HexColor("#22272b"), HexColor("#5a636b"), HexColor("#c9ced3")
_SCALE = 32 * mm
_FOOT = 7.0
_PAGES = "pages"


def _style(size: float, name: str = PLAIN, before: float = 0, after: float = 0) -> ParagraphStyle:
    return ParagraphStyle(
        f"{name} {size}",
        fontName=name,
        fontSize=size,
        leading=1.35 * size,
        textColor=_INK,
        spaceBefore=before,
        spaceAfter=after,
    )


_TITLE, _HEADING = _style(16, BOLD, after=6), _style(11.5, BOLD, before=12, after=3)
_TEXT, _SMALL = _style(8.8, after=3), _style(7.2)
_CAPTION, _CAPTION_TITLE = _style(6.8), _style(6.8, BOLD)


def to_pdf(report: Report) -> bytes:
    """Return a report as a PDF; the same report, the same bytes."""
    for name in (PLAIN, BOLD):
        font(name)
    content = io.BytesIO()
    document = BaseDocTemplate(
        content,
        pagesize=A4,
        invariant=1,
        title=shown(report.title),
        author=shown(report.made_by),
        creator="Steel inspector",
        lang="en",
    )
    frame = Frame(
        _SIDE, _BOTTOM, _WIDTH, _HEIGHT, leftPadding=0, rightPadding=0, topPadding=0, bottomPadding=0
    )
    page = PageTemplate("page", [frame], onPage=_furniture(report))
    document.addPageTemplates([page])
    document.build(_story(report), canvasmaker=_canvas_of(report))
    return content.getvalue()


def _canvas_of(report: Report) -> Callable[..., Canvas]:
    """Return what makes the PDF's canvas: dated as the report is, and told at its end how many pages it has."""
    date = report.made_at.astimezone(UTC).strftime("D:%Y%m%d%H%M%SZ")

    class Dated(Canvas):
        def save(self) -> None:
            self.setDateFormatter(lambda *_: date)
            self.beginForm(_PAGES)
            self.setFont(PLAIN, _FOOT)
            self.setFillColor(_PALE)
            self.drawString(0, 0, str(self.getPageNumber() - 1))
            self.endForm()
            super().save()

    return Dated


def _furniture(report: Report) -> Callable[[Canvas, BaseDocTemplate], None]:
    """Return what draws a page's foot."""
    foot = shortened(report.title, 0.75 * _WIDTH, PLAIN, _FOOT)
    room = width_of("0000", PLAIN, _FOOT)

    def draw(canvas: Canvas, _: BaseDocTemplate) -> None:
        canvas.setFont(PLAIN, _FOOT)
        canvas.setFillColor(_PALE)
        canvas.drawString(_SIDE, _BOTTOM - 8 * mm, foot)
        right = _SIDE + _WIDTH - room
        canvas.drawRightString(right, _BOTTOM - 8 * mm, f"Page {canvas.getPageNumber()} of ")
        canvas.saveState()
        canvas.translate(right, _BOTTOM - 8 * mm)
        canvas.doForm(_PAGES)
        canvas.restoreState()

    return draw


def _story(report: Report) -> list[Flowable]:
    story: list[Flowable] = [_paragraph(report.title, _TITLE), _lines(report.lines)]
    for number, section in enumerate(report.sections):
        story += _section(section, f"section {number}")
    return story


def _paragraph(text: str, style: ParagraphStyle) -> Paragraph:
    return Paragraph(escape(shown(text)).replace("\n", "<br/>"), style)


class _Heading(Paragraph):
    """A heading that the reader of the PDF lists beside the pages."""

    def __init__(self, text: str, key: str) -> None:
        super().__init__(escape(shown(text)), _HEADING)
        self._title, self._key = shown(text), key

    def draw(self) -> None:
        self.canv.bookmarkPage(self._key)
        self.canv.addOutlineEntry(self._title, self._key)
        super().draw()


def _lines(lines: Iterable[tuple[str, str]]) -> Flowable:
    """Return pairs of a name and a text, a line each."""
    cells = [[_paragraph(name, _SMALL), _paragraph(value, _SMALL)] for name, value in lines]
    return Table(cells, colWidths=[38 * mm, _WIDTH - 38 * mm], style=_tight(1.2))


def _tight(below: float) -> TableStyle:
    """Return a layout without lines and sides."""
    whole = ((0, 0), (-1, -1))
    return TableStyle(
        [
            ("LEFTPADDING", *whole, 0),
            ("RIGHTPADDING", *whole, 0),
            ("TOPPADDING", *whole, 0),
            ("BOTTOMPADDING", *whole, below),
            ("VALIGN", *whole, "TOP"),
        ]
    )


def _section(section: Section, key: str) -> list[Flowable]:
    """Return a section; its heading stays with what follows it."""
    words: list[Flowable] = [_Heading(section.heading, key)]
    words += [_paragraph(sentence, _TEXT) for sentence in section.sentences]
    words += _keys(section)
    pictures = [_picture_row(row) for row in _beside_each_other(section.pictures)]
    tables = [part for table in section.tables for part in (Spacer(0, 4), rows_of(table, _WIDTH))]
    needed = sum(_height(part) for part in (*words, *pictures[:1]))
    if tables and not pictures:
        needed += _FEW_ROWS
    return [CondPageBreak(min(needed, _HEIGHT)), *words, *pictures, *tables]


def _height(part: Flowable) -> float:
    height: float = part.wrap(_WIDTH, _HEIGHT)[1]
    return height + part.getSpaceBefore() + part.getSpaceAfter()


def _keys(section: Section) -> list[Flowable]:
    parts: list[Flowable] = [_Key(key.colour, key.words) for key in section.keys]
    rows = [parts[begin : begin + 3] for begin in range(0, len(parts), 3)]
    drawn: list[Flowable] = (
        [Table([[*row, *[""] * (3 - len(row))] for row in rows], colWidths=[_WIDTH / 3] * 3, style=_tight(1))]
        if rows
        else []
    )
    return [*drawn, *([_scale(section.scale)] if section.scale else [])]


class _Key(Flowable):
    """A colour, and what it means."""

    def __init__(self, colour: Colour, words: str) -> None:
        super().__init__()
        self._colour, self._words = colour, _paragraph(words, _SMALL)

    def wrap(self, aW: float, aH: float) -> tuple[float, float]:  # noqa: N803 (reportlab's names)
        self.width, self.height = aW, self._words.wrap(aW - 18, aH)[1]
        return self.width, self.height

    def draw(self) -> None:
        self.canv.setFillColor(HexColor("#" + bytes(self._colour).hex()))
        self.canv.setStrokeColor(_PALE)
        self.canv.setLineWidth(0.4)
        self.canv.rect(0, self.height - 8.5, 12, 7, fill=1)
        self._words.drawOn(self.canv, 18, 0)


def _scale(scale: Scale) -> Flowable:
    low = width_of(f"{shown(scale.low)} ", PLAIN, _SMALL.fontSize) + 2
    picture = Image(io.BytesIO(scale.png), width=_SCALE, height=7)
    words = _paragraph(f"{scale.high}: {scale.words}", _SMALL)
    widths = [low, _SCALE + 4, _WIDTH - low - _SCALE - 4]
    return Table([[_paragraph(scale.low, _SMALL), picture, words]], colWidths=widths, style=_tight(3))


def _beside_each_other(pictures: Sequence[Picture]) -> list[list[Picture]]:
    """Return the pictures in rows of those that fit on the page side by side."""
    rows: list[list[Picture]] = []
    room = 0.0
    for one in pictures:
        if one.share > room + 1e-6:
            rows.append([])
            room = 1.0
        rows[-1].append(one)
        room -= one.share
    return rows


def _picture_row(row: Sequence[Picture]) -> Flowable:
    widths = [(_WIDTH + _GAP) * one.share for one in row]
    cells = [_picture(one, width - _GAP) for one, width in zip(row, widths, strict=True)]
    return Table([cells], colWidths=widths, style=_tight(8), hAlign="LEFT")


class _Framed(Image):
    """A picture with a thin line around it: a pale one is seen on paper."""

    def draw(self) -> None:
        super().draw()
        self.canv.setStrokeColor(_EDGE)
        self.canv.setLineWidth(0.5)
        self.canv.rect(0, 0, self.drawWidth, self.drawHeight)


def _picture(one: Picture, width: float) -> list[Flowable]:
    """Return a picture with its lines below."""
    image = Image(io.BytesIO(one.png))
    scale = min(width / image.imageWidth, _TALLEST / image.imageHeight)
    image = _Framed(io.BytesIO(one.png), image.imageWidth * scale, image.imageHeight * scale, hAlign="LEFT")
    styles = [_CAPTION_TITLE, *[_CAPTION] * len(one.lines)]
    return [
        image,
        Spacer(0, 2),
        *(_paragraph(line, style) for line, style in zip(one.lines, styles, strict=False)),
    ]
