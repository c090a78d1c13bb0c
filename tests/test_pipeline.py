"""All commands in a row, as the README gives them: strips, patches, a trained network, maps."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from app.demo import steps as demo
from severstal_xai.command import CONFIGS
from severstal_xai.manifest import Split, read_manifest

ROOT = CONFIGS.parent


def run(*arguments: str) -> str:
    """Run a command with warnings as errors; return what it printed."""
    command = [sys.executable, "-m", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_from_nothing_to_maps(tmp_path: Path) -> None:
    strips, patches, trained = (str(tmp_path / name) for name in ("strips", "patches", "run"))
    shares = '{"none": 1, "1": 1, "2": 1, "3": 1, "4": 1}'
    run("data_prep.synthesize", "--output", strips, "--strips", "24", "--shares", shares)
    run("data_prep", "--source", strips, "--output", patches)
    assert "0 problems" in run("data_prep.verify", "--data", patches)
    manifest = read_manifest(Path(patches))
    assert {patch.split for patch in manifest.patches} == set(Split)

    few = ["--epochs", "1", "--patches_per_class", "3", "--batch_size", "4"]
    run("training", "--data", patches, "--output", trained, "--architecture", "resnet18", *few)
    scores = json.loads((tmp_path / "run/scores.json").read_text())
    assert scores["data_checksum"] == manifest.checksum
    predictions = pd.read_parquet(tmp_path / "run/predictions.parquet")
    assert set(predictions["patch"]) == {
        patch.patch for patch in manifest.patches if patch.split in {Split.VALIDATION, Split.TEST}
    }

    explained = ["--methods", "grad_cam", "--patches_per_class", "1"]
    assert "rejected" in run("explain", "--run", trained, "--data", patches, *explained)
    maps = sorted((tmp_path / "run/maps/grad_cam").glob("*.npy"))
    assert maps
    for path in maps:
        saliency = np.load(path)
        assert saliency.shape == (256, 256)
        assert np.isfinite(saliency).all()
        assert manifest.find(path.stem).split == Split.TEST


def test_the_demos_steps_use_the_demos_settings_and_write_what_is_looked_for() -> None:
    for step in demo.STEPS:
        config = ROOT / step.command[step.command.index("--config") + 1]
        assert config.is_file()
        assert str(step.result.parts[0]) == "demo"
