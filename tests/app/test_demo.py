"""The demo's order of work, with steps that are small commands of Python itself."""

from pathlib import Path

import pytest

from app.demo import __main__ as demo
from app.demo import steps
from app.demo.steps import STEPS, Step, command_of, do_step, is_whole
from severstal_xai.command import CONFIGS
from severstal_xai.errors import InputError

NONE = Step("do it", ("no_such_module",), Path("result"), 1)


def test_a_step_whose_result_is_there_is_not_done_again(tmp_path: Path) -> None:
    (tmp_path / "result").write_text("")
    assert do_step(NONE, tmp_path) is None
    with pytest.raises(InputError):
        do_step(NONE, tmp_path, anew=True)


def test_a_step_is_done_and_timed(tmp_path: Path) -> None:
    seconds = do_step(Step("print a calendar", ("calendar", "2026", "1"), Path("result"), 1), tmp_path)
    assert seconds is not None
    assert seconds > 0


def test_a_step_that_fails_stops_the_demo_and_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"could not do it \(python -m no_such_module ended with status 1\)"):
        do_step(NONE, tmp_path)


def test_all_steps_are_told_with_what_they_took(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "before").write_text("")
    planned = (
        Step("rest", ("no_such_module",), Path("before"), 1),
        Step("work", ("calendar", "2026", "1"), Path("after"), 1),
    )
    monkeypatch.setattr(steps, "STEPS", planned)
    assert demo.main([]) == 0
    said = capsys.readouterr().out
    assert "done before  rest" in said
    assert " s      work" in said


def test_training_that_was_stopped_goes_on_unless_its_patches_are_new(tmp_path: Path) -> None:
    training = STEPS[2]
    assert command_of(training, tmp_path, anew=False)[-2:] == ("--overwrite", "true")
    assert training.begun
    (tmp_path / training.begun).parent.mkdir(parents=True)
    (tmp_path / training.begun).touch()
    assert command_of(training, tmp_path, anew=False)[-2:] == ("--resume", "true")
    assert command_of(training, tmp_path, anew=True)[-2:] == ("--overwrite", "true")


def test_the_demo_is_whole_when_each_of_its_steps_is_done(tmp_path: Path) -> None:
    for step in STEPS:
        assert not is_whole(tmp_path)
        (tmp_path / step.result).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / step.result).touch()
    assert is_whole(tmp_path)


def test_its_steps_use_the_demos_settings_and_write_what_is_looked_for() -> None:
    for step in STEPS:
        assert (CONFIGS.parent / step.command[step.command.index("--config") + 1]).is_file()
        assert step.result.parts[0] == "demo"
