"""What all commands share: the settings' schema, the exit status, and one line for an error."""

import errno
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from severstal_xai.command import DONE, INTERRUPTED, WRONG_INPUT, fail, parse_settings, run, to_yaml
from severstal_xai.errors import InputError, about, check_range
from severstal_xai.usage import OneLineParser


@dataclass(frozen=True)
class Inner:
    """Settings within settings.

    Args:
        rate: A number.
    """

    rate: float

    def __post_init__(self) -> None:
        check_range("rate", self.rate, 0)


@dataclass(frozen=True)
class Outer:
    """Settings.

    Args:
        source: A place, or none.
        limits: Numbers by class.
        unit: One of two words.
        inner: The inner ones.
        workers: How many.
        strict: Yes or no.
    """

    source: Path | None
    limits: dict[int, int]
    unit: Literal["patch", "strip"]
    inner: Inner
    workers: int = 0
    strict: bool = False

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise InputError(f"workers is {self.workers}, expected 0 or more")


DEFAULTS = Outer(None, {3: 500}, "patch", Inner(0.5), workers=1)


@pytest.fixture
def defaults(tmp_path: Path) -> Path:
    path = tmp_path / "defaults.yaml"
    path.write_text(to_yaml(DEFAULTS))
    return path


def parse(defaults: Path, *arguments: str) -> Outer:
    return parse_settings(
        Outer, command="python -m outer", description="Try.", defaults=defaults, arguments=arguments
    )


def test_without_flags_the_defaults_hold(defaults: Path) -> None:
    assert parse(defaults) == DEFAULTS


def test_a_flag_overrides_its_default_and_no_other(defaults: Path) -> None:
    found = parse(defaults, "--inner.rate", "0.25", "--limits={1: 2}", "--source=strips.zip", "--strict=true")
    assert found == Outer(Path("strips.zip"), {1: 2}, "patch", Inner(0.25), workers=1, strict=True)


def test_a_config_replaces_the_defaults_and_a_flag_overrides_it(defaults: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("source: a\nlimits: {}\nunit: strip\ninner: {rate: 2}\n")
    # `workers` comes from the schema and not from the file that was replaced.
    assert parse(defaults, "--config", str(path)) == Outer(Path("a"), {}, "strip", Inner(2.0), workers=0)
    assert parse(defaults, f"--config={path}", "--unit=patch").unit == "patch"
    assert parse(defaults, "--unit=patch", f"--config={path}").unit == "patch"


def refusal(capsys: pytest.CaptureFixture[str], defaults: Path, *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        parse(defaults, *arguments)
    assert ended.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--wrokers=2"], "--wrokers"),
        (["--inner.rat=2"], "inner.rat"),
        (["--conf=defaults.yaml"], "--conf"),
        (["--workers=many"], "workers"),
        (["--unit=sheet"], "unit"),
        (["--config"], "--config"),
        (["--config=absent.yaml"], "absent.yaml"),
        (["stray"], "stray"),
    ],
)
def test_wrong_usage_ends_with_2_and_names_what_is_wrong(
    capsys: pytest.CaptureFixture[str], defaults: Path, arguments: list[str], named: str
) -> None:
    assert named in refusal(capsys, defaults, *arguments)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--wrokers=2"], "--wrokers=2: not known, expected what --help shows"),
        (["--workers=many"], "workers many, expected a whole number"),
        (["--workers=null"], "workers null, expected a whole number"),
        (["--workers"], "--workers: nothing follows, expected a value"),
        (["--config"], "--config: nothing follows, expected a value"),
        (["--config", "--workers=1"], "--config: nothing follows, expected a value"),
        (["--inner.rate=x"], "inner.rate x, expected a number"),
        (["--inner={rate: x}"], "inner.rate x, expected a number"),
        (["--inner={rat: 1}"], "inner.rat: not known, expected what --help shows"),
        (["--source="], "--source '': empty, expected a path"),
        (["--source", ""], "--source '': empty, expected a path"),
        (["--unit=sheet"], "unit sheet, expected one of patch, strip"),
        (["--strict=perhaps"], "strict perhaps, expected true or false"),
        (["--limits=abc"], "limits abc, expected values by name, such as {1: 2}"),
        (["--limits={a: 2}"], "limits: a, expected a whole number"),
        (["--limit_two={a: 2}", "stray"], "--limit_two={a: 2} stray: not known, expected what --help shows"),
    ],
)
def test_wrong_usage_is_one_line_of_plain_words(
    capsys: pytest.CaptureFixture[str], defaults: Path, arguments: list[str], said: str
) -> None:
    assert refusal(capsys, defaults, *arguments) == f"python -m outer: error: {said}\n"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"workers": "x"}, "workers x, expected a whole number"),
        ({"unit": None}, "unit: missing, expected a value in the file or as a flag"),
        ({"source": [1]}, "source [1], expected a path or null"),
        ({"inner": {"rate": 1, "rat": 2}}, "inner.rat: not known, expected what --help shows"),
    ],
)
def test_what_is_wrong_in_a_config_is_one_line_of_plain_words(
    capsys: pytest.CaptureFixture[str], defaults: Path, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(defaults.read_text()) | change))
    found = refusal(capsys, defaults, f"--config={path}")
    assert found == f"python -m outer: error: {said}\n"


@pytest.mark.parametrize("line", ["wrokers: 2", "inner: {rate: 1, rat: 2}", "unit: sheet", "workers: [1]"])
def test_an_unknown_key_or_value_in_a_config_is_named(
    capsys: pytest.CaptureFixture[str], defaults: Path, tmp_path: Path, line: str
) -> None:
    content = yaml.safe_load(defaults.read_text()) | yaml.safe_load(line)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    key = "rat" if "rat:" in line else line.partition(":")[0]
    assert key in refusal(capsys, defaults, f"--config={tmp_path / 'mine.yaml'}")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "not YAML"),
        ("a: b: c", "not YAML"),
        ("- 1\n- 2\n", "holds a list"),
        ("", "holds nothing"),
        ("7", "holds a int"),
        ("source: a\nlimits: {}\nsource: b\n", "source in line 3 is there twice, expected once"),
        ("limits: {1: 5, 1: 6}\n", "1 in line 1 is there twice"),
        ("inner:\n  rate: 1\n  rate: 2\n", "rate in line 3 is there twice"),
        ("sauce: a\n", "unknown setting 'sauce', expected one of source, limits"),
    ],
)
def test_a_config_that_holds_no_settings_is_named_with_the_reason(
    capsys: pytest.CaptureFixture[str], defaults: Path, tmp_path: Path, content: str, reason: str
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(content)
    assert f"--config {path}: {reason}" in refusal(capsys, defaults, f"--config={path}")


def test_a_folder_is_no_config(capsys: pytest.CaptureFixture[str], defaults: Path, tmp_path: Path) -> None:
    assert f"--config {tmp_path}: a folder, expected" in refusal(capsys, defaults, f"--config={tmp_path}")


def test_a_missing_setting_is_named(
    capsys: pytest.CaptureFixture[str], defaults: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.yaml").write_text("source: a\nlimits: {}\ninner: {rate: 2}\n")
    assert "unit" in refusal(capsys, defaults, f"--config={tmp_path / 'mine.yaml'}")


def test_help_shows_every_setting(capsys: pytest.CaptureFixture[str], defaults: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(defaults, "--help")
    shown = capsys.readouterr().out
    assert ended.value.code == 0
    assert all(flag in shown for flag in ("--config", "--source", "--limits", "--inner.rate", "--workers"))
    assert "How many." in shown


def test_help_names_a_type_as_people_do() -> None:
    parser = OneLineParser(prog="python -m data_prep")
    parser.add_argument("--output", type=Path, help="A folder.")
    assert "A folder. (type: Path" in " ".join(parser.format_help().split())


def test_a_value_that_the_settings_refuse_is_wrong_input_and_not_a_traceback(defaults: Path) -> None:
    with pytest.raises(InputError, match=r"^workers is -1, expected 0 or more"):
        parse(defaults, "--workers=-1")


def test_a_setting_of_a_group_that_is_refused_is_named_as_its_flag_is(defaults: Path) -> None:
    with pytest.raises(InputError, match=r"^inner\.rate -1\.0, expected 0 or more"):
        parse(defaults, "--inner.rate=-1")


paths = st.text("ab é:#-'\"{}[],&*!|>%@`", max_size=8).map(lambda name: Path("strips", name))


@settings(deadline=None, max_examples=15)
@given(
    st.builds(
        Outer,
        source=st.none() | paths,
        limits=st.dictionaries(st.integers(1, 4), st.integers(0, 10**6)),
        unit=st.sampled_from(["patch", "strip"]),
        inner=st.builds(Inner, rate=st.floats(0, 1e300)),
        workers=st.integers(0, 99),
        strict=st.booleans(),
    )
)
def test_settings_survive_being_written_and_given_as_config(
    tmp_path_factory: pytest.TempPathFactory, chosen: Outer
) -> None:
    path = tmp_path_factory.getbasetemp() / "settings.yaml"
    path.write_text(to_yaml(chosen), encoding="utf-8")
    assert parse(path, f"--config={path}") == chosen


def ends(main: Callable[[], int]) -> Any:
    with pytest.raises(SystemExit) as ended:
        run(main)
    return ended.value.code


def raising(error: BaseException) -> Callable[[], int]:
    def main() -> int:
        raise error

    return main


@pytest.mark.parametrize("status", [DONE, WRONG_INPUT])
def test_the_command_s_status_is_the_process_s(status: int) -> None:
    assert ends(lambda: status) == status


def test_wrong_input_is_one_line_and_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert ends(raising(InputError("train.csv:\n class 7,\r\nexpected 1 to 4"))) == WRONG_INPUT
    assert capsys.readouterr().err == "train.csv: class 7, expected 1 to 4\n"


@pytest.mark.parametrize(
    "code",
    [
        *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS, errno.EIO),
        *(errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP),
    ],
)
def test_a_full_or_forbidden_disk_is_one_line_and_status_1(
    capsys: pytest.CaptureFixture[str], code: int
) -> None:
    error = OSError(code, "what the system says", "some/file")
    assert ends(raising(error)) == WRONG_INPUT
    assert capsys.readouterr().err == "some/file: what the system says; what was saved before is kept\n"


def test_a_full_disk_without_a_file_s_name_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert ends(raising(OSError(errno.ENOSPC, "No space left on device"))) == WRONG_INPUT
    assert capsys.readouterr().err.count("\n") == 1


def test_an_interrupt_is_one_line_and_status_130(capsys: pytest.CaptureFixture[str]) -> None:
    assert ends(raising(KeyboardInterrupt())) == INTERRUPTED == 130
    assert capsys.readouterr().err == "interrupted; what was saved before is kept\n"


@pytest.mark.parametrize(
    "error", [ValueError("a bug"), KeyError("a"), FileNotFoundError(2, "none"), MemoryError()]
)
def test_our_own_bugs_keep_their_traceback(error: BaseException) -> None:
    with pytest.raises(type(error)):
        run(raising(error))


def test_failing_prints_one_line_whatever_the_message_holds(capsys: pytest.CaptureFixture[str]) -> None:
    assert fail("a\r\nb\tc\u2028d") == WRONG_INPUT
    assert capsys.readouterr().err == "a b c d\n"


def test_errors_tell_what_they_are_about_from_the_outside_in() -> None:
    with pytest.raises(InputError, match=r"^folder: file: wrong$"), about("folder"), about(Path("file")):
        raise InputError("wrong")


def test_only_input_errors_are_told_what_they_are_about() -> None:
    with pytest.raises(ValueError, match=r"^bug$"), about("folder"):
        raise ValueError("bug")


def test_a_config_that_is_no_text_is_wrong_usage(
    defaults: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "picture.yaml").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(SystemExit) as ended:
        parse(defaults, "--config", str(tmp_path / "picture.yaml"))
    assert ended.value.code == 2
    assert "not UTF-8 text" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_fault() -> None:
    """As `head` does."""
    program = "from severstal_xai.command import run; run(lambda: print('line\\n' * 100_000) or 0)"
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    assert process.wait(60) == INTERRUPTED
    assert process.stderr.read() == b""
    process.stderr.close()


@pytest.mark.parametrize("value", ["null", "3", "[1]"])
def test_a_group_of_settings_that_is_a_plain_value_is_named(
    capsys: pytest.CaptureFixture[str], defaults: Path, tmp_path: Path, value: str
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"source: a\nlimits: {{}}\nunit: strip\ninner: {value}\nworkers: 0\n")
    assert "inner, expected settings of its own, one a line" in refusal(capsys, defaults, f"--config={path}")
