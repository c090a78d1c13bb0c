"""A folder of maps over several runs: what is there stays, what is missing comes, nothing is mixed."""

import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from explain.__main__ import main
from severstal_xai.checkpoint import ModelCard, save_checkpoint
from severstal_xai.errors import InputError
from severstal_xai.manifest import Manifest, Split
from severstal_xai.model import build_classifier

Launch = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory, made_data: Manifest) -> Path:
    folder = tmp_path_factory.mktemp("run")
    save_run(folder, made_data, seed=0)
    return folder


def save_run(folder: Path, data: Manifest, seed: int) -> None:
    card = ModelCard("resnet18", data.checksum, epoch=1, settings={})
    save_checkpoint(folder, build_classifier("resnet18", 5, seed=seed), card)


@pytest.fixture
def arguments(run_folder: Path, made_data: Manifest, tmp_path: Path) -> list[str]:
    common = ["--run", str(run_folder), "--data", str(made_data.root), "--output", str(tmp_path / "maps")]
    return [*common, "--methods", "grad_cam"]


SAMPLING = ("--methods", "grad_cam,sise", "--sise.mu", "0.9")


@pytest.fixture(scope="module")
def whole(run_folder: Path, made_data: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of maps by two methods, of all five test patches; to be copied."""
    folder = tmp_path_factory.mktemp("whole") / "maps"
    main(["--run", str(run_folder), "--data", str(made_data.root), "--output", str(folder), *SAMPLING])
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def maps_in(folder: Path) -> dict[str, bytes]:
    return {name: content for name, content in contents(folder).items() if name.endswith((".npy", ".png"))}


def names_in(table: Path) -> list[str]:
    with table.open(encoding="utf-8", newline="") as stream:
        return [row["name"] for row in csv.DictReader(stream)]


def test_run_again_nothing_is_explained_twice(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    main(arguments)
    before = contents(tmp_path / "maps")
    monkeypatch.setattr("explain.gallery.ask", never)
    assert main(arguments) == 0
    assert contents(tmp_path / "maps") == before
    assert "5 explained (5 before), 0 rejected" in capsys.readouterr().out


def never(*_: object) -> None:
    raise AssertionError("explained again")


@pytest.mark.parametrize("ending", [".npy", ".png", ".json"])
def test_what_is_missing_is_made_again_and_is_the_same(
    arguments: list[str], tmp_path: Path, ending: str
) -> None:
    main(arguments)
    before = maps_in(tmp_path / "maps")
    next((tmp_path / "maps/grad_cam").glob(f"*{ending}")).unlink()
    main(arguments)
    assert maps_in(tmp_path / "maps") == before
    assert len(names_in(tmp_path / "maps/explained.csv")) == 5


def test_a_damaged_record_is_made_again(arguments: list[str], tmp_path: Path) -> None:
    main(arguments)
    record = next((tmp_path / "maps/grad_cam").glob("*.json"))
    good = json.loads(record.read_text())
    for damage in ("", "[]", "{}", '{"image_sha256": "0", "rows": [{"name": 1}]}'):
        record.write_text(damage)
        main(arguments)
        again = json.loads(record.read_text())
        assert again["image_sha256"] == good["image_sha256"]
        assert again["rows"][0]["highest"] == good["rows"][0]["highest"]


def test_killed_and_started_again_it_ends_as_if_never_killed(
    arguments: list[str], whole: Path, tmp_path: Path
) -> None:
    sampling = [*arguments, *SAMPLING]
    process = subprocess.Popen(
        [sys.executable, "-m", "explain", *sampling], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while process.poll() is None and len(list(tmp_path.glob("maps/sise/*.json"))) < 2:
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert main(sampling) == 0
    assert maps_in(tmp_path / "maps") == maps_in(whole)
    tables = [names_in(place / "explained.csv") for place in (tmp_path / "maps", whole)]
    assert tables[0] == tables[1]


def test_a_method_and_images_may_be_added_later(
    arguments: list[str], made_data: Manifest, tmp_path: Path
) -> None:
    main([*arguments, "--patches_per_class", "1"])
    train = [*arguments, "--split", "train"]
    main(train)
    main([*arguments[:-1], "sise", "--sise.mu", "0.9"])
    names = names_in(tmp_path / "maps/explained.csv")
    assert len(names) == 5 + 10 + 5
    assert names == sorted(names)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (["--target", "prediction"], "target auto, now prediction"),
        (["--methods", "sise", "--sise.mu", "0.8"], r"settings.mu 0.9, now 0.8"),
    ],
)
def test_maps_made_in_another_way_are_never_mixed(
    arguments: list[str], whole: Path, tmp_path: Path, change: list[str], named: str
) -> None:
    first = [*arguments, *SAMPLING]
    shutil.copytree(whole, tmp_path / "maps")
    before = contents(tmp_path / "maps")
    with pytest.raises(InputError, match=rf"{named}, expected another --output, or --overwrite true"):
        main([*first, *change])
    assert contents(tmp_path / "maps") == before


def test_maps_of_other_weights_are_never_mixed(
    arguments: list[str], made_data: Manifest, tmp_path: Path
) -> None:
    main(arguments)
    save_run(tmp_path / "other", made_data, seed=1)
    arguments[arguments.index("--run") + 1] = str(tmp_path / "other")
    with pytest.raises(InputError, match="holds maps with weights"):
        main(arguments)


def test_overwriting_deletes_this_methods_old_maps_alone(
    arguments: list[str], whole: Path, tmp_path: Path
) -> None:
    both = [*arguments, *SAMPLING]
    shutil.copytree(whole, tmp_path / "maps")
    grad_cam = contents(tmp_path / "maps/grad_cam")
    other = ["--methods", "sise", "--sise.mu", "0.8", "--patches_per_class", "1", "--split", "validation"]
    assert main([*both, *other, "--overwrite", "true"]) == 0
    assert contents(tmp_path / "maps/grad_cam") == grad_cam
    sise = {path.stem for path in (tmp_path / "maps/sise").glob("*.npy")}
    assert len(sise) == 5
    assert sise.isdisjoint(Path(name).stem for name in grad_cam)


def test_another_image_of_the_same_name_is_explained_anew(
    run_folder: Path, made_data: Manifest, tmp_path: Path
) -> None:
    patches = made_data.patches[:2]
    image = tmp_path / "coil.png"
    arguments = ["--run", str(run_folder), "--images", str(image), "--output", str(tmp_path / "maps")]
    written = []
    for patch in patches:
        image.write_bytes((made_data.root / patch.image).read_bytes())
        main([*arguments, "--methods", "grad_cam"])
        written.append((tmp_path / "maps/grad_cam/coil.npy").read_bytes())
    assert written[0] != written[1]
    assert names_in(tmp_path / "maps/explained.csv") == ["coil"]


def test_one_bad_image_is_named_in_the_message_itself(run_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_text("steel")
    (tmp_path / "empty").mkdir()
    common = ["--run", str(run_folder), "--output", str(tmp_path / "maps"), "--methods", "grad_cam"]
    with pytest.raises(InputError, match=r"no image could be explained: .*bad\.png: "):
        main([*common, "--images", str(tmp_path / "bad.png")])
    with pytest.raises(InputError, match=r"empty: no image in this folder, expected files ending in \.jpg"):
        main([*common, "--images", str(tmp_path / "empty")])
    assert not (tmp_path / "maps/settings.yaml").exists()


def test_two_processes_share_the_work_and_write_what_one_writes(
    arguments: list[str], made_data: Manifest, tmp_path: Path, launch: Launch
) -> None:
    data = tmp_path / "data"
    shutil.copytree(made_data.root, data)
    (data / made_data.of_split(Split.TEST)[3].image).write_bytes(b"steel")
    arguments[arguments.index("--data") + 1] = str(data)
    main(arguments)
    (tmp_path / "maps").rename(tmp_path / "alone")
    done = launch(2, "explain", *arguments, "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("4 explained, 1 rejected") == 1
    assert maps_in(tmp_path / "maps") == maps_in(tmp_path / "alone")
    together, alone = (tmp_path / place for place in ("maps", "alone"))
    assert names_in(together / "explained.csv") == names_in(alone / "explained.csv")
    assert (together / "rejected.csv").read_bytes() == (alone / "rejected.csv").read_bytes()
