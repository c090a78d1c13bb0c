"""A report as one HTML file: it holds all its pictures, asks nobody for anything, runs no script, and prints on A4."""

import base64
from collections.abc import Iterable
from html import escape

from app.report.legible import legible
from app.report.record import Picture, Report, Section, Table
from severstal_xai.overlay import Colour

_STYLE = """
@page { size: A4; margin: 16mm 15mm 18mm; @bottom-right { content: "Page " counter(page) " of " counter(pages); font: 8pt sans-serif; color: #5a636b; } }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, "Segoe UI", "Liberation Sans", sans-serif; color: #22272b; background: #fff; max-width: 72rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 0.8rem; }
h2, .together:not(:last-child) { break-after: avoid; }
.together { break-inside: avoid; }
h2 { font-size: 1.15rem; line-height: 1.3; margin: 2rem 0 0.4rem; padding-top: 0.6rem; border-top: 1px solid #c9ced3; }
h1, h2, p, dd, td, th, figcaption { overflow-wrap: anywhere; unicode-bidi: isolate; }
p { margin: 0.3rem 0 0.6rem; max-width: 52rem; white-space: pre-line; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.15rem 1rem; margin: 0; font-size: 0.87rem; }
dt { color: #5a636b; }
dd { margin: 0; font-variant-numeric: tabular-nums; }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem; margin: 0.8rem 0; }
figure { margin: 0; break-inside: avoid; }
figure img { display: block; width: 100%; border: 1px solid #c9ced3; }
figcaption { font-size: 0.8rem; line-height: 1.4; margin-top: 0.25rem; }
figcaption span { display: block; }
figcaption span:first-child { font-weight: 600; }
.keys { display: flex; flex-wrap: wrap; align-items: center; gap: 0.3rem 1.2rem; margin: 0.6rem 0; padding: 0; list-style: none; font-size: 0.83rem; }
.keys li { display: flex; align-items: center; gap: 0.4rem; }
.keys i { width: 1.1rem; height: 0.9rem; border: 1px solid #5a636b; }
.keys img { width: 9rem; height: 0.9rem; border: 1px solid #5a636b; }
table { border-collapse: collapse; width: 100%; margin: 0.8rem 0 1.2rem; font-size: 0.78rem; line-height: 1.35; table-layout: fixed; }
thead { display: table-header-group; }
tr { break-inside: avoid; }
th, td { text-align: left; vertical-align: top; padding: 0.22rem 0.45rem; border-bottom: 1px solid #dfe3e6; white-space: pre-line; }
th { border-bottom: 1px solid #5a636b; vertical-align: bottom; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
@media print {
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { font-size: 9.5pt; max-width: none; padding: 0; }
  h1 { font-size: 16pt; }
  h2 { margin-top: 10pt; font-size: 11.5pt; }
  dl { font-size: 7.4pt; }
  figcaption, .keys { font-size: 7pt; }
  table { font-size: 6.4pt; }
  th, td { padding: 2pt 2.4pt; }
}
"""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""What a browser lets the file do: show its own pictures."""


def to_html(report: Report) -> bytes:
    """Return a report as one HTML file; the same report, the same bytes."""
    title = _text(report.title)
    head = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n"
    )
    lines = "".join(f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>\n" for name, value in report.lines)
    body = f"<body>\n<header>\n<h1>{title}</h1>\n<dl>\n{lines}</dl>\n</header>\n<main>\n"
    sections = "".join(map(_section, report.sections))
    return f"{head}{body}{sections}</main>\n</body>\n</html>\n".encode()


def _text(text: str) -> str:
    """Escape a text, also for an attribute."""
    return escape(legible(text), quote=True)


def _section(section: Section) -> str:
    """Return a section; its heading, its words and one row of pictures stay on one page of paper."""
    words = [
        f"<h2>{_text(section.heading)}</h2>\n",
        *(f"<p>{_text(sentence)}</p>\n" for sentence in section.sentences),
        _keys(section),
    ]
    pictures = _pictures(section.pictures)
    in_one_row = sum(one.share for one in section.pictures) <= 1
    together = "".join([*words, pictures] if in_one_row else words)
    rest = "" if in_one_row else pictures
    tables = "".join(map(_table, section.tables))
    return f'<section>\n<div class="together">\n{together}</div>\n{rest}{tables}</section>\n'


def _pictures(pictures: Iterable[Picture]) -> str:
    figures = "".join(
        f'<figure style="width: calc((100% + 1rem) * {one.share:.4f} - 1.05rem)"><img src="{_address(one.png)}" alt="{_text(one.alt)}">'
        f"{_caption(one.lines)}</figure>\n"
        for one in pictures
    )
    return f'<div class="pictures">\n{figures}</div>\n' if figures else ""


def _caption(lines: Iterable[str]) -> str:
    spans = "".join(f"<span>{_text(line)}</span>" for line in lines)
    return f"<figcaption>{spans}</figcaption>" if spans else ""


def _keys(section: Section) -> str:
    items = [
        f'<li><i style="background: {_css(key.colour)}"></i>{_text(key.words)}</li>' for key in section.keys
    ]
    if section.scale is not None:
        scale = section.scale
        items.append(
            f'<li>{_text(scale.low)} <img src="{_address(scale.png)}" alt="Colours from {_text(scale.low)} to '
            f'{_text(scale.high)}"> {_text(scale.high)}: {_text(scale.words)}</li>'
        )
    return f'<ul class="keys">{"".join(items)}</ul>\n' if items else ""


def _table(table: Table) -> str:
    whole = sum(column.width for column in table.columns)
    kinds = [' class="number"' if column.number else "" for column in table.columns]
    widths = "".join(f'<col style="width: {100 * column.width / whole:.2f}%">' for column in table.columns)
    heads = "".join(
        f'<th scope="col"{kind}>{_text(column.title)}</th>'
        for column, kind in zip(table.columns, kinds, strict=True)
    )
    rows = "".join(
        f"<tr>{''.join(f'<td{kind}>{_text(cell)}</td>' for cell, kind in zip(row, kinds, strict=True))}</tr>\n"
        for row in table.rows
    )
    return f"<table>\n<colgroup>{widths}</colgroup>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n"


def _address(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _css(colour: Colour) -> str:
    return "#" + bytes(colour).hex()
