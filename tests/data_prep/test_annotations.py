"""`train.csv`: both forms, what must simply work, and what is rejected without losing a strip's doubt."""

import pytest

from data_prep.annotations import read_annotations
from severstal_xai.errors import InputError

NEW = "ImageId,ClassId,EncodedPixels"
IMAGES = ("a.jpg", "b.jpg", "c_3.jpg", "d,e.jpg", "f.png")


def new_form(*rows: str, header: str = NEW, end: str = "\n") -> bytes:
    return end.join([header, *rows, ""]).encode()


@pytest.mark.parametrize(
    "content",
    [
        new_form("a.jpg,3,1 2 5 1", "b.jpg,1,7 7"),
        b"\xef\xbb\xbf" + new_form("a.jpg,3,1 2 5 1", "b.jpg,1,7 7"),
        new_form("a.jpg,3,1 2 5 1", "b.jpg,1,7 7", end="\r\n"),
        new_form("a.jpg,3,1 2 5 1", "b.jpg,1,7 7", end="\r"),
        new_form('"a.jpg","3","1 2 5 1"', 'b.jpg,1,"7 7"', header='"ImageId","ClassId","EncodedPixels"'),
        new_form(" a.jpg , 3 , 1 2 5 1 ", "", "   ", "b.jpg,1,7 7"),
        new_form("3,1 2 5 1,note,a.jpg", "1,7 7,,b.jpg", header="ClassId,EncodedPixels,Remark,ImageId"),
        new_form("a.jpg,3,1 2 5 1", "b.jpg,1,7 7").rstrip(b"\n"),
        b"ImageId_ClassId,EncodedPixels\na.jpg_1,\na.jpg_3,1 2 5 1\nb.jpg_1,7 7\nb.jpg_2,\nf.png_4,\n",
    ],
)
def test_every_way_to_write_the_same_rows_reads_the_same(content: bytes) -> None:
    found = read_annotations(content, IMAGES)
    assert found.masks == {"a.jpg": {3: "1 2 5 1"}, "b.jpg": {1: "7 7"}}
    assert not found.rejects
    assert not found.doubtful


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a.jpg,0,1 1", "class '0', expected 1 to 4"),
        ("a.jpg,5,1 1", "class '5', expected 1 to 4"),
        ("a.jpg,-1,1 1", "class '-1', expected 1 to 4"),
        ("a.jpg,3.0,1 1", "class '3.0', expected 1 to 4"),
        ("a.jpg,,1 1", "class '', expected 1 to 4"),
        ("a.jpg,three,1 1", "class 'three', expected 1 to 4"),
        ("a.jpg,3,", "EncodedPixels is empty"),
        ("a.jpg,3,1", "has 1 numbers, expected pairs"),
        ("a.jpg,3,x 1", "holds 'x', expected whole numbers"),
        ("a.jpg,3,0 1", "starts before pixel 1"),
        ("a.jpg,3,-5 1", "starts before pixel 1"),
        ("a.jpg,3,1 0", "has no length"),
        ("a.jpg,3,1 -1", "has no length"),
        ("a.jpg,3,409600 2", "runs past the last pixel, 409600"),
        ("a.jpg,3,1 5 3 1", "starts before the end of the run before it"),
        ("a.jpg,3,9 1 1 1", "starts before the end of the run before it"),
        ("a.jpg,3", "2 cells, expected 3"),
        ("a.jpg,3,1 1,more", "4 cells, expected 3"),
        ("a.jpg", "1 cells, expected 3"),
        ('"a.jpg,3,1 1', "not a line of CSV"),
        ('a.jpg,3,"1 1', "not a line of CSV"),
        ("train_images/a.jpg,3,1 1", "expected a plain file name"),
        ("..\\a.jpg,3,1 1", "expected a plain file name"),
        ("C:a.jpg,3,1 1", "expected a plain file name"),
        ("a,3,1 1", "strip 'a' has no usable file"),
        ("A.JPG,3,1 1", "strip 'A.JPG' has no usable file"),
        ("a.png,3,1 1", "strip 'a.png' has no usable file"),
        ("3,1 1,a.jpg", "has no usable file"),
        ("x,3,1 1,a.jpg", "4 cells, expected 3"),
    ],
)
def test_a_row_that_cannot_be_true_is_rejected_with_its_line_and_its_strip_is_in_doubt(
    row: str, reason: str
) -> None:
    found = read_annotations(new_form("b.jpg,1,7 7", row, "f.png,2,8 8"), IMAGES)
    assert found.masks == {"b.jpg": {1: "7 7"}, "f.png": {2: "8 8"}}
    assert [(one.file, one.line, one.value) for one in found.rejects] == [("train.csv", 3, row)]
    assert reason in found.rejects[0].reason
    assert found.doubtful == {"a.jpg"}


def test_a_rejected_row_takes_the_doubt_to_a_strip_whose_other_rows_are_fine() -> None:
    found = read_annotations(new_form("a.jpg,1,7 7", "a.jpg,3,oops 1"), IMAGES)
    assert found.doubtful == {"a.jpg"}


def test_a_name_with_a_comma_is_in_doubt_when_its_row_is_rejected() -> None:
    assert read_annotations(new_form('"d,e.jpg",7,1 1'), IMAGES).doubtful == {"d,e.jpg"}


def test_the_same_strip_and_class_twice_is_rejected_at_the_second_line() -> None:
    found = read_annotations(new_form("a.jpg,3,1 1", "a.jpg,3,9 1"), IMAGES)
    assert [one.line for one in found.rejects] == [3]
    assert "strip 'a.jpg' and class 3 came before" in found.rejects[0].reason
    assert found.doubtful == {"a.jpg"}


@pytest.mark.parametrize(
    "row", ["a.jpg_0,1 1", "a.jpg_5,", "a.jpg,1 1", "a.jpg_3,1", "a_3,1 1", "a.jpg_3,1 1,x"]
)
def test_the_older_form_s_bad_rows_are_rejected_too(row: str) -> None:
    found = read_annotations(f"ImageId_ClassId,EncodedPixels\n{row}\n".encode(), IMAGES)
    assert [one.line for one in found.rejects] == [2]
    assert not found.masks
    assert found.doubtful == (set() if row == "a.jpg,1 1" else {"a.jpg"})


def test_a_strip_whose_own_name_ends_like_a_class_is_not_taken_for_another() -> None:
    content = b"ImageId_ClassId,EncodedPixels\nc_3.jpg_2,1 1\n"
    assert read_annotations(content, IMAGES).masks == {"c_3.jpg": {2: "1 1"}}


def test_an_unclosed_quote_costs_its_own_line_and_no_other() -> None:
    found = read_annotations(new_form('a.jpg,3,"1 1', "b.jpg,1,7 7"), IMAGES)
    assert found.masks == {"b.jpg": {1: "7 7"}}


def test_bytes_that_are_no_text_cost_their_own_line_and_no_other() -> None:
    found = read_annotations(NEW.encode() + b"\na.jpg,3,1 \xff\nb.jpg,1,7 7\n", IMAGES)
    assert found.masks == {"b.jpg": {1: "7 7"}}
    assert found.doubtful == {"a.jpg"}
    assert [one.line for one in found.rejects] == [2]


def test_a_mask_of_very_many_runs_is_read() -> None:
    """A chequerboard of a strip: 204,800 runs of a pixel, over a million characters in one cell."""
    runs = " ".join(f"{start} 1" for start in range(1, 409600, 2))
    found = read_annotations(new_form(f"a.jpg,3,{runs}"), IMAGES)
    assert not found.rejects
    assert found.masks["a.jpg"][3] == runs


def test_what_is_noted_of_a_rejected_row_is_short() -> None:
    found = read_annotations(new_form("a.jpg," + "9" * 200_000 + ",1 1"), IMAGES)
    assert len(found.rejects[0].value) + len(found.rejects[0].reason) < 500


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\n\r\n  \n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"ImageId,ClassId\na.jpg,3\n", "column EncodedPixels is there 0 times"),
        (b"ClassId,EncodedPixels\n3,1 1\n", "column ImageId is there 0 times"),
        (b"ImageId_ClassId\na.jpg_3\n", "column EncodedPixels is there 0 times"),
        (b"ImageId,ImageId,ClassId,EncodedPixels\n", "column ImageId is there 2 times"),
        (b"a.jpg,3,1 1\n", "column ImageId is there 0 times"),
        (b"ImageId;ClassId;EncodedPixels\na.jpg;3;1 1\n", "column ImageId is there 0 times"),
        ("ImageId,ClassId,EncodedPixels\n".encode("utf-16"), "column ImageId is there 0 times"),
        (b"\x89PNG\r\n\x1a\n", "column ImageId is there 0 times"),
    ],
)
def test_where_no_strip_s_truth_can_be_known_nothing_is_read(content: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=f"train.csv.*{reason}") as caught:
        read_annotations(content, IMAGES)
    assert "\n" not in str(caught.value)
