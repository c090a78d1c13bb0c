"""An evaluation's folder: what lies about in it, and what of it is damaged."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from explain.company import Company
from explain.evaluation.answers import Answer
from explain.evaluation.cascade import Cascade
from explain.evaluation.files import open_folders, read_maps, read_record, write_maps, write_record
from explain.evaluation.rows import Row
from explain.evaluation.studies import is_whole
from explain.gallery import _check_output
from explain.records import Maker, check_maker, claim, settings_of
from severstal_xai.errors import InputError


def test_what_nobody_put_into_the_folder_does_not_stop_a_restart(tmp_path: Path) -> None:
    def start() -> None:
        _check_output(tmp_path)
        makers = {"answers": Maker("weights", "none", {})}
        company = Company(0, 1, torch.device("cpu"))
        open_folders(tmp_path, makers, lambda _: False, company, overwrite=False)

    for name in (".report.html.77.severstal_xai.part", ".DS_Store", "Thumbs.db", "desktop.ini"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "mine.txt").write_bytes(b"")
    with pytest.raises(InputError, match=r"holds 'mine\.txt'"):
        start()
    (tmp_path / "mine.txt").unlink()
    start()


def test_of_two_processes_that_come_to_a_fresh_folder_with_other_settings_the_second_is_refused(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "sise"
    first, second = (Maker("weights", "label", {"mu": mu}) for mu in (0.0, 0.3))
    for maker in (first, second):
        check_maker(folder, maker)  # both find nothing there
    claim(folder, first, overwrite=False)
    for refused in (check_maker, partial(claim, overwrite=False)):  # before the first has written a row
        with pytest.raises(InputError, match=r"sise: holds maps with settings\.mu 0\.0, now 0\.3"):
            refused(folder, second)
    assert settings_of(folder) == {"target": "label", "settings.mu": 0.0}
    claim(folder, first, overwrite=False)  # another one of the same settings
    assert [path.name for path in folder.iterdir()] == ["settings.yaml"]
    claim(folder, second, overwrite=True)
    assert settings_of(folder) == {"target": "label", "settings.mu": 0.3}


PATCH, OF = "strip0_1", {"image_sha256": "a", "mask_sha256": "b", "label": 3}
GOOD = Row(PATCH, 3, "sise", 3, 0.5, 0.5, 0.1, 0, None, None, 0.4, 0.3, 0.2, empty=False, seconds=1.0)


def read_back(folder: Path) -> Row | None:
    return read_record(folder, PATCH, OF, Row, label=3, method="sise")


@pytest.mark.parametrize(
    "damage",
    [
        {"drop": "abc"},
        {"drop": None},
        {"label": 99},
        {"label": "3"},
        {"method": "foo"},
        {"patch": "nonsense"},
        {"empty": 1},
        {"more": 1},
    ],
)
def test_a_record_that_says_what_it_cannot_say_is_not_there(tmp_path: Path, damage: dict[str, Any]) -> None:
    write_record(tmp_path, PATCH, OF, GOOD)
    assert read_back(tmp_path) == GOOD
    path = tmp_path / f"{PATCH}.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({"of": OF, "row": content["row"] | damage}))
    assert read_back(tmp_path) is None


@pytest.mark.parametrize(
    "content",
    ["", "{", "[1,2]", "7", "[" * 100_000, '{"of": 1}', json.dumps({"of": OF, "row": [1, 2]})],
)
def test_a_record_that_is_none_is_not_there(tmp_path: Path, content: str) -> None:
    (tmp_path / f"{PATCH}.json").write_text(content)
    assert read_back(tmp_path) is None


def test_lists_of_a_record_that_do_not_go_side_by_side_are_damage(tmp_path: Path) -> None:
    for ssim, there in (([0.5, 0.1], True), ([0.5], False)):
        write_record(tmp_path, PATCH, OF, Cascade(PATCH, 3, ["fc", "conv1"], [0.5, float("nan")], ssim))
        assert (read_record(tmp_path, PATCH, OF, Cascade, label=3) is not None) == there
    for box, there in ((None, True), ([0, 0, 8, 8], True), ([0, 0], False)):
        write_record(tmp_path, PATCH, OF, Answer(PATCH, 3, 1, 0.9, box=box))
        assert (read_record(tmp_path, PATCH, OF, Answer, label=3) is not None) == there


def test_a_map_that_is_damaged_or_of_another_shape_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / f"{PATCH}.npy"
    write_maps(tmp_path, PATCH, np.full((4, 6), 0.5))
    assert np.array_equal(read_maps(tmp_path, PATCH, (4, 6)), np.full((4, 6), 0.5))  # type: ignore[arg-type]
    assert read_maps(tmp_path, PATCH, (6, 4)) is None
    whole = path.read_bytes()
    for damaged in (
        b"",
        b"junk",
        b"PK\x03\x04",
        whole[:-1],
        whole[:20],
        whole.replace(b"(4, 6)", b"(((((  "),
    ):
        path.write_bytes(damaged)
        assert read_maps(tmp_path, PATCH, (4, 6)) is None
    np.save(path, np.full((4, 6), "text"))
    assert read_maps(tmp_path, PATCH, (4, 6)) is None
    path.unlink()
    assert read_maps(tmp_path, PATCH, (4, 6)) is None


def test_a_study_s_record_is_whole_with_the_maps_that_belong_to_it(tmp_path: Path) -> None:
    record = Cascade(PATCH, 3, ["fc", "conv1"], [0.5, 0.1], [0.5, 0.1])
    assert not is_whole(tmp_path, record)
    write_maps(tmp_path, PATCH, np.zeros((2, 256, 256)))
    assert not is_whole(tmp_path, record)
    write_maps(tmp_path, PATCH, np.zeros((3, 256, 256)))
    assert is_whole(tmp_path, record)
    assert is_whole(tmp_path / "none", Answer(PATCH, 3, 1, 0.9))
    assert not is_whole(tmp_path / "none", Answer(PATCH, 3, 1, 0.9, energy=0.9, overlap=0.0, dark=0.0))
