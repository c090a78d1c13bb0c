"""Whole runs on the made data, in this process; the command itself is tried in `test_command.py`."""

import dataclasses
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import training.fit
from severstal_xai.checkpoint import load_checkpoint, read_card
from severstal_xai.errors import InputError
from severstal_xai.imaging import model_input
from severstal_xai.manifest import Manifest, Patch, Split, read_manifest, write_manifest
from severstal_xai.predictions import SHARES
from severstal_xai.scores import SCORES_FILE, read_scores
from training.fit import fit
from training.history import Epoch, best_of
from training.run_folder import CARD_FILE, EVENTS, FILES, STATE_FILE, check_output, clear
from training.settings import Settings
from training.state import Place

MakeSettings = Callable[..., Settings]
EPOCH = Epoch(1, 0.1, 1.5, 0.5, 1.4, 0.6, 10.0, 3.0)


def quiet(_: str) -> None:
    pass


@pytest.fixture(scope="module")
def few(made_data: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Of the made data five training patches, one a class, and two to validate and two to test on."""

    def one_each(patch: Patch) -> Patch | None:
        wanted = patch.strip.endswith("0") if patch.split == Split.TRAIN else patch.label < 2
        return patch if wanted else None

    return read_manifest(copy_of(made_data, tmp_path_factory.mktemp("few") / "data", one_each))


@pytest.fixture(scope="module")
def finished(
    small: MakeSettings, paper_settings: Settings, few: Manifest, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """A run of two epochs with all augmentations, done."""
    settings = small(
        data=few.root,
        output=tmp_path_factory.mktemp("runs") / "first",
        epochs=2,
        learning_rate=0.01,
        augmentation=paper_settings.augmentation,
    )
    fit(settings, quiet)
    return settings


def copy_of(manifest: Manifest, folder: Path, change: Callable[[Patch], Patch | None]) -> Path:
    """Copy a data folder, its patches changed or, where None comes back, left out."""
    shutil.copytree(manifest.root, folder)
    write_manifest(folder, [new for patch in manifest.patches if (new := change(patch))])
    return folder


def content_of(folder: Path) -> dict[str, bytes]:
    """What a run's folder holds, but for the state's lock and the events, whose name is their time."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "lock" and path.parent.name != EVENTS
    }


def test_a_run_leaves_its_files_and_nothing_else(finished: Settings) -> None:
    assert sorted(content_of(finished.output)) == sorted([*FILES, STATE_FILE])


def test_the_same_seed_gives_the_same_weights_to_the_last_bit(finished: Settings, tmp_path: Path) -> None:
    fit(dataclasses.replace(finished, output=tmp_path / "again"), quiet)
    for name in ("model.safetensors", "last.safetensors", "predictions.parquet"):
        assert (tmp_path / "again" / name).read_bytes() == (finished.output / name).read_bytes()


def test_history_has_a_row_an_epoch_and_the_kept_model_is_the_best_of_them(finished: Settings) -> None:
    history = pd.read_csv(finished.output / "history.csv")
    assert history.columns.tolist() == [field.name for field in dataclasses.fields(Epoch)]
    assert history["epoch"].tolist() == [1, 2]
    best = best_of([Epoch(**row) for row in history.to_dict("records")])  # type: ignore[arg-type] # str keys
    assert load_checkpoint(finished.output).card.epoch == best.epoch
    assert load_checkpoint(finished.output, "last").card.epoch == 2


def test_a_trained_run_is_refused_and_left_as_it_is(finished: Settings) -> None:
    before = content_of(finished.output)
    with pytest.raises(InputError, match=r"first: holds a run; .* --resume true .* --overwrite true"):
        fit(finished, quiet)
    assert content_of(finished.output) == before


def test_a_file_of_the_users_is_not_overwritten(tmp_path: Path) -> None:
    data, run = tmp_path / "data", tmp_path / "run"
    run.mkdir()
    (run / "notes.txt").write_text("mine")
    check_output(run, data=data, overwrite=False)
    (run / CARD_FILE).write_text("mine")
    with pytest.raises(InputError, match=r"holds README\.md"):
        check_output(run, data=data, overwrite=False)
    with pytest.raises(InputError, match="a file, expected a folder"):
        check_output(run / "notes.txt", data=data, overwrite=True)


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (
            ["README.md"],
            r"holds README\.md, but neither a settings\.yaml nor a model\.json as a run writes it",
        ),
        (["README.md", "settings.yaml"], r"holds settings\.yaml, README\.md, but neither"),
        (["README.md", "model.json"], r"holds model\.json, README\.md, but neither"),
        (["thesis.tex"], r"holds 'thesis\.tex', which no run writes"),
        (["README.md/mine.txt"], r"holds 'README\.md', which no run writes"),
        (["maps"], r"holds 'maps', which no run writes"),
    ],
)
def test_a_folder_that_is_no_run_is_not_overwritten_whatever_its_files_are_called(
    finished: Settings, tmp_path: Path, names: list[str], reason: str
) -> None:
    folder = tmp_path / "mine"
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine: 1")
    with pytest.raises(InputError, match=reason):
        fit(dataclasses.replace(finished, output=folder, overwrite=True), quiet)
    assert all((folder / name).read_text() == "mine: 1" for name in names)


def test_a_run_among_which_the_user_put_a_file_is_not_overwritten(finished: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished.output, folder)
    (folder / "thesis.tex").write_text("mine")
    before = content_of(folder)
    with pytest.raises(InputError, match=r"holds 'thesis\.tex', which no run writes"):
        fit(dataclasses.replace(finished, output=folder, overwrite=True), quiet)
    assert content_of(folder) == before


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("place", ["", "runs/first", "../data/images"])
def test_the_data_folder_is_no_output(
    finished: Settings, few: Manifest, tmp_path: Path, place: str, overwrite: bool
) -> None:
    data = copy_of(few, tmp_path / "data", lambda patch: patch)
    (data / "settings.yaml").write_text("of the data")
    before = sorted(data.rglob("*"))
    with pytest.raises(InputError, match=r"lies in the data folder .*, expected a folder elsewhere"):
        fit(dataclasses.replace(finished, data=data, output=data / place, overwrite=overwrite), quiet)
    assert sorted(data.rglob("*")) == before
    assert (data / "settings.yaml").read_text() == "of the data"


@pytest.mark.parametrize(
    "gone",
    [
        [],
        ["settings.yaml"],
        [name for name in FILES if name != "settings.yaml"],
        ["model.json", "model.safetensors", "README.md"],
    ],
)
def test_a_run_may_be_overwritten_whole_or_begun_with_its_maps(
    finished: Settings, tmp_path: Path, gone: list[str]
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished.output, folder)
    (folder / "maps" / "sise").mkdir(parents=True)
    (folder / ".last.json.7.severstal_xai.part").write_text("{")
    for name in gone:
        (folder / name).unlink()
    check_output(folder, data=finished.data, overwrite=True)


def test_an_empty_or_absent_folder_may_be_overwritten(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "absent"):
        check_output(tmp_path / name, data=tmp_path / "data", overwrite=True)


def test_clearing_a_run_keeps_it_known_for_a_run_to_the_last_moment(
    finished: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, unlink = tmp_path / "run", Path.unlink
    shutil.copytree(finished.output, folder)

    def checked(self: Path, missing_ok: bool = False) -> None:
        check_output(folder, data=finished.data, overwrite=True)
        unlink(self, missing_ok)

    monkeypatch.setattr(Path, "unlink", checked)
    clear(folder)
    assert list(content_of(folder)) == [STATE_FILE]
    assert not list((folder / EVENTS).iterdir())


def test_overwriting_begins_only_when_there_is_something_to_put_in_place(
    finished: Settings, few: Manifest, tmp_path: Path
) -> None:
    before = content_of(finished.output)
    data = copy_of(few, tmp_path / "data", lambda patch: patch)
    damaged = data / few.of_split(Split.TEST)[0].image
    damaged.write_bytes(damaged.read_bytes()[:-9])
    with pytest.raises(InputError, match=f"{damaged.name}: not the file that was prepared"):
        fit(dataclasses.replace(finished, data=data, overwrite=True), quiet)
    assert content_of(finished.output) == before


def test_a_run_that_fails_later_keeps_the_last_good_model_and_no_scores_of_another_run(
    finished: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks_in_epoch_2(*_: object, **__: object) -> Iterator[Place]:
        yield Place(2, epochs=(EPOCH,))
        raise InputError("epoch 2: step 7: the loss is nan")

    folder = tmp_path / "run"
    shutil.copytree(finished.output, folder)
    monkeypatch.setattr(training.fit, "train", breaks_in_epoch_2)
    with pytest.raises(InputError, match="epoch 2: step 7"):
        fit(dataclasses.replace(finished, output=folder, overwrite=True), quiet)
    assert load_checkpoint(folder).card.epoch == 1
    assert load_checkpoint(folder, "last").card.epoch == 1
    assert not (folder / "scores.json").exists()
    assert not (folder / CARD_FILE).exists()


@pytest.mark.parametrize("empty", list(Split))
def test_a_split_without_patches_is_refused(
    small: MakeSettings, made_data: Manifest, tmp_path: Path, empty: Split
) -> None:
    data = copy_of(made_data, tmp_path / "data", lambda patch: patch if patch.split != empty else None)
    with pytest.raises(InputError, match=f"no patch in the {empty} split"):
        fit(small(data=data, output=tmp_path / "run"), quiet)
    assert not (tmp_path / "run").exists()


def test_training_patches_of_one_class_are_refused(
    small: MakeSettings, made_data: Manifest, tmp_path: Path
) -> None:
    def only_sound(patch: Patch) -> Patch | None:
        return patch if patch.split != Split.TRAIN or patch.label == 0 else None

    data = copy_of(made_data, tmp_path / "data", only_sound)
    with pytest.raises(InputError, match="all training patches are of class 0"):
        fit(small(data=data, output=tmp_path / "run"), quiet)


def test_data_that_is_not_there_is_refused(small: MakeSettings, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"manifest\.parquet: no such file"):
        fit(small(data=tmp_path), quiet)


def test_the_best_epoch_has_the_highest_top1_then_the_lowest_loss_then_comes_first() -> None:
    def epoch(number: int, top1: float, loss: float) -> Epoch:
        return dataclasses.replace(EPOCH, epoch=number, validation_top1=top1, validation_loss=loss)

    epochs = [epoch(1, 0.5, 0.1), epoch(2, 0.6, 0.9), epoch(3, 0.6, 0.8), epoch(4, 0.6, 0.8)]
    assert best_of(epochs).epoch == 3


def test_the_model_card_says_what_it_must(finished: Settings, few: Manifest) -> None:
    card = (finished.output / CARD_FILE).read_text(encoding="utf-8")
    scores: dict[str, Any] = json.loads((finished.output / "scores.json").read_text(encoding="utf-8"))
    top1 = scores["test"]["measures"]["top1"]
    assert top1["low"] <= top1["value"] == scores["test"]["top1"] <= top1["high"]
    assert scores["test"]["measures"]["recall_0"]["value"] in {0, 1}
    for part in (
        f"`{few.checksum}`",
        "0 of the 2 test patches share their strip",
        "| 1 pitting | 1 | 1 | 1 |",
        f"| top-1 | {scores['test']['top1']:.2%} | {top1['low']:.2%} to {top1['high']:.2%} | 86.58% |",
        f"divided by {scores['calibration']['temperature']:.3f}, the temperature fitted",
        "| architecture | resnet18 | ours (the paper: resnet101) |",
        "| halve_every | 5 | the paper |",
        "| momentum | 0.9 | ours |",
        "| augmentation.shift | 8 | ours |",
        "float32 (as set)",
    ):
        assert part in card


def test_the_scores_are_read_as_they_were_written(finished: Settings) -> None:
    content = json.loads((finished.output / SCORES_FILE).read_text(encoding="utf-8"))
    scores = read_scores(finished.output, read_card(finished.output))
    assert scores
    assert scores.confusion.tolist() == content["test"]["confusion"]["counts"]
    for name, measure in content["test"]["measures"].items():
        read = dataclasses.asdict(scores.measures[name])
        assert {key: None if np.isnan(value) else value for key, value in read.items()} == measure


def test_the_answers_that_are_kept_are_those_of_the_model_as_it_is_used_whatever_it_was_trained_in(
    small: MakeSettings, few: Manifest, tmp_path: Path
) -> None:
    settings = small(data=few.root, output=tmp_path / "run", epochs=1, precision="bf16")
    fit(settings, quiet)
    kept = pd.read_parquet(settings.output / "predictions.parquet").set_index("patch")
    model = load_checkpoint(settings.output).model
    for patch in few.of_split(Split.TEST):
        image = torch.from_numpy(model_input(few.read_image(patch)))[None]
        with torch.inference_mode():
            expected = model(image)[0].double().softmax(dim=0).numpy()
        np.testing.assert_allclose(kept.loc[patch.patch, list(SHARES)].to_numpy(float), expected, atol=1e-5)
