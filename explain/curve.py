"""The command `python -m explain.curve`: how near SISE comes to its full map with fewer forward passes.

Each patch is explained once with all masks. Then every way of asking less is played back on what the model had
said, so that all of them are judged by the same answers: a budget (with the agreement that it claims), a random choice of as many masks,
higher thresholds mu, and Ada-SISE. The figure is the rank correlation (Spearman) of the map's pixels with the full map's.
"""

import dataclasses
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from tqdm import tqdm

from explain.budget import STANDS_STILL, draw_plan, explain_within, rank_correlation
from explain.engines import CPU_BATCH
from explain.methods.ada_sise import keep_prominent
from explain.methods.sise import SISE
from explain.scoring import Progress, ScoredMasks, Stream
from explain.semantic_sampling import Samples, SemanticMap, conclude, sample
from explain.subjects import choose_patches
from severstal_xai.checkpoint import load_checkpoint
from severstal_xai.command import DONE, parse_settings, run
from severstal_xai.errors import check_range
from severstal_xai.imaging import model_input
from severstal_xai.manifest import Split, read_manifest
from severstal_xai.markdown import table
from severstal_xai.report_files import write_report

_SHARES = (0.05, 0.1, 0.2, 0.33, 0.5)
_THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.5)
_NEAR = 0.98
_RIGHT = 0.02


@dataclass(frozen=True)
class CurveSettings:
    """What to measure.

    Args:
        run: The run folder.
        data: A data folder, whose test patches with a defect are explained by their class.
        patches_per_class: At most so many of each class.
        output: The folder for `curve.json`, `.md` and `.png`.
    """

    run: Path
    data: Path
    patches_per_class: int = 3
    output: Path = Path("curve")

    def __post_init__(self) -> None:
        check_range("patches_per_class", self.patches_per_class, 1)


@dataclass(frozen=True)
class Point:
    """One patch explained in one way.

    Args:
        patch: Its name.
        way: `budget`, `until it stands still`, `random choice`, `mu` or `Ada-SISE`.
        setting: The way's: a share or a threshold.
        share: Forward passes as a share of the full map's.
        agreement: With the full map.
        claimed: What the way itself says of its agreement; None where it says nothing.
    """

    patch: str
    way: str
    setting: float
    share: float
    agreement: float
    claimed: float | None


def measure(settings: CurveSettings) -> list[Point]:
    """Explain each patch fully, then in all other ways."""
    model, manifest = load_checkpoint(settings.run).model, read_manifest(settings.data)
    chosen = choose_patches(manifest, Split.TEST, settings.patches_per_class)
    points: list[Point] = []
    for patch in tqdm([patch for patch in chosen if patch.label], unit="patch"):
        image = torch.from_numpy(model_input(manifest.read_image(patch)))
        points += measure_patch(patch.patch, model, image, patch.label)
    return points


def measure_patch(name: str, model: nn.Module, image: Tensor, target: int) -> list[Point]:
    """Explain a patch fully, then in all other ways."""
    samples = sample(SISE().sampling(), model, image, [target], plan=draw_plan)
    recorded = samples.stream
    for _ in recorded.ask():
        pass
    total, layers = recorded.forwards, recorded.layers()
    full = conclude(samples, target, layers, total)

    def point(way: str, setting: float, found: SemanticMap, claimed: float | None = None) -> Point:
        agreement = rank_correlation(found.saliency, full.saliency)
        return Point(name, way, setting, found.forwards / max(1, total), agreement, claimed)

    points = []
    for share in (*_SHARES, 1.0):
        found = explain_within(
            replayed(samples),
            target,
            budget=share,
            enough=math.inf if share < 1 else STANDS_STILL,
        )
        points.append(
            point("budget" if share < 1 else "until it stands still", share, found, found.agreement)
        )
    for share in _SHARES:
        replay = Replay(recorded)
        next(asked for asked in replay.ask() if asked >= share * total)
        points.append(point("random choice", share, conclude(samples, target, replay.layers(), replay.asked)))
    for mu in _THRESHOLDS:
        kept = sum(int((choice.kept & (choice.ranks > mu)).sum()) for choice in samples.choices[target])
        points.append(point("mu", mu, conclude(samples, target, layers, kept, mu=mu)))
    prominent = [
        dataclasses.replace(choice, kept=choice.kept & keep_prominent(choice.ranks))
        for choice in samples.choices[target]
    ]
    kept = sum(int(choice.kept.sum()) for choice in prominent)
    ada = dataclasses.replace(samples, choices={target: prominent})
    points.append(point("Ada-SISE", 0.0, conclude(ada, target, layers, kept)))
    return points


def replayed(samples: Samples[Stream]) -> Samples["Replay"]:
    """Return the samples of an image whose stream was asked to its end, to be asked about once more."""
    return Samples(
        samples.sampling,
        samples.engine,
        samples.layers,
        Replay(samples.stream),
        samples.choices,
        samples.size,
    )


class Replay:
    """A stream that was asked to its end, played back: the same masks in the same order, without a model.

    Args:
        recorded: The stream.
    """

    def __init__(self, recorded: Stream) -> None:
        self._layers, self.order = recorded.layers(), recorded.order
        self.asked = 0

    @property
    def forwards(self) -> int:
        """How many masks there are."""
        return len(self.order)

    def ask(self, progress: Progress | None = None) -> Iterator[int]:
        """Disclose one batch after the other."""
        while self.asked < self.forwards:
            self.asked = min(self.asked + CPU_BATCH, self.forwards)
            if progress:
                progress(self.asked, self.forwards)
            yield self.asked

    def layers(self) -> list[ScoredMasks]:
        """Return what was disclosed; the rest is NaN."""
        hidden = self.order[self.asked :]
        confidences = torch.cat([scored.confidences for scored in self._layers])
        confidences[hidden] = torch.nan
        parts = torch.split(confidences, [len(scored.features) for scored in self._layers])
        return [
            dataclasses.replace(scored, confidences=part)
            for scored, part in zip(self._layers, parts, strict=True)
        ]


def summarize(points: Sequence[Point]) -> str:
    """Return a Markdown table, a line for each way and setting."""
    header = [
        *("way", "setting", "forward passes", "mean", "5th percentile", "lowest"),
        *(f"patches >= {_NEAR}", f"claim right to {_RIGHT}"),
    ]
    rows = []
    for way, setting in dict.fromkeys((point.way, point.setting) for point in points):
        group = [point for point in points if (point.way, point.setting) == (way, setting)]
        found = sorted(point.agreement for point in group)
        claims = [abs(one.claimed - one.agreement) <= _RIGHT for one in group if one.claimed is not None]
        row = [
            way,
            f"{setting:g}",
            f"{statistics.mean(point.share for point in group):.3f}",
            f"{statistics.mean(found):.4f}",
            f"{torch.tensor(found).quantile(0.05):.4f}",
            f"{found[0]:.4f}",
            f"{statistics.mean(one >= _NEAR for one in found):.0%}",
            f"{statistics.mean(claims):.0%}" if claims else "",
        ]
        rows.append(row)
    return table(header, rows) + "\n"


def draw(points: Sequence[Point]) -> Figure:
    """Draw the 5th percentile of the agreement over the share of forward passes."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for way, (colour, marker) in _LOOKS.items():
        settings = dict.fromkeys(point.setting for point in points if point.way == way)
        groups = [[point for point in points if (point.way, point.setting) == (way, one)] for one in settings]
        axes.plot(
            [statistics.mean(point.share for point in group) for group in groups],
            [float(torch.tensor([point.agreement for point in group]).quantile(0.05)) for group in groups],
            color=colour,
            marker=marker,
            label=way,
        )
    axes.axhline(_NEAR, color="#999999", linewidth=0.8, linestyle="--")
    axes.set_xlabel("forward passes, share of the full map's")
    axes.set_ylabel("rank correlation with the full map, 5th percentile")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


_LOOKS = {
    "budget": ("#0072B2", "o"),
    "until it stands still": ("#0072B2", "*"),
    "random choice": ("#999999", "s"),
    "mu": ("#D55E00", "^"),
    "Ada-SISE": ("#009E73", "D"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write the three files and print the table."""
    settings = parse_settings(
        CurveSettings,
        command="python -m explain.curve",
        description="How near SISE comes to its full map with fewer forward passes, and whether it knows.",
        arguments=arguments,
    )
    points = measure(settings)
    table = summarize(points)
    rows = [dataclasses.asdict(one) for one in points]
    write_report(settings.output / "curve", rows, table, draw(points))
    print(table)
    return DONE


if __name__ == "__main__":
    run(main)
