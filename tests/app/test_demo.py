"""The demo's order of work, with steps that are small commands of Python itself."""

from pathlib import Path

import pytest

from app import demo
from app.demo import Step, do_step
from severstal_xai.errors import InputError


@pytest.fixture(autouse=True)
def _somewhere_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(demo, "ROOT", tmp_path)


def test_a_step_whose_result_is_there_is_not_done_again(tmp_path: Path) -> None:
    (tmp_path / "result").write_text("")
    assert do_step(Step("do it", ("no_such_module",), Path("result"))) is None


def test_a_step_is_done_and_timed() -> None:
    seconds = do_step(Step("print a calendar", ("calendar", "2026", "1"), Path("result")))
    assert seconds is not None
    assert seconds > 0


def test_a_step_that_fails_stops_the_demo_and_is_named() -> None:
    with pytest.raises(InputError, match=r"could not do it \(python -m no_such_module ended with status 1\)"):
        do_step(Step("do it", ("no_such_module",), Path("result")))


def test_all_steps_are_told_with_what_they_took(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "before").write_text("")
    steps = (
        Step("rest", ("no_such_module",), Path("before")),
        Step("work", ("calendar", "2026", "1"), Path("after")),
    )
    monkeypatch.setattr(demo, "STEPS", steps)
    assert demo.main() == 0
    said = capsys.readouterr().out
    assert "done before  rest" in said
    assert " s      work" in said
