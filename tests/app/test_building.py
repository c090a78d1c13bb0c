"""The demo at one click: the job, with commands that stand in for the real ones, its page, and a browser with the real ones."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import streamlit as st
import yaml
from filelock import FileLock
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

from app import loading
from app.demo.building import AtWork, Broken, Building, Idle, Reached, State, Whole, seconds_done
from app.demo.steps import STEPS, is_whole
from app.folders import folders_from
from app.verdicts.address import VARIABLE
from data_prep.verify import find_problems
from severstal_xai.imaging import PATCH_SHAPE
from severstal_xai.manifest import Manifest, Split, read_manifest
from tests.app.hands import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = """
import dataclasses, sys
from app.demo import __main__ as command, steps
from severstal_xai.command import run
names = [step.result.as_posix() for step in steps.STEPS]
steps.STEPS = tuple(dataclasses.replace(step, command=("work", name)) for step, name in zip(steps.STEPS, names))
run(command.main)
"""
"""The demo with its four steps done by the module `work` in the project's folder; each takes its flags, and heeds none."""
WORK = """
import pathlib, shutil, sys, time
result = pathlib.Path(sys.argv[1])
with open("worked.txt", "a") as log:
    print(result, *sys.argv[2:], file=log)
print("parts: 1/4 done", flush=True)
while pathlib.Path("wait").exists() and "run/README" in result.as_posix():
    time.sleep(0.02)
if pathlib.Path("full").exists():
    sys.exit("demo/run/model.json: No space left on device; what was saved before is kept")
if pathlib.Path("real").exists() and "manifest" in result.as_posix():
    shutil.copytree("real/patches", "demo/patches", dirs_exist_ok=True)
if pathlib.Path("real").exists() and "README" in result.as_posix():
    shutil.copytree("real/run", "demo/run", dirs_exist_ok=True)
result.parent.mkdir(parents=True, exist_ok=True)
result.touch()
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder in which nothing lies but what stands in for the commands."""
    place = tmp_path / "home"
    place.mkdir()
    (place / "work.py").write_text(WORK)
    (place / "stand_in.py").write_text(STAND_IN)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return place


@pytest.fixture
def make(home: Path) -> Iterator[Callable[..., Building]]:
    made: list[Building] = []

    def building(room: int = 0) -> Building:
        made.append(Building(home, (sys.executable, "-u", "stand_in.py", "--watched"), room))
        return made[-1]

    yield building
    for one in made:
        one.cancel()


def wait_for(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def ended(building: Building) -> State:
    wait_for(lambda: not isinstance(building.state(), AtWork))
    return building.state()


def training(building: Building) -> bool:
    state = building.state()
    return isinstance(state, AtWork) and state.reached == Reached(3, 1, 4)


def worked(home: Path) -> list[str]:
    return (home / "worked.txt").read_text().splitlines()


def test_who_builds_while_it_is_built_joins_and_it_ends_whole(
    home: Path, make: Callable[..., Building]
) -> None:
    (home / "wait").touch()
    building = make()
    assert building.state() == Idle()
    people = [threading.Thread(target=building.begin) for _ in range(4)]
    for one in people:
        one.start()
    wait_for(lambda: training(building))
    state = building.state()
    assert isinstance(state, AtWork)
    total = sum(step.seconds for step in STEPS)
    # the first two steps, and one of four parts of the third
    assert state.share == (STEPS[0].seconds + STEPS[1].seconds + STEPS[2].seconds / 4) / total
    assert 0 < state.left < 2 * total
    assert not is_whole(home)
    (home / "wait").unlink()
    assert ended(building) == Whole()
    assert [line.split()[0] for line in worked(home)] == [step.result.as_posix() for step in STEPS]


def test_cancelled_it_keeps_what_was_made_and_goes_on_from_there(
    home: Path, make: Callable[..., Building]
) -> None:
    (home / "wait").touch()
    building = make()
    building.begin()
    wait_for(lambda: training(building))
    building.cancel()
    assert building.state() == Idle(cancelled=True, begun=True)
    assert len(worked(home)) == 3
    (home / "wait").unlink()
    building.begin()
    assert ended(building) == Whole()
    assert [line.split()[0] for line in worked(home)[3:]] == [step.result.as_posix() for step in STEPS[2:]]


def test_a_server_that_is_killed_leaves_no_process_and_no_demo_that_looks_whole(
    home: Path, make: Callable[..., Building]
) -> None:
    (home / "wait").touch()
    server = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import pathlib, sys, time; from app.demo.building import Building\n"
            "Building(pathlib.Path(), (sys.executable, '-u', 'stand_in.py', '--watched'), 0).begin(); time.sleep(600)",
        ],
        cwd=home,
    )
    wait_for(lambda: (home / "worked.txt").exists() and len(worked(home)) == 3)
    children = psutil.Process(server.pid).children(recursive=True)
    assert len(children) == 2  # the demo and its step
    server.send_signal(signal.SIGKILL)
    server.wait()
    assert not psutil.wait_procs(children, timeout=PATIENCE)[1]
    assert not is_whole(home)
    assert folders_from([], home).wait_for_demo
    (home / "wait").unlink()
    after = make()
    after.begin()
    assert ended(after) == Whole()
    assert len(worked(home)) == 5


def test_what_failed_is_told_by_the_last_line_and_tried_again(
    home: Path, make: Callable[..., Building]
) -> None:
    (home / "full").touch()
    building = make()
    building.begin()
    said = "demo/run/model.json: No space left on device; what was saved before is kept"
    assert ended(building) == Broken(STEPS[0].words, said)
    (home / "full").unlink()
    building.begin()
    assert ended(building) == Whole()


def test_a_disk_without_room_a_folder_that_is_none_and_another_builder_are_told(
    home: Path, make: Callable[..., Building]
) -> None:
    crowded = make(room=10**18)
    crowded.begin()
    state = crowded.state()
    assert isinstance(state, Broken)
    assert "MB are free on its disk, expected 1000000000000 MB" in state.said

    building = make()
    with FileLock(home / "demo/.lock"):
        building.begin()
        assert ended(building) == Broken("", "demo: another process is making the demo, expected to be alone")
    shutil.rmtree(home / "demo")
    (home / "demo").touch()
    building.begin()
    assert building.state() == Broken("", "demo: File exists, expected a folder that can be written")


def test_time_done_adds_up_to_all_of_it() -> None:
    assert seconds_done(Reached(len(STEPS), 5, 5), STEPS) == sum(step.seconds for step in STEPS)


def test_the_demo_is_offered_where_nothing_lies_and_nobody_named_a_folder(tmp_path: Path) -> None:
    assert folders_from([], tmp_path).wait_for_demo
    assert not folders_from(["--data", "mine"], tmp_path).wait_for_demo
    assert not folders_from(["--run", "mine"], tmp_path).wait_for_demo
    (tmp_path / "runs/mine").mkdir(parents=True)
    (tmp_path / "runs/mine/model.json").touch()
    assert not folders_from([], tmp_path).wait_for_demo


@pytest.fixture
def open_page(
    home: Path, make: Callable[..., Building], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[], AppTest]:
    """The inspector in a folder in which nothing lies."""
    monkeypatch.chdir(home)
    monkeypatch.setattr("sys.argv", ["app/main.py"])
    monkeypatch.setenv(VARIABLE, str(tmp_path / "verdicts.sqlite"))
    st.cache_resource.clear()
    shared = make()
    monkeypatch.setattr(loading, "building", lambda: shared)
    return lambda: AppTest.from_file(str(ROOT / "app/main.py"), default_timeout=60).run()


def told(page: AppTest) -> list[str]:
    return [str(one.proto.text) for one in page.get("progress")]


def test_the_page_offers_the_demo_shows_its_progress_to_all_and_then_shows_it(
    open_page: Callable[[], AppTest], home: Path, made_data: Manifest, planted_run: Path
) -> None:
    shutil.copytree(made_data.root, home / "real/patches")
    shutil.copytree(planted_run, home / "real/run")
    (home / "wait").touch()
    page = open_page()
    assert page.subheader[0].value == "There is nothing to show yet"
    assert page.button(key="demo_build").label == "Build the demo"
    page.button(key="demo_build").click().run()
    wait_for(lambda: training(loading.building()))
    for seen in (page.run(), open_page()):  # a reload is another session
        (words,) = told(seen)
        assert words.startswith("Step 3 of 4: train a small network and score it, 1 of 4. About ")
        assert not [button for button in seen.button if button.key == "demo_build"]
    page.button(key="demo_cancel").click().run()
    assert "cancelled" in page.info[0].value
    assert page.button(key="demo_build").label == "Go on building the demo"
    (home / "wait").unlink()
    page.button(key="demo_build").click().run()
    assert ended(loading.building()) == Whole()
    page.run()
    assert not page.exception
    assert [one.value for one in page.subheader if one.value.startswith("Strip ")] == ["Strip strip03"]
    loading.jobs().close()


def test_the_page_says_what_failed_and_offers_to_try_again(
    open_page: Callable[[], AppTest], home: Path
) -> None:
    (home / "full").touch()
    page = open_page()
    page.button(key="demo_build").click().run()
    ended(loading.building())
    page.run()
    said = page.error[0].value.replace("\\", "")
    assert "It could not make synthetic strips: demo/run/model.json: No space left on device" in said
    assert page.button(key="demo_build").label == "Try again"


@contextmanager
def served(home: Path, log: Path) -> Iterator[str]:
    """The inspector as it is started in a project's folder, with no folders named."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app/main.py"), "--server.port"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, address.rpartition(":")[2]], cwd=home, env=environment, stdout=output, stderr=output
        )
        try:
            wait_for(lambda: answers(address))
            yield address
        finally:
            process.terminate()
            process.wait()
    assert "Traceback" not in log.read_text()


def answers(address: str) -> bool:
    try:
        urllib.request.urlopen(f"{address}/_stcore/health", timeout=5).close()
    except OSError:
        return False
    return True


SMALLER = {
    "synthesize.yaml": {"strips": 20, "shares": {"none": 4, "1": 8, "2": 8, "3": 8, "4": 8}},
    "data_prep.yaml": {},
    "training.yaml": {"epochs": 1, "patches_per_class": 2},
    "explain.yaml": {"methods": "grad_cam"},
}
"""What makes the demo's settings a matter of seconds, by their files."""


def test_one_click_in_an_empty_folder_builds_the_demo_until_the_page_shows_it(
    page: Page, tmp_path: Path
) -> None:
    """All four steps by the real commands, with less of everything."""
    home = tmp_path / "home"
    (home / "configs/demo").mkdir(parents=True)
    for name, smaller in SMALLER.items():
        settings = yaml.safe_load((ROOT / "configs/demo" / name).read_text())
        (home / "configs/demo" / name).write_text(yaml.safe_dump(settings | smaller))
    with served(home, tmp_path / "log.txt") as address:
        page.goto(f"{address}/queue")
        page.get_by_role("button", name="Build the demo").click()
        expect(page.get_by_text("Step 1 of 4: make synthetic strips", exact=False)).to_be_visible()
        page.reload()
        expect(page.get_by_role("button", name="Cancel")).to_be_visible()
        expect(page.get_by_text("Step 3 of 4: train a small network", exact=False)).to_be_visible()
        expect(page.get_by_role("heading", name="patches of")).to_be_visible()
        tested = read_manifest(home / "demo/patches").of_split(Split.TEST)
        expect(page.get_by_role("heading", name=f"{len(tested)} patches of")).to_be_visible()
    assert is_whole(home)
    assert_the_steps_agree(home / "demo")


def assert_the_steps_agree(demo: Path) -> None:
    """Strips, patches, a trained network, maps: each step's files hold what the one before wrote, and all of it."""
    manifest = read_manifest(demo / "patches")
    assert not list(find_problems(manifest))
    assert {patch.split for patch in manifest.patches} == set(Split)
    scores = json.loads((demo / "run/scores.json").read_text())
    assert scores["data_checksum"] == manifest.checksum
    judged = {patch.patch for split in (Split.VALIDATION, Split.TEST) for patch in manifest.of_split(split)}
    assert set(pd.read_parquet(demo / "run/predictions.parquet")["patch"]) == judged
    tested = {patch.patch: patch.label for patch in manifest.of_split(Split.TEST)}
    maps = {path.stem: np.load(path) for path in (demo / "run/maps/grad_cam").glob("*.npy")}
    assert sorted(tested[name] for name in maps) == sorted(set(tested.values())), "one of each class"
    for saliency in maps.values():
        assert saliency.shape == PATCH_SHAPE
        assert np.isfinite(saliency).all()
