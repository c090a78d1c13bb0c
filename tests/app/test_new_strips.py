"""New strips: what is taken, what is refused and why, what is told of it; the folder, the uploads, and the page without a browser."""

import csv
import gc
import io
import os
import re
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
import yaml
from PIL import ExifTags, Image
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from app import loading
from app.new_strips.answers import Answer, Answers, most_suspicious
from app.new_strips.images import NewImage, Refused, grey_of, parts, read_new
from app.new_strips.reports import Asker, Told, image_report, list_report
from app.new_strips.strip_view import strip_in_words
from app.new_strips.tables import Listed, as_frame, flagged_in_words, most_suspicious_first, results_csv
from app.new_strips.uploads import Uploads, UploadShelf
from app.new_strips.watch import EVERY, STILL, Watch
from app.report.as_html import to_html
from app.report.as_pdf import to_pdf
from app.report.record import Report
from explain.methods import METHODS
from severstal_xai.bootstrap import Measure
from severstal_xai.errors import InputError
from severstal_xai.files import sha256
from severstal_xai.imaging import BLACK_LEVEL, PATCH_SHAPE, STRIP_SHAPE, NoSteel, encode_png, no_steel
from severstal_xai.operating_point import ClassPoint, Costs, Expected, OperatingPoint, Review
from severstal_xai.strips import PATCH_SIZE

MAIN = str(Path(__file__).resolve().parents[2] / "app/main.py")
MILL = "mill_7"
"""The watched folder's name."""


def steel(*bright: int, seed: int = 0) -> np.ndarray:
    """A strip, grey 60 to 89, with a square of 60 pixels at 190 to 219 in these windows, counted from 0.

    The planted network's logits are 2 for class 0, else 0, and for `BRIGHT` 60 times the mean of channel 0, which is the grey value
    above 118 in units of 57 (`severstal_xai.imaging`): nothing without a square, and with one 60 (60/256)^2 (205 - 118)/57 = 5. So the
    probability of a defect is e^5 / (e^5 + e^2 + 3) = 0.93 with a square (a little more, for the network's pooling takes the
    brightest), and 1 / (e^2 + 4) = 0.09 without.
    """
    grey = np.random.default_rng(seed).integers(60, 90, STRIP_SHAPE).astype(np.uint8)
    for index in bright:
        left = 32 + PATCH_SIZE * index + 100
        grey[100:160, left : left + 60] += 130
    return grey


def jpeg(grey: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(grey).save(content, "JPEG", quality=95)
    return content.getvalue()


def png_of(image: Image.Image) -> bytes:
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


def turned(grey: np.ndarray, orientation: int, kind: str = "JPEG") -> bytes:
    """A picture of which its file says that it is to be turned."""
    content, exif = io.BytesIO(), Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(grey).save(content, kind, exif=exif)
    return content.getvalue()


def film(*greys: np.ndarray) -> bytes:
    first, *others = map(Image.fromarray, greys)
    content = io.BytesIO()
    first.save(content, "PNG", save_all=True, append_images=others)
    return content.getvalue()


GOOD = encode_png(steel(2))
SOUND = encode_png(steel(seed=1))

WRONG = {
    "words.jpg": (b"this is a text", "neither a JPEG nor a PNG file by its content"),
    "low.png": (encode_png(steel()[:250]), "image of 1600 x 250 pixels"),
    "cut.jpg": (jpeg(steel(seed=2))[:20_000], "damaged image file"),
    "deep.png": (png_of(Image.new("I;16", (1600, 256))), "image in 16-bit grey, expected 8-bit grey or RGB"),
    "clear.png": (
        png_of(Image.new("RGBA", (1600, 256))),
        "image in RGB with transparency, expected 8-bit grey or RGB",
    ),
    "strip.bmp": (GOOD, "ends in '.bmp', expected one of .jpeg, .jpg, .png"),
    "bomb.png": (png_of(Image.new("L", (30_000, 30_000))), "image of 30000 x 30000 pixels"),
    "a:b.png": (GOOD, "expected a plain file name, without folders"),
    "nothing.png": (b"", "empty file, expected a JPEG or a PNG"),
    "strip": (GOOD, "has no ending, expected one of .jpeg, .jpg, .png"),
    "on its side.jpg": (
        turned(np.rot90(steel(2)), 6),
        "is to be turned by 90° (EXIF orientation 6), expected one that is saved",
    ),
    "head down.jpg": (turned(steel(2), 3), "is to be turned by 180°"),
    "head down.png": (turned(steel(2), 3, "PNG"), "is to be turned by 180°"),
    "film.png": (film(steel(2), steel(3)), "file of 2 pictures (an animation), expected one"),
}
"""Files by name: the content, and what the reason must say."""


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_refused_with_the_reason(name: str) -> None:
    content, reason = WRONG[name]
    with pytest.raises(InputError) as caught:
        read_new(name, content)
    assert reason in str(caught.value)


def test_a_png_called_jpg_is_taken_by_its_content_and_a_strip_has_the_windows_that_the_data_is_cut_at() -> (
    None
):
    assert read_new("upright.jpg", turned(steel(2), 1)).is_strip
    image = read_new("a.jpg", GOOD)
    assert (image.is_strip, image.stem, image.sha256) == (True, "a", sha256(GOOD))
    assert [window.x for window in image.windows] == [32, 288, 544, 800, 1056, 1312]
    grey = grey_of(GOOD)
    assert np.array_equal(parts(image, grey)[2], steel(2)[:, 544:800])
    patch = encode_png(steel()[:, :256])
    single = read_new("p.png", patch)
    assert [window.x for window in single.windows] == [0]
    assert np.array_equal(parts(single, grey_of(patch))[0], steel()[:, :256])


# Uploads.


def offered(uploads: Uploads, *files: tuple[str, bytes]) -> Uploads:
    for number, (name, content) in enumerate(files):
        uploads.offer(f"number {number}", name, content)
    return uploads


def reasons(uploads: Uploads) -> dict[str, str]:
    return {one.name: one.reason for one in uploads.refused}


def test_of_uploads_the_good_ones_go_on_and_a_twin_is_named() -> None:
    wrong = [(name, content) for name, (content, _) in WRONG.items()]
    uploads = offered(Uploads(UploadShelf()), ("a.png", GOOD), *wrong, ("b.png", SOUND), ("c.png", GOOD))
    assert [image.name for image in uploads.images] == ["a.png", "b.png"]
    assert reasons(uploads).keys() == {*WRONG, "c.png"}
    assert reasons(uploads)["c.png"] == "the same file as a.png, which is listed"
    assert uploads.read(uploads.images[1]) == SOUND


def test_what_the_user_takes_out_of_the_browsers_list_is_forgotten_and_what_lies_there_still_is_not() -> None:
    uploads = offered(Uploads(UploadShelf()), ("a.png", GOOD), ("b.png", SOUND), ("words.jpg", b"words"))
    uploads.browser_lists(["number 1"])
    assert [image.name for image in uploads.images] == ["b.png"]
    assert not uploads.refused
    uploads.begin_anew()  # another page was shown meanwhile, and the browser's list is empty
    uploads.browser_lists([])
    assert [image.name for image in uploads.images] == ["b.png"]
    uploads.forget_all()
    assert not uploads.images


def test_a_session_has_a_limit_of_files_and_of_bytes_and_says_so() -> None:
    uploads = offered(
        Uploads(UploadShelf(), most_files=2), *((f"{n}.png", encode_png(steel(seed=n))) for n in range(4))
    )
    assert [image.name for image in uploads.images] == ["0.png", "1.png"]
    assert reasons(uploads)["2 more files"].startswith("2 files are here, expected at most so many")
    uploads.begin_anew()
    uploads.browser_lists([])
    assert "2 more files" in reasons(uploads)  # another page was shown meanwhile

    room = len(GOOD) + len(SOUND) - 1
    uploads = offered(
        Uploads(UploadShelf(), most_bytes=room), ("a.png", GOOD), ("b.png", SOUND), ("c.png", GOOD)
    )
    assert [image.name for image in uploads.images] == ["a.png"]
    assert "your uploads hold 0 MB of at most 1 MB" in reasons(uploads)["b.png"]
    assert "the same file" in reasons(uploads)["c.png"]  # which takes no room


def test_sessions_share_the_room_and_not_what_lies_in_it() -> None:
    shelf = UploadShelf(most_bytes=len(GOOD) + 10)
    first = offered(Uploads(shelf), ("a.png", GOOD))
    second = offered(Uploads(shelf), ("a.png", GOOD), ("b.png", SOUND))
    assert shelf.held() == len(GOOD), "the same content lies there once"
    assert "the uploads of all who are at work" in reasons(second)["b.png"]
    with pytest.raises(InputError, match=r"b\.png: no longer among the uploads"):
        first.read(NewImage("b.png", sha256(SOUND), True, ""))
    first.forget_all()
    assert shelf.held() == len(GOOD)
    second.forget_all()
    gc.collect()
    assert shelf.held() == 0
    assert offered(second, ("b.png", SOUND)).images


# The watched folder.


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def mill(tmp_path: Path) -> Path:
    folder = tmp_path / MILL
    folder.mkdir()
    return folder


def look(watch: Watch, clock: Clock) -> None:
    """Look once more, and take all that is whole by then."""
    clock.now += EVERY
    watch.look()
    while watch.take():
        pass


def names(watch: Watch) -> list[str]:
    return [image.name for image in watch.seen().images]


def test_a_file_is_taken_once_it_stands_still_and_not_before(mill: Path, clock: Clock) -> None:
    watch = Watch(mill, clock=clock)
    (mill / "a.png").write_bytes(GOOD[:1000])
    look(watch, clock)
    assert (names(watch), watch.seen().arriving) == ([], 1)
    (mill / "a.png").write_bytes(GOOD[:9000])
    look(watch, clock)
    assert (names(watch), watch.seen().arriving, watch.seen().refused) == ([], 1, ())
    (mill / "a.png").write_bytes(GOOD)
    look(watch, clock)
    assert EVERY >= STILL, "so that the next look finds it still"
    look(watch, clock)
    assert (names(watch), watch.seen().arriving) == (["a.png"], 0)
    assert watch.read(watch.seen().images[0]) == GOOD


def test_files_that_come_go_or_are_replaced_are_noticed(mill: Path, clock: Clock) -> None:
    watch = Watch(mill, clock=clock)
    (mill / "a.png").write_bytes(GOOD)
    look(watch, clock)
    look(watch, clock)
    (old,) = watch.seen().images
    (mill / "b.png").write_bytes(SOUND)
    other = mill.parent / "other.png"
    other.write_bytes(encode_png(steel(4)))
    os.utime(other, ns=((mill / "a.png").stat().st_atime_ns, (mill / "a.png").stat().st_mtime_ns))
    other.replace(mill / "a.png")
    with pytest.raises(InputError, match=r"a\.png: no longer in the folder as it was"):
        watch.read(old)
    look(watch, clock)
    look(watch, clock)
    assert {image.name: image.sha256 for image in watch.seen().images} == {
        "a.png": sha256(encode_png(steel(4))),
        "b.png": sha256(SOUND),
    }
    (mill / "a.png").unlink()
    look(watch, clock)
    assert names(watch) == ["b.png"]


def test_nothing_outside_the_folder_is_read_and_nothing_that_is_no_file_waited_for(
    mill: Path, clock: Clock
) -> None:
    secret = mill.parent / "secret.png"
    secret.write_bytes(GOOD)
    (mill / "out.png").symlink_to(secret)
    (mill / "up.png").symlink_to("../secret.png")
    (mill / "nowhere.png").symlink_to("gone.png")
    (mill / "ring.png").symlink_to("ring.png")
    os.mkfifo(mill / "pipe.png")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(mill / "socket.png"))
    (mill / "real.png").write_bytes(SOUND)
    (mill / "alias.png").symlink_to("real.png")
    (mill / "folder.png").mkdir()
    (mill / ".hidden.png").write_bytes(GOOD)
    watch = Watch(mill, clock=clock)
    look(watch, clock)
    look(watch, clock)
    found = watch.seen()
    assert len(found.images) == 1
    assert found.images[0].sha256 == sha256(SOUND)
    said = {one.name: one.reason for one in found.refused}
    assert said["out.png"] == said["up.png"] == "a link that leads out of the folder, expected a file in it"
    assert said["nowhere.png"] == "a link to nothing, expected a file"
    assert "a link" in said["ring.png"]
    assert said["pipe.png"] == "not a file, expected an image file"
    assert "cannot be read" in said["socket.png"]
    assert len(said) == 7, "with the twin of the link that stays inside"
    assert str(mill.parent) not in str(found)


def test_a_name_that_is_no_unicode_is_spelt_out(mill: Path, clock: Clock) -> None:
    (Path(os.fsdecode(os.fsencode(mill) + b"/\xff.png"))).write_bytes(GOOD)
    watch = Watch(mill, clock=clock)
    look(watch, clock)
    look(watch, clock)
    (wrong,) = watch.seen().refused
    assert wrong.name == r"\udcff.png"
    assert "every system can store" in wrong.reason


def test_of_many_files_the_newest_are_looked_at_and_the_others_counted(mill: Path, clock: Clock) -> None:
    for place in range(5):
        path = mill / f"{place}.png"
        path.write_bytes(encode_png(steel(seed=place)))
        os.utime(path, (1000 + place, 1000 + place))
    watch = Watch(mill, most_files=3, clock=clock)
    look(watch, clock)
    look(watch, clock)
    assert (names(watch), watch.seen().left_out) == (["2.png", "3.png", "4.png"], 2)


def test_a_folder_that_is_away_is_told_and_what_was_seen_stays_until_it_is_back(
    mill: Path, clock: Clock
) -> None:
    (mill / "a.png").write_bytes(GOOD)
    watch = Watch(mill, clock=clock)
    look(watch, clock)
    look(watch, clock)
    mill.rename(mill.with_name("away"))
    look(watch, clock)
    assert "No such file or directory, expected a folder that can be read" in watch.seen().problem
    assert names(watch) == ["a.png"]
    mill.with_name("away").rename(mill)
    look(watch, clock)
    assert (names(watch), watch.seen().problem) == (["a.png"], "")


def test_looks_that_follow_each_other_too_soon_are_one(mill: Path, clock: Clock) -> None:
    watch = Watch(mill, clock=clock)
    watch.look()
    (mill / "a.png").write_bytes(GOOD)
    clock.now = EVERY / 2
    watch.look()
    assert watch.seen().arriving == 0
    clock.now = EVERY
    watch.look()
    assert watch.seen().arriving == 1


# What the model says.

WHEN = datetime(2026, 11, 28, 7, 30, tzinfo=UTC)
CALM, SCAB, DOUBT = (0.9, 0.1, 0.0, 0.0, 0.0), (0.1, 0.0, 0.0, 0.9, 0.0), (0.55, 0.45, 0.0, 0.0, 0.0)


def point(*thresholds: float) -> OperatingPoint:
    """An operating point with the thresholds of classes 1 to 4."""
    nothing = Measure(0.0, 0.0, 0.0)
    expected = Expected(0, None, nothing)
    review = Review(nothing, None)
    classes = tuple(
        ClassPoint(label, threshold, "", expected, expected)
        for label, threshold in enumerate(thresholds, start=1)
    )
    return OperatingPoint("w", Costs((1.0,) * 4, (1.0,) * 4, None), classes, review, review)


def entry(name: str, *windows: tuple[float, ...] | NoSteel) -> Listed:
    image = NewImage(name, sha256(name.encode()), len(windows) == 6, "")
    return Listed("upload", True, image, Answer(WHEN, windows) if windows else None)


def test_what_is_flagged_comes_before_what_is_only_more_probable_and_the_unasked_last() -> None:
    low = point(0.4, 0.99, 0.99, 0.99)
    calm, scab, doubt, unasked = entry("c", CALM), entry("s", SCAB), entry("d", DOUBT), entry("u")
    ordered = most_suspicious_first([unasked, calm, scab, doubt], low)
    assert [one.image.name for one in ordered] == [
        "d",
        "s",
        "c",
        "u",
    ]  # 0.45 reaches 0.4, 0.9 does not reach 0.99
    assert [one.image.name for one in most_suspicious_first([doubt, calm, scab], None)] == ["s", "d", "c"]
    assert most_suspicious(Answer(WHEN, (CALM, SCAB, DOUBT)), low) == 2
    assert most_suspicious(Answer(WHEN, (CALM, SCAB, DOUBT)), None) == 1


def test_the_list_names_the_window_the_answer_there_and_all_that_is_flagged() -> None:
    thresholds = point(0.4, 1.0, 0.5, 1.0)
    strip = entry("s.png", CALM, SCAB, DOUBT, CALM, CALM, SCAB)
    frame = as_frame([strip, entry("u.png")], thresholds)
    first = frame.iloc[0].to_dict()
    assert [first[name] for name in ("window", "answer", "defect")] == [2, "3 · scratches and scabs", 0.9]
    assert first["flagged"] == "1 in 3; 3 in 2, 6"
    assert strip.answer
    assert flagged_in_words(strip.answer, thresholds) == "1 in window 3; 3 in windows 2 and 6"
    worst = entry("w.png", *[(0.1, 0.0, 0.0, 0.5, 0.4)] * 5, SCAB)
    assert as_frame([worst], point(0.5, 0.5, 0.5, 0.4))["flagged"][0] == "3 in all; 4 in 1-5"
    assert frame["window"].isna().tolist() == [False, True]
    assert flagged_in_words(Answer(WHEN, (CALM,)), thresholds) == ""
    assert as_frame([], None).empty


def test_the_results_have_a_row_a_window_or_a_row_that_waits_and_run_no_formula() -> None:
    strip = entry("=a.png", CALM, SCAB, DOUBT, CALM, CALM, SCAB)
    text = results_csv([strip, entry("p.png", SCAB), entry("u.png")], point(0.4, 1.0, 0.5, 1.0), "beef")
    *rows, waiting = csv.DictReader(io.StringIO(text))
    assert {name: said for name, said in waiting.items() if said} == {
        "file": "u.png",
        "from": "upload",
        "sha256": sha256(b"u.png"),
        "answer_name": "not asked yet",
    }
    assert len(rows) == 6 + 1
    assert [row["file"] for row in rows] == ["'=a.png"] * 6 + ["p.png"]
    assert [row["window"] for row in rows] == [*"123456", "1"]
    assert [row["x"] for row in rows] == ["32", "288", "544", "800", "1056", "1312", "0"]
    assert [row["flagged"] for row in rows] == ["", "3", "1", "", "", "3", "3"]
    assert [float(rows[1][f"p{label}"]) for label in range(5)] == list(SCAB)
    assert (rows[1]["answer"], rows[1]["answer_name"]) == ("3", "scratches and scabs")
    assert {row["weights_sha256"] for row in rows} == {"beef"}
    assert {row["asked"] for row in rows} == {"2026-11-28T07:30:00.000000+00:00"}
    assert {row["sha256"] for row in rows} == {sha256(b"=a.png"), sha256(b"p.png")}


def test_a_picture_without_steel_is_known_by_data_preparation_s_rule_or_by_its_one_grey_value() -> None:
    written = yaml.safe_load((Path(MAIN).parents[1] / "configs/data_prep.yaml").read_text())
    assert written["black_level"] == BLACK_LEVEL
    black, white = np.zeros((256, 256), np.uint8), np.full((256, 256), 255, np.uint8)
    assert (no_steel(black), no_steel(white)) == (NoSteel.BLACK, NoSteel.BLANK)
    black[:128] = 1  # a mean of 0.5, which data preparation keeps
    assert no_steel(black) is None
    black[0, 0] = 0
    assert no_steel(black) is NoSteel.BLACK
    white[0, :65] = 0  # of 65,536 pixels 65.536 are a thousandth
    assert no_steel(white) is NoSteel.BLANK
    white[0, 65] = 0
    assert no_steel(white) is None


def test_windows_without_steel_are_not_flagged_and_said_to_be_so_in_the_list_the_csv_and_the_reports() -> (
    None
):
    thresholds = point(0.0, 0.5, 0.5, 0.5)
    part = entry("s.png", NoSteel.BLACK, SCAB, CALM, NoSteel.BLANK, CALM, CALM)
    none = entry("n.png", *[NoSteel.BLANK] * 6)
    assert [one.image.name for one in most_suspicious_first([none, part], thresholds)] == ["s.png", "n.png"]
    frame = as_frame([part, none], thresholds)
    assert list(frame["remark"]) == [
        "black: 1; blank: 4",
        "blank: all",
    ]
    assert (frame["window"][0], frame["answer"][1], frame["flagged"][1]) == (2, "no steel to see", "")
    assert frame["window"].isna().tolist() == frame["defect"].isna().tolist() == [False, True]
    rows = list(csv.DictReader(io.StringIO(results_csv([part], thresholds, "beef"))))
    assert [row["answer_name"] for row in rows][::3] == ["no steel to see: black", "no steel to see: blank"]
    assert [row["answer"] for row in rows] == ["", "3", "0", "", "0", "0"]
    assert {row[name] for row in rows[::3] for name in ("p0", "flagged", "weights_sha256", "asked")} == {""}
    assert part.answer
    assert none.answer
    assert strip_in_words(part.answer, point(0.99, 1.0, 0.5, 1.0)) == (
        "Of 4 windows that can be judged **1** is flagged for an inspector to look at: class 3 in window 2. "
        "**No steel to see: window 1 is black, window 4 is blank.**"
    )
    assert strip_in_words(none.answer, None).startswith("**No steel to see: all windows are blank.**")
    made = list_report(asker(None), WHEN, [part, none], [], lambda one: steel(1))
    said = words_of(made)
    assert "Images: 2, of them 1 with a defect" in said
    assert "s.png: no steel to see: window 1 is black, window 4 is blank." in said
    told = Told(part.image, "upload", steel(1), part.answer)
    section = image_report(asker(None), WHEN, told, "SISE", {1: np.ones((256, 256), np.float32)}).sections[0]
    for one in section.pictures:
        hatched = np.asarray(Image.open(io.BytesIO(one.png)).convert("RGB"))
        different = (hatched != steel(1)[..., None]).any(axis=(0, 2))
        assert different[32:288].all(), "the window without steel is hatched"
        assert different[800:1056].all()
        assert not different[1056:].any()
    assert [row[1] for row in section.tables[0].rows][::3] == [
        "no steel to see: black",
        "no steel to see: blank",
    ]
    assert to_pdf(made).startswith(b"%PDF")


def test_nothing_is_asked_twice_and_who_comes_while_another_asks_looks_again() -> None:
    answers = Answers(most=2)
    asked: list[str] = []

    def ask() -> Answer:
        asked.append("once")
        assert not answers.ask("w", "b", lambda: pytest.fail("asked beside another"))
        return Answer(WHEN, (CALM,))

    assert answers.ask("w", "a", ask)
    assert answers.ask("w", "a", ask)
    assert asked == ["once"]
    assert answers.get("other weights", "a") is None
    for image in "bc":
        answers.ask("w", image, lambda: Answer(WHEN, (SCAB,)))
    assert answers.get("w", "a") is None, "the one longest unused made room"
    assert answers.get("w", "c") == Answer(WHEN, (SCAB,))


# Reports.


def words_of(report: Report) -> str:
    return to_html(report).decode()


def asker(thresholds: OperatingPoint | None) -> Asker:
    return Asker("Anna", "run_7", "resnet18, epoch 3", "beef", thresholds)


def test_a_report_of_the_list_tells_all_images_shows_what_is_flagged_and_names_what_was_not_taken() -> None:
    flagged, calm, gone = entry("s.png", *[CALM] * 5, SCAB), entry("c.png", CALM), entry("g.png", SCAB)
    greys = {"s.png": steel(5), "c.png": steel()[:, :256]}
    made = list_report(
        asker(point(0.5, 0.5, 0.5, 0.5)),
        WHEN,
        [flagged, gone, calm, entry("u.png")],
        [("upload", Refused("<b>.jpg", "not an image"))],
        lambda one: greys.get(one.image.name),
    )
    said = words_of(made)
    summary, pictures, wrong = made.sections
    assert [row[0] for row in summary.tables[0].rows] == ["s.png", "g.png", "c.png", "u.png"]
    assert "Images: 4, of them 2 flagged" in said
    assert "not asked about 1 of them" in said
    assert [one.lines for one in pictures.pictures] == [("s.png", "flagged as class 3 in window 6")]
    assert "1 could no longer be read" in said
    assert "&lt;b&gt;.jpg" in said
    assert wrong.tables[0].rows[0][2] == "not an image"
    assert sha256(b"s.png") in said
    assert to_pdf(made).startswith(b"%PDF")


def test_a_report_of_a_strip_lays_the_heat_on_its_windows_and_says_which_are_not_made() -> None:
    image, grey = read_new("bad.png", GOOD), grey_of(GOOD)
    answer = Answer(WHEN, (CALM, CALM, SCAB, CALM, CALM, CALM))
    told = Told(image, "upload", grey, answer)
    made = image_report(asker(None), WHEN, told, "SISE", {2: np.ones((256, 256), np.float32)})
    steel_alone, with_heat = (
        np.asarray(Image.open(io.BytesIO(one.png)).convert("RGB")) for one in made.sections[0].pictures
    )
    assert np.array_equal(steel_alone[:, :, 0], grey)
    changed = np.nonzero((steel_alone != with_heat).any(axis=(0, 2)))[0]
    assert (changed.min(), changed.max()) == (544, 799)
    said = words_of(made)
    assert "not made yet for 5 of 6 windows" in said
    assert "beef" in said
    assert image.sha256 in said
    assert [row[1] for row in made.sections[0].tables[0].rows].count("3 · scratches and scabs") == 1
    bare = image_report(asker(None), WHEN, told, "SISE", {})
    assert len(bare.sections[0].pictures) == 1
    assert "was not made yet, so only the steel is shown" in words_of(bare)


# The page.


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    st.cache_resource.clear()
    st.cache_data.clear()
    yield
    loading.jobs().close()


@pytest.fixture(autouse=True)
def _quick_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    """Maps that are hot everywhere, in no time."""
    for name in METHODS:
        monkeypatch.setitem(
            METHODS, name, lambda **settings: lambda model, images, targets: images[:, 0] * 0 + 1
        )


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch, planted_run: Path, tmp_path: Path) -> Callable[..., AppTest]:
    """The page, with no data folder at all: new strips need none."""

    def opened(*more: object, run: Path = planted_run, **address: str) -> AppTest:
        arguments = ["--data", tmp_path / "no data", "--run", run, *more]
        monkeypatch.setattr("sys.argv", ["app/main.py", *map(str, arguments)])
        page = AppTest.from_file(MAIN, default_timeout=60)
        page._page_hash = calc_hash("new")
        page.query_params.update(address)
        return page.run()

    return opened


def upload(page: AppTest, *files: tuple[str, bytes]) -> AppTest:
    page.file_uploader[0].set_value([(name, content, "image/png") for name, content in files])
    return until(page.run(), lambda: "not asked yet" not in table(page).get("answer", []))


def until(page: AppTest, settled: Callable[[], bool]) -> AppTest:
    """The page once it has come to rest; a browser would look again by itself."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        loading.jobs().wait_until_idle(60)
        if settled():
            return page
        time.sleep(0.05)
        page.run()
    raise AssertionError("the page did not come to rest")


def table(page: AppTest, place: int = 0) -> dict[str, list[Any]]:
    frames = page.dataframe
    if len(frames) <= place:
        return {}
    return {str(name): list(column) for name, column in frames[place].value.items()}


def drawings(page: AppTest) -> list[str]:
    """The components that draw something; one on every page listens for clicks."""
    names = [one.proto.component_name for one in page.get("bidi_component")]
    return [name for name in names if "browser" not in name]


def words(page: AppTest) -> str:
    kinds = (page.error, page.warning, page.info, page.subheader, page.markdown, page.caption)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def component(page: AppTest, name: str) -> str:
    """The data of a component, as JSON; a page that waits has none."""
    found = [one.proto.json for one in page.get("bidi_component") if name in one.proto.component_name]
    return str(found[0]) if found else ""


def count(page: AppTest, name: str, state: str) -> int:
    return len(re.findall(rf'"state": ?"{state}"', component(page, name)))


def test_uploads_are_judged_by_the_model_the_most_suspicious_first_and_wrong_ones_listed(
    open_page: Callable[..., AppTest],
) -> None:
    wrong = [(name, content) for name, (content, _) in WRONG.items() if name != "bomb.png"]
    page = upload(open_page(), ("calm.png", SOUND), ("bad.png", GOOD), *wrong)
    assert not page.exception
    shown = table(page)
    assert shown["file"] == ["bad.png", "calm.png"]
    assert shown["window"][0] == 3
    assert shown["answer"] == ["3 · scratches and scabs", "0 · sound"]
    assert shown["defect"][0] > 92
    assert shown["defect"][1] == pytest.approx(100 / (np.e**2 + 4), abs=0.05)
    said = dict(zip(table(page, 1)["file"], table(page, 1)["reason"], strict=True))
    assert said.keys() == {name for name, _ in wrong}
    assert all(WRONG[name][1] in reason for name, reason in said.items())
    assert f"{len(wrong)} files were not taken" in words(page)
    assert "2 images, 1 with a defect as the answer" in words(page)


def test_an_opened_upload_shows_its_windows_and_a_window_its_heat_without_ground_truth(
    open_page: Callable[..., AppTest],
) -> None:
    page = upload(open_page(), ("bad.png", GOOD), ("calm.png", SOUND))
    page.query_params["upload"] = sha256(GOOD)
    page.run()
    until(page, lambda: count(page, "strip", "ready") == 6)
    assert "New strip bad" in words(page)
    assert "Of 6 windows the model finds a defect on **1**" in words(page)
    assert "it lives in this session alone" in words(page)
    assert re.search(r'"has_truth": ?false', component(page, "strip"))
    assert "Image 1 of 2" in words(page)
    page.query_params["window"] = "3"
    page.run()
    until(page, lambda: count(page, "layers", "ready") == 2)
    assert "Window 3 of bad" in words(page)
    assert "The model's answer: **3 · scratches and scabs**" in words(page)
    assert re.search(r'"has_truth": ?false', component(page, "layers"))
    assert "marked" not in component(page, "bars")
    page.button(key="Next new strip").click().run()
    assert dict(page.query_params) == {"upload": sha256(SOUND)}
    assert "New strip calm" in words(page)


def test_of_black_and_white_uploads_the_model_is_asked_nothing(
    open_page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    ask = loading.ask

    def noted(model: Any, grey: np.ndarray) -> tuple[float, ...]:
        asked.append(float(grey.mean()))
        return ask(model, grey)

    monkeypatch.setattr(loading, "ask", noted)
    half = steel(5)
    half[:, :544] = 0
    black, white = (
        encode_png(np.zeros(STRIP_SHAPE, np.uint8)),
        encode_png(np.full(PATCH_SHAPE, 255, np.uint8)),
    )
    page = upload(open_page(), ("black.png", black), ("white.png", white), ("half.png", encode_png(half)))
    assert len(asked) == 4
    assert min(asked) > 60
    assert "3 images, 1 with a defect as the answer on a window, 3 with no steel to see on a window" in words(
        page
    )
    assert table(page)["remark"][0] == "black: 1, 2"
    page.query_params["upload"] = sha256(encode_png(half))
    page.run()
    until(page, lambda: count(page, "strip", "ready") == 4)
    assert "Of 4 windows that can be judged the model finds a defect on **1**" in words(page)
    assert len(re.findall(r'"seen": ?false', component(page, "strip"))) == 2
    page.query_params["window"] = "1"
    page.run()
    assert "No steel to see: the window is black." in words(page)
    assert re.search(r'"has_truth": ?false', component(page, "layers"))
    page.query_params.clear()
    page.query_params["upload"] = sha256(white)
    page.run()
    assert "No steel to see: the picture is blank." in words(page)
    assert len(asked) == 4
    assert not page.exception


def test_a_patch_by_itself_is_one_window(open_page: Callable[..., AppTest]) -> None:
    patch = encode_png(np.ascontiguousarray(steel(2)[:, 544:800]))
    page = upload(open_page(), ("p.png", patch))
    assert table(page)["window"] == [1]
    page.query_params["upload"] = sha256(patch)
    page.run()
    assert "New patch p" in words(page)
    assert component(page, "layers")


def test_another_session_sees_nothing_of_an_upload(open_page: Callable[..., AppTest]) -> None:
    mine = upload(open_page(), ("bad.png", GOOD))
    other = open_page()
    assert "There is nothing here yet." in words(other)
    other.query_params["upload"] = sha256(GOOD)
    assert "This upload is not here." in words(other.run())
    assert not drawings(other)
    assert table(mine.run())["file"] == ["bad.png"]


def test_uploads_outlive_a_visit_to_another_page_and_can_be_forgotten(
    open_page: Callable[..., AppTest],
) -> None:
    page = upload(open_page(), ("bad.png", GOOD))
    page._page_hash = calc_hash("queue")
    page.run()
    page._page_hash = calc_hash("new")
    page.run()
    assert table(page)["file"] == ["bad.png"]
    next(one for one in page.button if one.label == "Forget all uploads").click().run()
    assert "There is nothing here yet." in words(page)


def test_an_address_of_nothing_known_is_answered_in_words(
    open_page: Callable[..., AppTest], mill: Path
) -> None:
    page = open_page("--watch", mill)
    for address, said in (
        ({"strip": "../../etc/passwd"}, "not among the new strips"),
        ({"strip": "<script>.png"}, r"\<script\>"),
        ({"upload": "../x"}, "This upload is not here."),
    ):
        page.query_params.clear()
        page.query_params.update(address)
        page.run()
        assert not page.exception
        assert said in words(page)
        assert not drawings(page)


def test_a_window_that_the_strip_does_not_have_is_refused(open_page: Callable[..., AppTest]) -> None:
    page = upload(open_page(), ("bad.png", GOOD))
    for window in ("0", "7", "x", "1e0", "٣"):
        page.query_params.update({"upload": sha256(GOOD), "window": window})
        assert "names a window that this picture does not have" in words(page.run())


def test_the_watched_folder_is_named_by_its_name_alone_and_a_shared_address_waits_for_its_file(
    open_page: Callable[..., AppTest], mill: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.new_strips.watch.EVERY", 0.2)
    monkeypatch.setattr("app.new_strips.watch.STILL", 0.1)
    (mill / "bad.png").write_bytes(GOOD)
    (mill / "words.jpg").write_bytes(b"words")
    page = open_page("--watch", mill, strip="bad.png")
    assert "The watched folder is being read" in words(page)
    until(page, lambda: "New strip bad" in words(page))
    page.query_params.clear()
    page.run()
    assert f"Watched folder: {MILL.replace('_', chr(92) + '_')}, 2 files looked at." in words(page)
    assert (table(page)["file"], table(page, 1)["from"]) == (["bad.png"], [MILL])
    assert str(mill.parent) not in words(page) + str(page.dataframe[1].value)
    shutil.rmtree(mill)
    until(page, lambda: "The watched folder cannot be read now." in words(page))
    assert str(mill.parent) not in words(page)


def test_without_a_model_the_page_says_how_to_come_by_one(
    open_page: Callable[..., AppTest], tmp_path: Path
) -> None:
    page = open_page(run=tmp_path / "no run")
    assert "There is no trained model to ask." in words(page)
    assert not page.exception


def test_real_strips_are_taken_as_they_are(real_sample: Path) -> None:
    paths = sorted((real_sample / "test_images").iterdir())
    assert paths
    for path in paths[:20]:
        assert read_new(path.name, path.read_bytes()).is_strip
