"""The inspector's benchmark: the data that it makes, its clock on small pages with planted faults, what it tells, sessions in a real browser,
wrong input; and on request all of it."""

import base64
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, Route
from playwright.sync_api import TimeoutError as TooLate

from app.benchmark.__main__ import main
from app.benchmark.clock import PRESSED, Wanted, measured, with_a_clock
from app.benchmark.enlarged import copy_name, enlarged, shifted
from app.benchmark.memory import HOUR, trend_of
from app.benchmark.outcome import FIRST, PATCH, TARGETS, Outcome, Setting, told
from app.benchmark.queue import wanted_of, wheel_turned
from app.benchmark.queue_steps import ALL, Step, by_choice, steps, wheel_turns
from app.benchmark.served import served
from app.benchmark.sessions import Crowd, Expected, HeatsOf, at_once, heats, walks_of
from app.benchmark.shift import ROUND, Shift, rounds_for, starts
from app.loading import ask
from app.patch.layers import png_address
from app.review import filters
from app.review.rows import known_of
from app.review.sheets import QueueLook
from severstal_xai.checkpoint import load_checkpoint, read_card
from severstal_xai.errors import InputError
from severstal_xai.manifest import Manifest, Split, read_manifest
from severstal_xai.predictions import PREDICTIONS_FILE, SHARES, write_predictions
from severstal_xai.strips import PATCH_SIZE

ROOT = Path(__file__).resolve().parents[2]
ON_REQUEST = "SEVERSTAL_XAI_BENCHMARKS"
"""The variable by which somebody who changed the benchmark has the whole of it run."""


def test_data_is_repeated_until_there_is_enough_of_it_and_no_image_comes_twice(
    tmp_path: Path, made_data: Manifest, planted_run: Path
) -> None:
    rows = 2 * len(made_data.patches) + 3
    large, run = enlarged(made_data.root, planted_run, rows, tmp_path)
    assert read_manifest(large.root).patches == large.patches
    assert len({patch.patch for patch in large.patches}) == rows
    assert len({patch.image_sha256 for patch in large.patches}) == rows
    sources = {
        copy_name(patch.patch, number): (patch, number) for number in range(3) for patch in made_data.patches
    }
    along = np.arange(PATCH_SIZE)
    for patch in large.patches:
        source, number = sources[patch.patch]
        assert (patch.label, patch.split) == (source.label, source.split)
        to_the_right = (along + 37 * number) % PATCH_SIZE
        for read in (Manifest.read_image, Manifest.read_mask):
            assert (read(large, patch)[:, to_the_right] == read(made_data, source)).all()
    assert load_checkpoint(run).card.data_checksum == large.checksum


def test_of_a_thousand_copies_no_two_are_shifted_alike() -> None:
    dot = np.zeros((PATCH_SIZE, PATCH_SIZE), dtype=np.uint8)
    dot[100, 100] = 255
    assert len({int(shifted(dot, number).argmax()) for number in range(1000)}) == 1000


HEAD = "<div data-testid='stApp' data-test-script-state='notRunning'></div><h3>2 patches of 2</h3>"
DOT = png_address(np.zeros((1, 1), dtype=np.uint8))
PICTURES = f"""{HEAD}<button>Next</button><div><img id="grey" alt="Patch a" src="{DOT}"><img id="heat" class="heat" alt="" src="{DOT}"></div><script>
document.querySelector("button").onclick = () => {{ grey.alt = "Patch b with the heat of Grad-CAM; x"; heat.src = "HEAT"; }};
</script>"""
TABLE = f"""{HEAD}<canvas width="300" height="300"></canvas><button>Narrow</button><script>
let first = 0;
const draw = (name) => {{ for (let row = 0; row < 8; row++) document.querySelector("canvas").getContext("2d").fillText(name + (first + row), 5, 35 * row + 20); }};
draw("row ");
addEventListener("wheel", () => {{ MOVED; draw("row "); }});
document.querySelector("button").onclick = () => {{ document.querySelector("h3").textContent = "1 patch of 2"; NARROWED; }};
</script>"""
LATE = 400
"""Milliseconds."""


@pytest.fixture
def show(browser: Browser) -> Iterator[Callable[[str], Page]]:
    """What shows a small page with the benchmark's clock; its `/late.png` comes late."""
    page = with_a_clock(browser.new_page())
    content = {"": ""}

    def answer(route: Route) -> None:
        if route.request.url.endswith("/late.png"):
            time.sleep(LATE / 1000)
            route.fulfill(body=base64.b64decode(DOT.partition(",")[2]), content_type="image/png")
        else:
            route.fulfill(body=content[""], content_type="text/html")

    def shown(body: str) -> Page:
        content[""] = body
        page.route("**/*", answer)
        page.goto("http://127.0.0.1/page")
        return page

    yield shown
    page.close()


def heat_after_a_click(page: Page, patience: int = 30_000) -> float:
    wanted = Wanted(("^Patch b with the heat of Grad-CAM",))
    return measured(page, wanted, PRESSED, page.get_by_role("button").click, patience)


def test_a_patch_is_not_there_until_its_heat_is_decoded_which_has_no_words_of_its_own(
    show: Callable[[str], Page],
) -> None:
    assert heat_after_a_click(show(PICTURES.replace("HEAT", DOT))) > 0
    assert heat_after_a_click(show(PICTURES.replace("HEAT", "/late.png"))) >= LATE
    never = show(PICTURES.replace("HEAT", "data:image/png;base64,AAAA"))
    with pytest.raises(TooLate, match="with the heat of Grad-CAM did not come"):
        heat_after_a_click(never, patience=LATE)


def test_what_does_not_reach_the_page_has_an_end_too(show: Callable[[str], Page]) -> None:
    page = show(PICTURES)
    with pytest.raises(TooLate, match="did not come"):
        measured(page, Wanted(("^Patch a$",)), PRESSED, lambda: None, patience=LATE)


def test_a_table_that_does_not_move_under_the_wheel_is_not_scrolled(show: Callable[[str], Page]) -> None:
    moving = show(TABLE.replace("MOVED", "first += 20"))
    assert wheel_turned(moving, 700, "row 27") > 0
    assert wheel_turned(moving, 700, "row 47") > 0
    still = show(TABLE.replace("MOVED", ""))
    with pytest.raises(TooLate, match="row 27 did not come"):
        wheel_turned(still, 700, "row 27", patience=LATE)
    with pytest.raises(TooLate, match="row 48 did not come"):
        wheel_turned(show(TABLE.replace("MOVED", "first += 20")), 700, "row 48", patience=LATE)


def narrowed_after_a_click(page: Page, patience: int = 30_000) -> float:
    wanted = wanted_of(Step("", "1 patch of 2", ("other 0",)), QueueLook.TABLE)
    return measured(page, wanted, PRESSED, page.get_by_role("button").click, patience)


def test_the_queue_is_not_narrowed_until_its_table_is_drawn(show: Callable[[str], Page]) -> None:
    assert narrowed_after_a_click(show(TABLE.replace("NARROWED", "draw('other ')"))) > 0
    late = f"setTimeout(() => draw('other '), {LATE})"
    assert narrowed_after_a_click(show(TABLE.replace("NARROWED", late))) >= LATE
    with pytest.raises(TooLate, match="other 0 did not come"):
        narrowed_after_a_click(show(TABLE.replace("NARROWED", "draw('row ')")), patience=LATE)


def test_the_queue_is_not_narrowed_while_its_page_is_made(show: Callable[[str], Page]) -> None:
    made = "draw('other '); document.querySelector('[data-testid=stApp]').dataset.testScriptState = 'running'"
    with pytest.raises(TooLate, match="other 0 did not come"):
        narrowed_after_a_click(show(TABLE.replace("NARROWED", made)), patience=LATE)


def turned(page: Page, patience: int) -> float:
    wanted = wanted_of(Step("", "2 patches of 2", ("b_0",)), QueueLook.PICTURES)
    return measured(page, wanted, PRESSED, page.get_by_role("button", name="turn").click, patience)


def test_a_sheet_is_not_there_until_its_pictures_are(show: Callable[[str], Page]) -> None:
    sheet = f"""{HEAD}<button title="">turn</button><ul></ul><script>document.querySelector("button").onclick = () => {{
    document.querySelector("ul").innerHTML = '<li><button title="Open b_0"><img alt="" src="PICTURE"></button></li>'; }};</script>"""
    assert turned(show(sheet.replace("PICTURE", DOT)), patience=30_000) > 0
    with pytest.raises(TooLate, match="Open b_0"):
        turned(show(sheet.replace("PICTURE", "data:image/png;base64,AAAA")), patience=LATE)


def known_table(labels: Sequence[int]) -> pd.DataFrame:
    names = [f"a{place}_0" for place in range(len(labels))]
    return pd.DataFrame(
        {"label": labels, "strip": [name[:-2] for name in names], "group": None},
        index=pd.Index(names, name="patch"),
    )


def test_a_move_that_brings_nothing_new_into_sight_is_made_but_not_timed() -> None:
    known = known_table([0, 0, 0, 3, 3])
    way = steps(known, by_choice(known, "label"), ALL, seen=3, clicks=2)
    sound, scratches, whole = (filters.choices("label")[1][label] for label in (0, 3, None))
    assert way == [
        Step(sound, "3 patches of 5", ()),
        Step(scratches, "2 patches of 5", ("a3_0", "a4_0")),
        Step(whole, "All 5 patches", ("a0_0", "a1_0", "a2_0")),
    ]
    with pytest.raises(InputError, match=r"5 patches: none of .* brings others into sight"):
        steps(known_table([0] * 5), by_choice(known_table([0] * 5), "label"), ALL, seen=3, clicks=2)


def test_what_is_wheeled_past_fits_the_table() -> None:
    turns = list(wheel_turns(40, 3))
    assert [last for _, last in turns] == sorted({last for _, last in turns})
    assert turns[-1][1] <= 39
    with pytest.raises(InputError, match="18 rows, expected at least 23 to scroll 3 times"):
        list(wheel_turns(18, 3))


def test_memory_is_flat_where_an_hour_adds_little_whatever_the_caches_took_before() -> None:
    filled = [400.0, 600.0, 750.0, 800.0]
    rest = [800.0, 800.5, 800.0, 800.5, 800.0, 800.5, 1100.0, 800.0, 800.5, 800.0]
    assert trend_of([*filled, *[800.0] * 10], 25).is_flat
    assert trend_of([*filled, *rest], 25).is_flat  # a report was just made
    assert trend_of([*filled, *(800.0 - place for place in range(10))], 25).is_flat


def test_memory_that_grows_is_not_flat() -> None:
    # 5 % of about 800 MB an hour are 5.6 MB per 100 clicks, or 1.4 MB a round of 25
    assert trend_of([800 + 1.3 * place for place in range(20)], 25).is_flat
    assert not trend_of([800 + 1.6 * place for place in range(20)], 25).is_flat
    assert not trend_of([800.0, 790.0, 800.0, 830.0, 800.0], 25).is_flat  # too few and too uneven to say so


SETTING = Setting("resnet101", "ab" * 32, "openvino", "openvino", 11_505, "a processor", 2, 0.5, "1.2")
CROWD = Crowd(20, 120, 0, 900.0, 1200.0, 1000.0)
SHIFT = Shift({"patches": 20, "reports": 5}, [700.0, *[900.0] * 29])
GOOD = Outcome(SETTING, {PATCH: [100.0, 300.0], FIRST: [1999.0, 2000.0]}, CROWD, SHIFT)


def test_each_target_is_met_or_not_with_its_number() -> None:
    good, bad = (
        told(GOOD),
        told(
            replace(
                GOOD,
                times={PATCH: [100.0, 300.0, 301.0]},
                crowd=replace(CROWD, wrong=1),
                shift=replace(SHIFT, memory=[700.0 + 10 * place for place in range(30)]),
            )
        ),
    )
    assert "That is what the targets speak of." in good
    assert "not met" not in good
    assert "| cached patch, Grad-CAM alone | 2 | 200 | 300 | 300 | 2 of 2 | met |" in good
    assert "| cached patch, Grad-CAM alone | 3 | 300 | 301 | 300 | 2 of 3 | not met |" in bad
    assert "none differed by bytes from that of the session's patch. No map is mixed up: **met**" in good
    assert "1 differed by bytes from that of the session's patch. No map is mixed up: **not met**" in bad
    assert (
        "900 MB before they came, 1200 MB at most while they were there, 1000 MB when they had gone" in good
    )
    assert "Memory is flat: **met**" in good
    assert "+40.00 MB per 100 clicks (+40.00 to +40.00" in bad
    assert "Memory is flat: **not met**" in bad


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (replace(GOOD, setting=replace(SETTING, cores=16)), "16 cores, not 2"),
        (replace(GOOD, setting=replace(SETTING, architecture="resnet18")), "resnet18, not resnet101"),
        (replace(GOOD, setting=replace(SETTING, engine="reference")), "the engine reference, not openvino"),
        (replace(GOOD, setting=replace(SETTING, rows=60)), "60 patches, not 11,505"),
        (replace(GOOD, crowd=replace(CROWD, sessions=3)), "3 sessions at once, not 20"),
        (replace(GOOD, shift=replace(SHIFT, memory=[900.0] * 5)), "100 clicks, not an hour's 720"),
    ],
)
def test_what_the_targets_do_not_speak_of_does_not_look_like_a_pass(other: Outcome, words: str) -> None:
    said = told(other)
    assert f"**This is not what the targets speak of:** {words}." in said
    assert "| met here |" in said
    assert "| met |" not in said
    assert "**met**" not in said


@pytest.fixture
def answering_run(planted_run: Path, made_data: Manifest, tmp_path: Path) -> Path:
    """The planted run with answers for its test patches, surer and surer."""
    run = Path(shutil.copytree(planted_run, tmp_path / "answering"))
    test = made_data.of_split(Split.TEST)
    margins = (np.arange(len(test)) + 0.5) / 10
    table = pd.DataFrame(
        {
            "patch": [patch.patch for patch in test],
            "strip": [patch.strip for patch in test],
            "split": str(Split.TEST),
            "label": [patch.label for patch in test],
            "predicted": 0,
            "p0": (1 + margins) / 2,
            "p1": (1 - margins) / 2,
        }
    ).assign(p2=0.0, p3=0.0, p4=0.0)
    write_predictions(run / PREDICTIONS_FILE, table, read_card(run).weights_sha256)
    return run


@pytest.mark.skipif(ON_REQUEST not in os.environ, reason=f"measures for some minutes; {ON_REQUEST}=1 runs it")
def test_the_whole_command_measures_all_in_a_real_browser_and_writes_it_down(
    tmp_path: Path, made_data: Manifest, answering_run: Path, chromium: str
) -> None:
    assert chromium
    output = tmp_path / "output"
    few = ["--rows", "100", "--clicks", "2", "--sessions", "1", "--memory_clicks", "76"]
    folders: list[str | Path] = ["--run", answering_run, "--data", made_data.root, "--output", output]
    done = subprocess.run(
        [sys.executable, "-m", "app.benchmark", *folders, *few],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=1800,
    )
    assert done.returncode == 0, done.stderr
    values = json.loads((output / "inspector.json").read_text())
    assert list(values["times"]) == list(TARGETS)
    for kind, times in values["times"].items():
        assert len(times) == 2, kind
        assert min(times) > 0, kind
    crowd, memory = Crowd(**values["crowd"]), values["shift"]["memory"]
    assert (crowd.sessions, crowd.compared, crowd.wrong) == (1, 6, 0)
    assert crowd.highest >= crowd.before > 50, "torch alone takes more"
    assert len(memory) == 5
    assert min(memory) > 50
    assert (values["setting"]["architecture"], values["setting"]["rows"]) == ("resnet18", 100)
    text = (output / "inspector.md").read_text()
    assert text.strip() == done.stdout.strip()
    assert "resnet18, not resnet101; 100 patches, not 11,505" in text
    assert (output / "inspector.png").read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def heats_of(made_data: Manifest, planted_run: Path) -> HeatsOf:
    return partial(heats, made_data, load_checkpoint(planted_run), known_of(made_data, None, {}, None))


def test_maps_that_are_mixed_up_are_counted_at_each_step_of_a_walk(
    browser: Browser, address: str, made_data: Manifest, heats_of: HeatsOf
) -> None:
    one, other = walks_of(heats_of, made_data.of_split(Split.TEST), 2, np.random.default_rng(0), walked=2)
    read = iter([100.0, 150.0, 300.0, 200.0, 250.0, 120.0])
    planted = [other[0], Expected(other[1].patch, one[1].heats)]
    crowd = at_once(browser, address, [one, planted], lambda: next(read))
    assert crowd == Crowd(2, compared=8, wrong=2, before=100.0, highest=300.0, after=120.0)


def test_a_heat_is_made_of_the_answer_that_the_run_recorded(made_data: Manifest, planted_run: Path) -> None:
    """The inspector goes by it: asked once more, alone and not in a batch, a network answers a little otherwise."""
    patch, checkpoint = made_data.find("strip33_0"), load_checkpoint(planted_run)
    known = known_of(made_data, None, {}, None)
    asked = dict(heats(made_data, checkpoint, known, patch))
    known.loc[patch.patch, SHARES] = ask(checkpoint.model, made_data.read_image(patch))
    assert dict(heats(made_data, checkpoint, known, patch)) == asked
    known.loc[patch.patch, SHARES] = [0.1, 0.2, 0.1, 0.4, 0.2]
    recorded = dict(heats(made_data, checkpoint, known, patch))
    assert all(recorded[method] != asked[method] for method in ("grad_cam", "sise"))


def test_no_two_sessions_are_to_show_the_same_map(made_data: Manifest, heats_of: HeatsOf) -> None:
    first, second = made_data.find("strip13_0"), made_data.find("strip33_0")
    draw = partial(walks_of, heats_of, [first, first, second, second], walked=1)
    walks = draw(sessions=2, chance=np.random.default_rng(0))
    assert {walk[0].patch for walk in walks} == {first.patch, second.patch}
    assert all(walks[0][0].heats[method] != walks[1][0].heats[method] for method in ("grad_cam", "sise"))
    with pytest.raises(InputError, match=r"2 walks through 4 test patches .* --sessions 3"):
        draw(sessions=3, chance=np.random.default_rng(0))


def test_walks_have_no_patch_in_common_and_show_none_twice(made_data: Manifest, heats_of: HeatsOf) -> None:
    first, second = made_data.find("strip13_0"), made_data.find("strip33_0")
    with pytest.raises(InputError, match="0 walks through 2 test patches"):
        walks_of(heats_of, [first, first], 1, np.random.default_rng(0), walked=2)
    (walk,) = walks_of(heats_of, [first, second], 1, np.random.default_rng(0), walked=2)
    assert [one.patch for one in walk] == [first.patch, second.patch]
    with pytest.raises(InputError, match="1 walks through 3 test patches"):
        walks_of(heats_of, [first, second, first], 2, np.random.default_rng(0), walked=2)


def test_each_round_of_a_shift_begins_elsewhere_and_has_a_next_strip(made_data: Manifest) -> None:
    begun = starts(made_data, 4)
    assert len(set(begun)) == 4
    assert all(made_data.find(f"{strip}_0") in made_data.patches[:-7] for strip in begun)
    assert [rounds_for(clicks) for clicks in (1, ROUND, ROUND + 1, HOUR)] == [1, 1, 2, 29]


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--clicks", "1"], "clicks"),
        (["--rows", "0"], "rows"),
        (["--sessions", "99"], "--rows 200: 50 test patches, expected at least 319 .* --sessions 99"),
        (["--memory_clicks", "75"], "memory_clicks"),
        (
            ["--rows", "20", "--sessions", "1"],
            "5 strips with test patches, expected at least 11 for --clicks 10",
        ),
        (
            ["--rows", "60", "--clicks", "2", "--sessions", "1", "--memory_clicks", "76"],
            "60 patches, expected at least 72 for --clicks 2",
        ),
        (
            ["--rows", "80", "--clicks", "2", "--sessions", "1"],
            "80 patches, expected at least 232 .* --memory_clicks 720",
        ),
        (
            ["--rows", "80", "--clicks", "2", "--sessions", "1", "--memory_clicks", "76"],
            r"predictions\.parquet: no such file",
        ),
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
