"""What reports say: every number in them is held against where it comes from."""

import hashlib
import io
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from app.asking.explanations import Failed, Found
from app.jobs import Cancelled, Queued
from app.report.as_pdf import to_pdf
from app.report.explained import Explained, explained
from app.report.of_filter import Listed, Pictured, of_filter
from app.report.of_strip import of_strip
from app.report.pictures import OPACITY, patch_heat, patch_picture
from app.report.provenance import sight
from app.report.record import Report, Section, Table
from app.report.strip_matter import Asked, Matter, StripWindow
from app.review.filters import in_words
from app.review.query import Query
from app.review.rows import known_of, narrowed, with_verdicts
from app.strip.marks import Marks
from app.verdicts.readings import Sight
from app.verdicts.records import Entry, Kind, Seen, Verdict
from app.words import class_title, percent
from explain.evaluation.evidence import Group
from severstal_xai.classes import CLASSES
from severstal_xai.manifest import Manifest, Split
from severstal_xai.overlay import heat_colours
from severstal_xai.strips import OFFSET, PATCH_SIZE, Window, windows

NOON = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
SHARES = (0.05, 0.15, 0.1, 0.6, 0.1)
GREY = np.full((PATCH_SIZE, PATCH_SIZE), 100, dtype=np.uint8)
MAP = np.full((PATCH_SIZE, PATCH_SIZE), 0.5, dtype=np.float32)
MASK = np.zeros((PATCH_SIZE, PATCH_SIZE), dtype=bool)
MASK[100:160, 100:160] = True


def entry(number: int, kind: Kind, reader: str = "Anna", label: int | None = None) -> Entry:
    seen = Seen("a_2", "a", "0" * 64, 3, "1" * 64, None, (), blind=True)
    withdraws = 1 if kind == Kind.WITHDRAWN else None
    return Entry(number, Verdict(kind, reader, NOON, seen, label, "a note", withdraws), f"{number}" * 64)


def window(index: int, found: Explained | None = None, sight: Sight | None = None) -> StripWindow:
    asked = Asked(GREY, f"{index}" * 64, SHARES, found or Explained(3, MAP, ""))
    return StripWindow(windows()[index], f"a_{index}", "", asked, Marks((3,), {3: MASK}), "f" * 64, sight)


def absent(index: int) -> StripWindow:
    return StripWindow(windows()[index], "", "several classes", None, None, "", None)


def matter(*known: StripWindow) -> Matter:
    by_index = {one.window.index: one for one in known}
    whole = tuple(by_index.get(index) or absent(index) for index in range(6))
    return Matter("a", "People marked it.", np.full((256, 1600), 100, np.uint8), False, whole, "SISE", None)


def of(made: Matter) -> Report:
    return of_strip(made, NOON, "Anna", (("Data's SHA-256", "0f" * 32),))


def table_of(section: Section, number: int = 0) -> list[dict[str, str]]:
    table: Table = section.tables[number]
    return [dict(zip([one.title for one in table.columns], row, strict=True)) for row in table.rows]


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def test_a_strip_s_report_says_of_each_window_what_is_known() -> None:
    report = of(matter(window(2), window(3)))
    assert report.title == "Strip a"
    assert [section.heading for section in report.sections] == [
        "The strip",
        "Window 3 · a_2",
        "Window 4 · a_3",
        "Checksums",
    ]
    rows = table_of(report.sections[0])
    assert [row["Window"] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert rows[2] == {
        "Window": "3",
        "Patch": "a_2",
        "People marked": class_title(3),
        "Model's answer": class_title(3),
        **{f"Class {place}": percent(share) for place, share in enumerate(SHARES)},
        "Flagged": "no thresholds",
        "Verdicts": "",
    }
    assert rows[0]["People marked"] == "left out: several classes"
    assert rows[0]["Model's answer"] == "not asked"
    assert report.sections[1].sentences == (
        "People marked 3 · scratches and scabs. The model's answer is 3 · scratches and scabs, with a probability of 60.0\xa0%.",
    )
    assert report.sections[1].pictures[1].lines == (
        "SISE for 3 · scratches and scabs",
        "Hottest pixel 0.30; the class has 60.0\xa0%.",  # 0.5 on the map times 0.6
    )
    assert table_of(report.sections[-1]) == [
        {"Window": number, "What": what, "SHA-256": checksum}
        for number, image in (("3", "2" * 64), ("4", "3" * 64))
        for what, checksum in (
            ("image", image),
            ("mask", "f" * 64),
            ("map", hashlib.sha256(MAP.tobytes()).hexdigest()),
        )
    ]


def test_the_heat_lies_on_its_window_and_what_nobody_saw_is_hatched() -> None:
    steel, heat = (pixels(one.png)[-256:] for one in of(matter(window(2))).sections[0].pictures)
    inside = OFFSET + 2 * PATCH_SIZE + 5
    hot = np.rint((1 - OPACITY) * 100 + OPACITY * heat_colours(MAP * SHARES[3])[0, 0])
    assert steel[5, inside].tolist() == [100, 100, 100]
    assert heat[5, inside].tolist() == hot.tolist()
    assert steel[100, inside + 95].tolist() == list(CLASSES[3].colour)  # the mask's corner
    for picture in (steel, heat):
        beside = picture[:, inside + PATCH_SIZE : inside + PATCH_SIZE + 200]
        assert {tuple(pixel) for pixel in beside.reshape(-1, 3).tolist()} == {
            (226, 229, 232),
            (176, 182, 187),
        }


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (Failed("out of memory"), "it failed: out of memory"),
        (Cancelled(None), "it was cancelled"),
        (Queued(1), "it was not made yet"),
        (None, "it was not made yet"),
    ],
)
def test_a_map_that_is_missing_is_missed_in_words_and_never_cold(state: Failed | None, words: str) -> None:
    report = of(matter(window(2, explained(3, state))))
    picture = report.sections[1].pictures[1]
    assert picture.lines[1] == f"No heat: {words}."
    assert picture.alt == "a_2: no heat"
    stripes = (pixels(picture.png) == (176, 182, 187)).all(axis=2).mean()
    assert stripes == pytest.approx(0.25, abs=0.02)  # 3 pixels of 12, less the outline
    assert "map" not in {row["What"] for row in table_of(report.sections[-1])}


def test_a_preview_is_called_one() -> None:
    lines = of(matter(window(2, explained(3, Found(MAP, 0.932))))).sections[1].pictures[1].lines
    assert lines[2] == "It is a preview, estimated agreement with the whole map 0.93."


def test_verdicts_are_told_record_by_record_and_in_short_as_they_stand() -> None:
    entries = (
        entry(1, Kind.AGREE),
        entry(2, Kind.WRONG_CLASS, "Bert", label=4),
        entry(3, Kind.WITHDRAWN),
        entry(4, Kind.UNSURE),
    )
    report = of(matter(window(2, sight=Sight(entries, blind=False, hidden=0))))
    assert table_of(report.sections[0])[2]["Verdicts"] == "wrong class, unsure"
    told = table_of(report.sections[1])
    assert [row["Verdict"] for row in told] == [
        "agrees",
        "wrong class: it is 4 · torn plates",
        "takes record 1 back",
        "unsure",
    ]
    assert {row["When"] for row in told} == {"2026-03-01 12:30 UTC"}
    assert [row["Seal, first digits"] for row in told] == [f"{number}" * 16 for number in (1, 2, 3, 4)]
    assert [row["Who"] for row in told] == ["Anna", "Bert", "Anna", "Anna"]


def test_verdicts_that_are_kept_back_are_not_told() -> None:
    report = of(matter(window(2, sight=Sight((), blind=True, hidden=2))))
    assert table_of(report.sections[0])[2]["Verdicts"] == "kept back"
    assert "read twice" in report.sections[1].sentences[1]
    assert not report.sections[1].tables


def test_a_strip_of_which_nothing_is_kept_has_a_report_all_the_same() -> None:
    report = of(replace(matter(), remarks=("The verdicts could not be read.",)))
    (only,) = report.sections
    assert len(only.pictures) == 1
    assert only.sentences == ("People marked it.", "The verdicts could not be read.")
    assert to_pdf(report).startswith(b"%PDF")


def test_a_strip_that_nobody_marked_and_no_data_holds_is_told_of_as_such() -> None:
    new = StripWindow(
        windows()[2], "", "", Asked(GREY, "2" * 64, SHARES, Explained(3, MAP, "")), None, "", None
    )
    report = of(matter(new))
    assert report.sections[1].heading == "Window 3"
    assert report.sections[1].sentences[0].startswith("Nobody has marked it. The model's answer is 3")
    assert report.sections[1].pictures[0].lines == ("The steel",)
    assert table_of(report.sections[0])[2]["People marked"] == "nobody did"
    assert [row["What"] for row in table_of(report.sections[-1])] == ["grey values", "map"]


def test_what_people_marked_on_a_window_that_is_left_out_is_told_and_outlined_class_by_class() -> None:
    below = np.roll(MASK, 80, axis=0)
    marks = Marks((3, 4), {3: MASK, 4: below})
    unseen = replace(absent(0), marks=marks)
    seen = replace(absent(4), marks=marks, asked=Asked(GREY, "4" * 64, SHARES, Explained(3, MAP, "")))
    report = of(matter(unseen, seen))
    both = f"{class_title(3)} and {class_title(4)}"
    rows = table_of(report.sections[0])
    assert rows[0]["People marked"] == rows[4]["People marked"] == f"{both}; left out: several classes"
    assert [key.words for key in report.sections[0].keys] == [
        f"marked {class_title(3)}",
        f"marked {class_title(4)}",
    ]
    assert (
        report.sections[1]
        .sentences[0]
        .startswith(f"People marked {both}. Left out of the data: several classes. The model's answer is")
    )
    strip, large = (pixels(section.pictures[0].png) for section in report.sections[:2])
    for label, row in ((3, 100), (4, 180)):
        colour = list(CLASSES[label].colour)
        assert strip[-256:][row, OFFSET + 100].tolist() == colour
        assert strip[-256:][row, OFFSET + 4 * PATCH_SIZE + 100].tolist() == colour
        assert large[row, 100].tolist() == colour


def test_a_strip_whose_picture_is_whole_shows_what_lies_outside_the_windows() -> None:
    steel = pixels(of(replace(matter(), whole=True)).sections[0].pictures[0].png)[-256:]
    assert steel[5, 5].tolist() == [100, 100, 100]


def test_a_patch_s_pictures_are_its_pixels() -> None:
    assert pixels(patch_picture(GREY, {})).tolist() == np.dstack([GREY] * 3).tolist()
    cold = pixels(patch_heat(GREY, {}, 0 * MAP))
    assert cold[0, 0].tolist() == np.rint(0.4 * 100 + 0.6 * np.array([0, 0, 4])).tolist()


@pytest.fixture
def rows(made_data: Manifest) -> pd.DataFrame:
    """What is known of the 20 made patches: the model answers 3 to all test patches, with 0.6; two are judged."""
    test = made_data.of_split(Split.TEST)
    predictions = pd.DataFrame({"patch": [patch.patch for patch in test]}).assign(
        **{f"p{place}": share for place, share in enumerate(SHARES)}
    )
    groups = {"strip33_0": Group.RIGHT_ON_DEFECT}
    kinds = pd.Series({"strip33_0": "agree unsure", "strip13_0": "unsure"})
    return with_verdicts(known_of(made_data, predictions, groups, None), kinds)


def listed(rows: pd.DataFrame, query: Query, *pictured: Pictured) -> Listed:
    shown = narrowed(rows, query)
    return Listed(shown, len(rows), tuple(in_words(query)), pictured, "Grad-CAM", ("Something is missing.",))


def queue_report(of: Listed) -> Report:
    return of_filter(of, NOON, "", ())


def test_a_filter_s_report_lists_all_its_patches_in_their_order(rows: pd.DataFrame) -> None:
    query = Query(split=None, text="3_0")
    report = queue_report(listed(rows, query))
    assert report.title == "5 patches of 20"
    assert report.sections[0].sentences == (
        "Part of the data: all patches. Name holds: 3_0. Sorted by: evidence: right but elsewhere first.",
        "Something is missing.",
    )
    told = table_of(report.sections[-1])
    assert [row["Patch"] for row in told] == list(narrowed(rows, query).index)
    assert told[0] == {
        "Patch": "strip33_0",
        "Part": "test",
        "Marked": "3",
        "Answer": "3",
        **{f"P{place}": percent(share) for place, share in enumerate(SHARES)},
        "Answer is": "right",
        "Flagged": "",
        "Evidence": str(Group.RIGHT_ON_DEFECT),
        "Verdicts": "agrees, unsure",
    }
    assert [row["Answer is"] for row in told[1:]] == ["false alarm", "confused", "confused", "confused"]


def test_a_filter_s_report_counts_no_verdicts_where_they_could_not_be_read(rows: pd.DataFrame) -> None:
    report = queue_report(replace(listed(rows, Query(split=None)), verdicts_read=False))
    (counted,) = [row for row in report.sections[0].tables[0].rows if row[0] == "Verdicts"]
    assert counted == ("Verdicts", "not known", f"{len(rows)}", percent(1.0))
    assert {row["Verdicts"] for row in table_of(report.sections[-1])} == {"not known"}
    assert sight("Ben", read=False) == "they could not be read, so nothing is known of them"
    assert sight("Ben", read=True) == "those that Ben may see"


def test_a_filter_s_report_counts_what_it_lists(rows: pd.DataFrame) -> None:
    table = queue_report(listed(rows, Query(split=None))).sections[0].tables[0]
    counted: dict[str, dict[str, str]] = {}
    what = ""
    for name, value, count, share in table.rows:
        what = name or what
        counted.setdefault(what, {})[value] = count
        assert share == percent(int(count) / 20)
    assert counted == {
        "People marked": {class_title(label): "4" for label in range(5)},
        "Model's answer": {class_title(3): "5", "no answer in the run": "15"},
        "The answer is": {"confused": "3", "false alarm": "1", "right": "1", "not known": "15"},
        "Flagged": {"not known": "20"},
        "Evidence": {str(Group.RIGHT_ON_DEFECT): "1", "not known": "19"},
        "Verdicts": {"none in sight": "18", "unsure": "2", "agrees": "1"},
    }


def test_a_filter_s_pictures_say_how_many_of_how_many_they_are(rows: pd.DataFrame) -> None:
    hot = Pictured("strip33_0", GREY, MASK, SHARES, Explained(3, MAP, ""))
    missing = Pictured("strip43_0", GREY, MASK, SHARES, Explained(3, None, "it was not made yet"))
    damaged = Pictured("strip13_0", None, None, (), None, "images/strip13_0.png: damaged")
    section = queue_report(listed(rows, Query(), hot, missing, damaged)).sections[1]
    assert section.sentences == (
        "The first 3 of 5 patches are pictured, 1 of them with the heat of Grad-CAM. Those without are hatched, and say why.",
    )
    assert [one.lines for one in section.pictures] == [
        (
            "strip33_0",
            "marked 3 · scratches and scabs",
            "model: 3 · scratches and scabs, 60.0\xa0%",
            "verdicts: agrees, unsure",
            "heat for class 3, hottest pixel 0.30",
        ),
        (
            "strip43_0",
            "marked 4 · torn plates",
            "model: 3 · scratches and scabs, 60.0\xa0%",
            "no heat: it was not made yet",
        ),
        (
            "strip13_0",
            "marked 1 · pitting",
            "verdicts: unsure",
            "cannot be shown: images/strip13_0.png: damaged",
        ),
    ]


def test_a_filter_that_nothing_matches_says_so(rows: pd.DataFrame) -> None:
    report = queue_report(listed(rows, Query(text="nobody")))
    assert report.title == "0 patches of 20"
    assert report.sections[0].sentences[-1] == "No patch matches."
    assert len(report.sections) == 1


def test_windows_stand_where_the_strip_has_them() -> None:
    moved = replace(window(0), window=Window(0, 64))
    rest = tuple(replace(absent(index), window=windows(64)[index]) for index in range(1, 6))
    heat = pixels(of(replace(matter(), windows=(moved, *rest))).sections[0].pictures[1].png)[-256:]
    hot = np.rint((1 - OPACITY) * 100 + OPACITY * heat_colours(MAP * SHARES[3])[0, 0])
    assert heat[5, 64 + 5].tolist() == hot.tolist()
    assert heat[5, 60].tolist() in ([226, 229, 232], [176, 182, 187])
