"""The windows that became no patch: what is written is read back, of earlier folders as much as they keep, and nothing damaged."""

from pathlib import Path

import numpy as np
import pytest

from severstal_xai.errors import InputError
from severstal_xai.imaging import PATCH_SHAPE
from severstal_xai.left_out import LEFT_OUT_FILE, LeftOutWindow, read_left_out, write_left_out
from severstal_xai.rle import encode_rle

HEADER = "patch,label,mean_grey,reason,mask_1,mask_2,mask_3,mask_4\n"


def square(row: int, column: int) -> np.ndarray:
    mask = np.zeros(PATCH_SHAPE, dtype=bool)
    mask[row : row + 3, column : column + 5] = True
    return mask


def test_windows_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    marked = {4: square(0, 0), 2: square(250, 251)}
    runs = {label: encode_rle(mask) for label, mask in marked.items()}
    windows = [
        LeftOutWindow("b_5", 2, 0.1 + 0.2, "several classes", runs),
        LeftOutWindow("NA_0", 0, 100.0, "sound, of a strip", {}),
    ]
    write_left_out(tmp_path, windows)
    found = read_left_out(tmp_path)
    assert found == {one.patch: one for one in windows}
    assert list(found) == ["NA_0", "b_5"], "sorted"
    assert (found["b_5"].classes, found["NA_0"].classes) == ((2, 4), ())
    masks = found["b_5"].masks()
    assert {label: masks[label].tolist() for label in masks} == {
        label: mask.tolist() for label, mask in marked.items()
    }


def test_where_no_window_was_left_out_the_list_is_empty(tmp_path: Path) -> None:
    write_left_out(tmp_path, [])
    assert (tmp_path / LEFT_OUT_FILE).read_text() == HEADER
    assert read_left_out(tmp_path) == {}


def test_a_folder_of_an_earlier_version_tells_the_class_but_not_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / LEFT_OUT_FILE).write_text(
        'patch,label,mean_grey,reason\na_1,0,9.5,"sound, of a strip"\na_2,3,9.5,several classes\n'
    )
    sound, marked = read_left_out(tmp_path).values()
    assert sound == LeftOutWindow("a_1", 0, 9.5, "sound, of a strip", None)
    assert (sound.classes, marked.classes) == ((), (3,))
    assert marked.masks() == {}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "not readable"),
        (b"\xff\xfe\x00", "not readable"),
        (b"patch,label\na_1,0\n", "not readable"),
        (b"patch,label,mean_grey,reason\na_1,much,9.5,black\n", "not readable"),
        (b"patch,label,mean_grey,reason\na_1,5,9.5,black\n", "patch 'a_1': label 5, expected one of 0 to 4"),
        (HEADER.encode() + b"a_1,3,9.5,black,,,65536 2,\n", "patch 'a_1': run 1, .* past the last pixel"),
    ],
)
def test_a_list_that_is_missing_or_damaged_is_refused(
    tmp_path: Path, content: bytes | None, complaint: str
) -> None:
    if content is not None:
        (tmp_path / LEFT_OUT_FILE).write_bytes(content)
    with pytest.raises(InputError, match=rf"left_out\.csv: {complaint}"):
        read_left_out(tmp_path)
