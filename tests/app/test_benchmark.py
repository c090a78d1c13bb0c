"""The inspector's benchmark: the data that it makes, what it tells, the whole command in a real browser, and wrong input."""

from pathlib import Path

import pytest

from app.benchmark.__main__ import main
from app.benchmark.enlarged import copy_name, enlarged
from app.benchmark.outcome import FIRST, PATCH, Outcome, told
from app.benchmark.served import served
from severstal_xai.checkpoint import load_checkpoint
from severstal_xai.errors import InputError
from severstal_xai.manifest import Manifest, read_manifest


def test_data_is_repeated_until_there_is_enough_of_it(
    tmp_path: Path, made_data: Manifest, planted_run: Path
) -> None:
    rows = 2 * len(made_data.patches) + 3
    large, run = enlarged(made_data.root, planted_run, rows, tmp_path)
    assert read_manifest(large.root).patches == large.patches
    assert len({patch.patch for patch in large.patches}) == rows
    sources = {copy_name(patch.patch, number): patch for number in range(3) for patch in made_data.patches}
    for patch in large.patches:
        source = sources[patch.patch]
        assert (patch.image_sha256, patch.label, patch.split) == (
            source.image_sha256,
            source.label,
            source.split,
        )
        assert (large.read_image(patch) == made_data.read_image(source)).all()
    assert load_checkpoint(run).card.data_checksum == large.checksum


def test_what_is_told_is_the_median_the_longest_and_how_many_were_in_time() -> None:
    outcome = Outcome(
        {PATCH: [100.0, 300.0, 301.0], FIRST: [1999.0, 2500.0]}, 1, 20, [100.0, 110.0, 112.0], 30, "net", 1234
    )
    lines = told(outcome).splitlines()
    assert "| cached patch | 3 | 300 | 301 | 300 | 2 of 3 |" in lines
    assert "| first map of SISE, alone | 2 | 2250 | 2500 | 2000 | 1 of 2 |" in lines
    assert any(line.startswith("20 sessions at once, two maps each: 1 differed") for line in lines)
    assert lines[-1].endswith("changed by +2 MB.")


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--clicks", "1"], "clicks"),
        (["--rows", "0"], "rows"),
        (["--sessions", "99"], "50 strips with test patches .* at least 99"),
        (["--rows", "20", "--clicks", "2", "--sessions", "1", "--memory_clicks", "50"], "--memory_clicks 50"),
    ],
)
def test_what_cannot_be_measured_is_named(
    tmp_path: Path, made_data: Manifest, planted_run: Path, more: list[str], named: str
) -> None:
    asked = ["--run", planted_run, "--data", made_data.root, "--rows", "200", "--output", tmp_path, *more]
    with pytest.raises(InputError, match=named):
        main([str(word) for word in asked])


def test_an_inspector_that_does_not_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match=r"(?s)did not start.*no-such-option"),
        served(tmp_path, tmp_path, tmp_path / "log.txt", "--no-such-option"),
    ):
        pass


def test_an_output_that_is_a_file_is_named_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "kept.txt"
    output.write_text("kept")
    monkeypatch.setattr("app.benchmark.__main__.prepare", lambda *_: pytest.fail("it began"))
    with pytest.raises(InputError, match=r"kept\.txt: is a file"):
        main(["--run", str(tmp_path), "--data", str(tmp_path), "--output", str(output)])
    assert output.read_text() == "kept"
