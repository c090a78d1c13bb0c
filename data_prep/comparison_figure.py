"""The picture of the comparison: synthetic strips, and curves of both sets. No real pixel is drawn."""

import io
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Patch
from PIL import Image

from data_prep.annotations import read_annotations
from data_prep.source import Source
from data_prep.synthetic.measures import Measures
from severstal_xai.classes import CLASSES, DEFECTS
from severstal_xai.imaging import STRIP_SHAPE, read_grey
from severstal_xai.overlay import as_rgb, draw_outline
from severstal_xai.rle import decode_rle

_SHOWN = 16
_REAL, _SYNTHETIC = "#333333", "#0072b2"
_DPI = 100


def draw_comparison(real: Measures, synthetic: Measures, source: Source) -> bytes:
    """Draw synthetic strips with their masks outlined, and below them both sets' curves; return a PNG file.

    Args:
        real: What was measured on the real strips.
        synthetic: What was measured on the synthetic ones.
        source: Where the synthetic strips are.
    """
    figure = Figure(figsize=(15, 21.5), layout="constrained")
    halves = figure.subfigures(2, 1, squeeze=False, height_ratios=(0.59, 0.41))
    _show_strips(halves[0, 0], source)
    _plot_curves(halves[1, 0], real, synthetic)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=_DPI, metadata={"Software": None})
    content.seek(0)
    return _with_palette(content)


def _with_palette(content: io.BytesIO) -> bytes:
    """Return the PNG with a palette: half the greys, and the figure's own colours; a third of the bytes."""
    greys = np.repeat(np.linspace(0, 255, 128)[:, None], 3, axis=1)
    blue = np.array([int(_SYNTHETIC[at : at + 2], 16) for at in (1, 3, 5)])
    tints = np.linspace(blue, [255, 255, 255], 24)
    colours = np.concatenate([greys, tints, [defect.colour for defect in DEFECTS]])
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.rint(colours).astype(np.uint8).tobytes())
    smaller = io.BytesIO()
    with Image.open(content) as picture:
        indexed = picture.convert("RGB").quantize(palette=palette, dither=Image.Dither.NONE)
        indexed.save(smaller, "PNG", optimize=True)
    return smaller.getvalue()


def _show_strips(figure: SubFigure, source: Source) -> None:
    names = sorted(source.list_images()[0])
    masks = read_annotations(source.read_annotations(), names).masks
    grid = figure.subplots(_SHOWN // 2, 2, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, name in zip(grid, choose_strips(names, masks), strict=False):
        axes.imshow(_outlined(source, name, masks.get(name, {})), aspect="equal")
        axes.set_title(_caption(name, masks.get(name, {})), fontsize=9, loc="left")
    handles = [
        Patch(facecolor=_rgb(defect.colour), label=f"class {defect.id}: {defect.name}") for defect in DEFECTS
    ]
    figure.legend(
        handles=handles,
        title="Synthetic strips, masks outlined",
        title_fontproperties={"weight": "bold", "size": 12},
        loc="outside upper center",
        ncols=4,
        frameon=False,
    )


def choose_strips(names: Sequence[str], masks: Mapping[str, Mapping[int, str]]) -> list[str]:
    """Return up to sixteen strips that show all there is: in turn one of each set of classes, in the order of names."""
    by_classes: dict[tuple[int, ...], list[str]] = {}
    for name in names:
        by_classes.setdefault(tuple(sorted(masks.get(name, {}))), []).append(name)
    queues = [by_classes[classes] for classes in sorted(by_classes, key=lambda held: (len(held), held))]
    longest = max((len(queue) for queue in queues), default=0)
    in_turn = [queue[turn] for turn in range(longest) for queue in queues if turn < len(queue)]
    chosen = set(in_turn[:_SHOWN])
    return [name for queue in queues for name in queue if name in chosen]


def _outlined(source: Source, name: str, masks: Mapping[int, str]) -> UInt8[np.ndarray, "height width 3"]:
    """Return the strip at half its size, with outlines that are still a pixel wide."""
    grey = read_grey(source.read_image(name), STRIP_SHAPE)
    half = (STRIP_SHAPE[1] // 2, STRIP_SHAPE[0] // 2)
    picture = as_rgb(np.asarray(cv2.resize(grey, half, interpolation=cv2.INTER_AREA)))
    for label, runs in masks.items():
        mask = decode_rle(runs, *STRIP_SHAPE).astype(np.uint8)
        smaller = cv2.resize(mask, half, interpolation=cv2.INTER_NEAREST).astype(bool)
        picture = draw_outline(picture, smaller, CLASSES[label].colour)
    return picture


def _caption(name: str, masks: Mapping[int, str]) -> str:
    held = " and ".join(f"{label} {CLASSES[label].name}" for label in sorted(masks))
    return f"{name}: {held or 'no defect'}"


def _plot_curves(figure: SubFigure, real: Measures, synthetic: Measures) -> None:
    figure.suptitle("Real (dark) and synthetic (blue) strips", fontweight="bold")
    grid = figure.subplots(3, 4)
    both = ((real, "real", _REAL), (synthetic, "synthetic", _SYNTHETIC))
    for measures, name, colour in both:
        _plot_values(grid[0, 0], [strip.mean for strip in measures.strips], name, colour)
        _plot_values(grid[0, 1], [strip.spread for strip in measures.strips], name, colour)
        _plot_spectrum(grid[0, 2], [strip.across for strip in measures.strips], name, colour)
        _plot_spectrum(grid[0, 3], [strip.along for strip in measures.strips], name, colour)
        for column, defect in enumerate(DEFECTS):
            found = [annotation for annotation in measures.defects if annotation.label == defect.id]
            boxes = [box for annotation in found for box in annotation.boxes]
            _plot_shares(grid[1, column], [float(annotation.pixels) for annotation in found], name, colour)
            _plot_shares(grid[2, column], [float(width) for width, _ in boxes], f"{name}, width", colour)
            _plot_shares(
                grid[2, column], [float(height) for _, height in boxes], f"{name}, height", colour, "--"
            )
    _label(grid)


def _label(grid: np.ndarray) -> None:
    grid[0, 0].set(title="mean grey value on steel", xlabel="grey value", ylabel="share of strips")
    grid[0, 1].set(
        title="spread of grey values on steel", xlabel="standard deviation", ylabel="share of strips"
    )
    for axes, where in ((grid[0, 2], "across the strip (x)"), (grid[0, 3], "along the strip (y)")):
        axes.set(
            title=f"spectrum {where}", xlabel="waves in 256 pixels", ylabel="power, median and quartiles"
        )
    for column, defect in enumerate(DEFECTS):
        grid[1, column].set(title=f"class {defect.id}: {defect.name}", xlabel="pixels of an annotation")
        grid[2, column].set(title=f"class {defect.id}: boxes of components", xlabel="pixels")
        for axes in grid[1:, column]:
            axes.set(xscale="log", ylabel="share of defects", ylim=(0, 1))
    for axes in grid.ravel():
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False, fontsize=8)


def _plot_values(axes: Axes, values: Sequence[float], name: str, colour: str) -> None:
    bins = np.linspace(0, 255 if max(values, default=0) > 128 else 128, 33)
    shares = np.full(len(values), 1 / max(len(values), 1))
    axes.hist(
        values,
        bins=bins.tolist(),
        weights=shares,
        histtype="step",
        color=colour,
        label=f"{name} ({len(values)})",
        linewidth=1.8,
    )


def _plot_spectrum(axes: Axes, spectra: Sequence[np.ndarray], name: str, colour: str) -> None:
    if not spectra:
        return
    waves = np.arange(1, len(spectra[0]) + 1)
    low, middle, high = np.quantile(np.stack(spectra), (0.25, 0.5, 0.75), axis=0)
    axes.loglog(waves, middle, color=colour, label=name, linewidth=1.8)
    axes.fill_between(waves, low, high, color=colour, alpha=0.18, linewidth=0)


def _plot_shares(axes: Axes, values: Sequence[float], name: str, colour: str, style: str = "-") -> None:
    if values:
        axes.ecdf(values, label=f"{name} ({len(values)})", color=colour, linestyle=style, linewidth=1.8)


def _rgb(colour: tuple[int, int, int]) -> tuple[float, float, float]:
    return colour[0] / 255, colour[1] / 255, colour[2] / 255
