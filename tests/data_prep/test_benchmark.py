"""The benchmark: what it compares the build with does the same work, and its figures hang together."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from data_prep.benchmark import list_files, main, recode_all
from data_prep.source import open_source
from severstal_xai.errors import InputError
from severstal_xai.manifest import read_manifest


def test_bare_work_writes_the_very_patches_and_masks_of_the_build(
    tmp_path: Path, small_source: Path, prepare: Callable[..., int]
) -> None:
    data, bare = tmp_path / "patches", tmp_path / "bare"
    prepare(small_source, data)
    bare.mkdir()
    source = open_source(small_source)
    recode_all(source, list_files(source, data), bare, workers=2)
    expected = {}
    for patch in read_manifest(data).patches:
        expected[f"{patch.patch}.png"] = (data / patch.image).read_bytes()
        if patch.mask:
            expected[f"{patch.patch}_mask.png"] = (data / patch.mask).read_bytes()
    assert {path.name: path.read_bytes() for path in bare.iterdir()} == expected


def test_the_command_tells_seconds_and_the_median_of_their_ratios(
    small_source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([f"--source={small_source}", "--rounds=3"]) == 0
    told = json.loads(capsys.readouterr().out)
    ratios = sorted(pair["bare"] / pair["build"] for pair in told["seconds"])
    assert told["strips"] == 10
    assert len(ratios) == 3
    assert ratios[0] > 0
    assert told["median_bare_by_build"] == ratios[1]


def test_no_rounds_are_refused(small_source: Path) -> None:
    with pytest.raises(InputError, match="rounds 0, expected 1 or more"):
        main([f"--source={small_source}", "--rounds=0"])
