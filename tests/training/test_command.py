"""The command as its user runs it, in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from severstal_xai.checkpoint import load_checkpoint
from severstal_xai.imaging import model_input
from severstal_xai.manifest import Manifest

ROOT = Path(__file__).resolve().parents[2]


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "training", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"PYTHONUTF8": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=300,
    )


@pytest.fixture(scope="module")
def done(
    made_data: Manifest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    output = tmp_path_factory.mktemp("command") / "run"
    config = ROOT / "configs/demo/training.yaml"
    arguments = ("--config", config, "--data", made_data.root, "--output", output)
    return output, command(*arguments, "--epochs", 1, "--batch_size", 5, "--device", "cpu")


def test_the_console_says_what_is_done_and_where_to_look(
    done: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    output, process = done
    assert (process.returncode, process.stderr) == (0, "")
    for part in ("Train resnet18 for 1 epochs", "Device cpu, precision", "1 pitting", "epoch  1/1", "left"):
        assert part in process.stdout
    assert process.stdout.splitlines()[-1].endswith(str(output / "README.md"))


def test_the_saved_model_gives_the_probabilities_that_were_recorded(
    done: tuple[Path, subprocess.CompletedProcess[str]], made_data: Manifest
) -> None:
    output, _ = done
    checkpoint = load_checkpoint(output)
    assert checkpoint.card.data_checksum == made_data.checksum
    table = pd.read_parquet(output / "predictions.parquet")
    assert table["split"].value_counts().to_dict() == {"validation": 5, "test": 5}
    images = np.stack([model_input(made_data.read_image(made_data.find(name))) for name in table["patch"]])
    with torch.inference_mode():
        expected = checkpoint.model(torch.from_numpy(images)).softmax(dim=1)
    recorded = table[["p0", "p1", "p2", "p3", "p4"]].to_numpy()
    if json.loads((output / "scores.json").read_text())["compute"]["precision"] == "float32":
        np.testing.assert_allclose(recorded, expected.numpy(), atol=1e-4)
    assert table["predicted"].tolist() == recorded.argmax(axis=1).tolist()
    assert table["label"].tolist() == [made_data.find(name).label for name in table["patch"]]


def test_the_scores_are_those_of_the_recorded_predictions(
    done: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    output, _ = done
    table = pd.read_parquet(output / "predictions.parquet").query("split == 'test'")
    test = json.loads((output / "scores.json").read_text(encoding="utf-8"))["test"]
    assert test["top1"] == (table["label"] == table["predicted"]).mean()
    counts = np.array(test["confusion"]["counts"])
    for actual in range(5):
        for predicted in range(5):
            both = (table["label"] == actual) & (table["predicted"] == predicted)
            assert counts[actual, predicted] == both.sum()


def test_wrong_input_is_one_line_and_status_1(tmp_path: Path) -> None:
    process = command("--data", tmp_path, "--output", tmp_path / "run")
    assert process.returncode == 1
    assert process.stderr.startswith(f"{tmp_path / 'manifest.parquet'}: no such file")
    assert process.stderr.count("\n") == 1
