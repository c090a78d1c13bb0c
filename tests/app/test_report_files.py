"""A report as HTML and as PDF: all of its words and pictures, letter by letter, from within the file alone."""

import io
import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser

import numpy as np
import pytest
from pypdf import PdfReader

from app.report.as_html import to_html
from app.report.as_pdf import to_pdf
from app.report.record import Column, Key, Picture, Report, Scale, Section, Table
from severstal_xai.errors import InputError
from severstal_xai.overlay import encode_picture

NOON = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>\"'&amp;<img src=http://a.b/c>"
NAMES = ("Ännä Ørsted", "Łukasz Żółć", "Алексей Северсталь", "Σίσυφος")


def picture(height: int = 8, width: int = 16, alt: str = "steel", share: float = 1.0) -> Picture:
    levels = np.arange(height * width * 3).reshape(height, width, 3) % 256
    return Picture(encode_picture(levels.astype(np.uint8)), alt, (alt, "second line"), share)


def table(rows: int) -> Table:
    columns = (Column("Patch", 3), Column("Sure", number=True), Column("Verdicts", 2))
    return Table(columns, tuple((f"strip{row}_0", f"{row / 10:.1f} %", "agrees") for row in range(rows)))


def report(*sections: Section, title: str = "Strip a", made_by: str = "Anna") -> Report:
    return Report(title, NOON, made_by, (("Data", "patches, SHA-256 0f"),), sections)


def everything() -> Report:
    return report(
        Section(
            "The strip",
            ("People marked pitting.", "No window is flagged."),
            (Key((86, 180, 233), "1 · pitting"), Key((230, 159, 0), "3 · scratches and scabs")),
            Scale(picture(1, 64).png, "0", "1", "the map times the probability"),
            (picture(alt="the whole"), *(picture(alt=f"window {number}", share=0.5) for number in (1, 2, 3))),
            (table(3), table(2)),
        ),
        Section("Nothing more"),
    )


class _Seen(HTMLParser):
    """What a browser would make of the file: its tags, their attributes, its words outside the style."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words = ""
        self.feed(content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] != ["style"]:
            self.words += data + "\n"


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


def without_blanks(text: str) -> str:
    """A line that was broken reads like one that was not."""
    return re.sub(r"\s", "", text)


def words_of(made: Report) -> list[str]:
    """Every text of a report that is to be read."""
    found = [made.title, *(word for line in made.lines for word in line)]
    for section in made.sections:
        found += [section.heading, *section.sentences, *(key.words for key in section.keys)]
        found += [section.scale.words] if section.scale else []
        found += [line for one in section.pictures for line in one.lines]
        for one in section.tables:
            found += [column.title for column in one.columns]
            found += [cell for row in one.rows for cell in row]
    return found


def test_both_files_hold_every_word_and_every_picture() -> None:
    made = everything()
    html, pdf = to_html(made), to_pdf(made)
    page, printed = _Seen(html), without_blanks(text_of(pdf))
    for word in words_of(made):
        assert word in page.words
        assert without_blanks(word) in printed
    assert [value for name, value in page.attributes if name == "alt"] == [
        "Colours from 0 to 1",
        *(one.alt for one in made.sections[0].pictures),
    ]
    assert page.tags.count("table") == 2
    pages = PdfReader(io.BytesIO(pdf)).pages
    sizes = [one.image.size for page_ in pages for one in page_.images if one.image]
    assert sorted(set(sizes)) == [(16, 8), (64, 1)]


def test_the_same_report_is_the_same_bytes_whenever_it_is_written() -> None:
    made = everything()
    elsewhere = replace(made, made_at=NOON.astimezone(timezone(timedelta(hours=9))))
    assert to_pdf(made) == to_pdf(elsewhere)
    assert to_html(made) == to_html(elsewhere)
    assert to_pdf(made) != to_pdf(replace(made, made_at=NOON + timedelta(seconds=1)))


def test_a_time_without_its_zone_is_refused() -> None:
    with pytest.raises(InputError, match="2026-03-01T12:30:00, expected a time with its zone"):
        replace(report(), made_at=datetime(2026, 3, 1, 12, 30))


def test_hostile_text_is_shown_letter_by_letter_wherever_it_stands() -> None:
    one = Picture(picture().png, HOSTILE, (HOSTILE,))
    cells = Table((Column(HOSTILE),), ((HOSTILE,),))
    scale = Scale(one.png, HOSTILE, HOSTILE, HOSTILE)
    whole = Section(HOSTILE, (HOSTILE,), (Key((0, 0, 0), HOSTILE),), scale, (one,), (cells,))
    made = Report(HOSTILE, NOON, HOSTILE, ((HOSTILE, HOSTILE),), (whole,))
    page, plain = _Seen(to_html(made)), _Seen(to_html(everything()))
    assert set(page.tags) <= set(plain.tags)
    assert {name for name, _ in page.attributes} <= {name for name, _ in plain.attributes}
    # title twice, who, name and value, heading, sentence, key, ends and words of the scale, line, head, cell
    assert page.words.count(HOSTILE) == 14
    assert [value for name, value in page.attributes if name == "alt"][-1] == HOSTILE
    pdf = to_pdf(made)
    assert PdfReader(io.BytesIO(pdf)).metadata.title == HOSTILE  # type: ignore[union-attr]
    assert without_blanks(text_of(pdf)).count(without_blanks(HOSTILE)) == 14  # the title once, and the foot


def test_the_html_asks_for_nothing_and_runs_nothing() -> None:
    page = _Seen(to_html(everything()))
    assert {"script", "iframe", "object", "form", "a"}.isdisjoint(page.tags)
    places = [value for name, value in page.attributes if name in {"src", "href"}]
    assert len(places) == 6
    assert all(place.startswith("data:") for place in places)
    assert ("content", "default-src 'none'; img-src data:; style-src 'unsafe-inline'") in page.attributes


@pytest.mark.parametrize("name", NAMES)
def test_names_of_many_languages_print(name: str) -> None:
    made = report(Section(name, (name,), tables=(Table((Column("Name"),), ((name,),)),)), made_by=name)
    assert text_of(to_pdf(made)).count(name) == 4
    assert _Seen(to_html(made)).words.count(name) == 4


def test_signs_that_the_font_lacks_or_nobody_sees_are_written_out_by_number() -> None:
    made = report(title="鋼\u202e🔥 a\ud800b\x00")
    assert "[U+92FC][U+202E][U+1F525] a[U+D800]b[U+0000]" in text_of(to_pdf(made))
    assert "鋼[U+202E]🔥 a[U+D800]b[U+0000]" in _Seen(to_html(made)).words


def test_a_picture_has_a_frame_and_a_number_keeps_its_per_cent_sign() -> None:
    pale = Picture(
        encode_picture(np.full((8, 16, 3), 255, np.uint8)), "pale", ("white", "with 99.5\xa0%"), 0.1
    )
    page = PdfReader(io.BytesIO(to_pdf(report(Section("s", pictures=(pale,)))))).pages[0]
    drawn = page.get_contents()
    assert drawn is not None
    assert re.search(rb"\bn 0 0 [0-9.]+ [0-9.]+ re S", drawn.get_data()), "a line around it"
    assert not re.search(r"99\.5\s*\n", page.extract_text())


def test_a_long_name_is_broken_and_nothing_of_it_lost() -> None:
    name = "".join(f"strip{number}x" for number in range(40))
    cells = Table((Column("Patch"), Column("Sure", number=True)), ((name, "1 %"), ("b", "2 %")))
    one = replace(picture(), lines=(name,), share=0.25)
    made = report(Section(name, (name,), pictures=(one,), tables=(cells,)), title=name)
    # title, heading, sentence, line and cell; the foot is shortened
    assert without_blanks(text_of(to_pdf(made))).count(name) == 5


def test_pages_are_numbered_and_each_has_the_tables_head() -> None:
    pages = PdfReader(io.BytesIO(to_pdf(report(Section("All", tables=(table(200),)))))).pages
    assert len(pages) == 4  # a row takes 12.4 points and a page has 748: 59 rows below the head
    for number, page in enumerate(pages, 1):
        text = page.extract_text()
        assert "Verdicts" in text
        assert f"Page {number} of" in text
        form = page["/Resources"]["/XObject"]["/FormXob.pages"]  # type: ignore[index]
        assert b"(4)" in form.get_data()
    rows = re.findall(r"strip(\d+)_0", "\n".join(page.extract_text() for page in pages))
    assert list(map(int, rows)) == list(range(200))


def test_a_cell_that_no_page_can_hold_goes_on_on_the_next() -> None:
    lines = [f"line{number}" for number in range(300)]
    note = Table((Column("By"), Column("Note", 3)), (("Anna", "\n".join(lines)), ("Bert", "short")))
    text = text_of(to_pdf(report(Section("Verdicts", tables=(note,)))))
    assert re.findall(r"line\d+", text) == lines
    assert "short" in text


def test_a_heading_stays_with_what_follows_it() -> None:
    def page_of(text: str, rows: int) -> int:
        made = report(
            Section("Rows", tables=(table(rows),)), Section("Below", pictures=(picture(80, 100, "steel"),))
        )
        pages = PdfReader(io.BytesIO(to_pdf(made))).pages
        return next(number for number, page in enumerate(pages) if text in page.extract_text())

    for rows in range(0, 60, 6):
        assert page_of("Below", rows) == page_of("second line", rows)


def test_two_thousand_rows_take_seconds() -> None:
    made = report(Section("All", tables=(table(2000),)))
    began = time.process_time()
    pdf, html = to_pdf(made), to_html(made)
    assert (
        time.process_time() - began < 10
    )  # half a second on a quiet machine; reportlab's own tables take a minute
    assert "strip1999_0" in PdfReader(io.BytesIO(pdf)).pages[-1].extract_text()
    assert html.count(b"<tr>") == 2001


def test_a_row_of_the_wrong_length_or_a_picture_that_is_none_is_our_fault() -> None:
    with pytest.raises(ValueError, match="row 1 of a table has 1 cells, expected 2"):
        Table((Column("a"), Column("b")), (("1", "2"), ("1",)))
    with pytest.raises(ValueError, match="is no PNG file"):
        Picture(b"<svg>", "steel")
    with pytest.raises(ValueError, match=r"share 0, expected above 0"):
        replace(picture(), share=0)
