"""Playing back what a model said gives what asking it again would give."""

import json
from pathlib import Path

import pytest
import torch

from explain.budget import draw_plan
from explain.curve import Point, Replay, main, measure_patch, summarize
from explain.methods.sise import SISE
from explain.semantic_sampling import sample
from explain.subjects import choose_patches
from severstal_xai.checkpoint import ModelCard, save_checkpoint
from severstal_xai.manifest import Manifest
from severstal_xai.model import build_classifier


def test_a_budget_played_back_gives_the_map_of_a_budget_that_asks() -> None:
    model = build_classifier("resnet18", 5, seed=0).eval()
    image = torch.randn(3, 64, 64, generator=torch.Generator().manual_seed(0))
    points = measure_patch("a", model, image, 2)
    asked = {share: SISE(budget=share).explain(model, image, 2) for share in (0.1, 0.33)}
    full = SISE().explain(model, image, 2)
    for share, found in asked.items():
        (point,) = [one for one in points if one.way == "budget" and one.setting == share]
        if found.agreement < 0.99:  # else it ended before its budget
            assert point.share == pytest.approx(found.forwards / full.forwards)
            assert point.claimed == pytest.approx(found.agreement, abs=1e-6)
    (ended,) = [one for one in points if one.way == "until it stands still"]
    assert ended.claimed is not None
    assert ended.claimed >= 0.99
    for mu, kept in [
        (0.1, SISE(mu=0.1).explain(model, image, 2)),
        (0.5, SISE(mu=0.5).explain(model, image, 2)),
    ]:
        (point,) = [one for one in points if one.way == "mu" and one.setting == mu]
        assert point.share == pytest.approx(kept.forwards / full.forwards)


def test_a_replay_hides_what_was_not_asked_yet_and_ends_with_all() -> None:
    model = build_classifier("resnet18", 5, seed=0).eval()
    image = torch.randn(3, 64, 64, generator=torch.Generator().manual_seed(0))
    stream = sample(SISE().sampling(), model, image, [2], plan=draw_plan).stream
    for _ in stream.ask():
        pass
    replay = Replay(stream)
    first = next(replay.ask())
    shown = torch.cat([scored.confidences[:, 2] for scored in replay.layers()])
    assert int((~shown.isnan()).sum()) == first == 8
    assert (~shown.isnan())[stream.order[:8]].all()
    for _ in replay.ask():
        pass
    for again, recorded in zip(replay.layers(), stream.layers(), strict=True):
        assert torch.equal(again.confidences, recorded.confidences)


def test_the_summary_counts() -> None:
    points = [
        Point(name, "budget", 0.1, 0.1, agreement, 0.985) for name, agreement in (("a", 0.97), ("b", 1.0))
    ]
    assert "| budget | 0.1 | 0.100 | 0.9850 | 0.9715 | 0.9700 | 50% | 100% |" in summarize(points)


def test_the_command_writes_table_figure_and_points(
    made_data: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("explain.curve.choose_patches", lambda *some: choose_patches(*some)[1:2])
    monkeypatch.setattr("explain.curve._SHARES", (0.1,))
    monkeypatch.setattr("explain.curve._THRESHOLDS", (0.3,))
    card = ModelCard("resnet18", made_data.checksum, epoch=1, settings={})
    save_checkpoint(tmp_path / "run", build_classifier("resnet18", 5, seed=0), card)
    arguments = ["--run", str(tmp_path / "run"), "--data", str(made_data.root), "--patches_per_class", "1"]
    assert main([*arguments, "--output", str(tmp_path / "curve")]) == 0
    points = json.loads((tmp_path / "curve/curve.json").read_text())
    assert {point["way"] for point in points} == {
        "budget",
        "until it stands still",
        "random choice",
        "mu",
        "Ada-SISE",
    }
    assert (tmp_path / "curve/curve.png").read_bytes().startswith(b"\x89PNG")
