"""Synthetic strips measured against their definition, and against real ones."""

import json
import math
import re
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from data_prep.source import open_source
from data_prep.synthesize import Settings
from data_prep.synthetic import sizes
from data_prep.synthetic.annotation import rough_polygon
from data_prep.synthetic.fields import covering, fractal, smooth
from data_prep.synthetic.kinds import KINDS
from data_prep.synthetic.measures import measure_defect, measure_strip
from data_prep.synthetic.plan import draw_defect, draw_labels
from data_prep.synthetic.shapes import Box, blob, mask_of, slanted, sweep, torn
from data_prep.synthetic.steel import SHAPE, Margin, Side, steel_surface
from data_prep.synthetic.strip import StripSource, strip_name, with_defect
from severstal_xai.command import CONFIGS, parse_settings
from severstal_xai.imaging import STRIP_SHAPE, read_grey


def chance(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def shares() -> dict[str, float]:
    arguments = ["--output", "never-written"]
    settings = parse_settings(
        Settings, command="test", description="", defaults=CONFIGS / "synthesize.yaml", arguments=arguments
    )
    return settings.shares


def test_the_default_shares_are_the_real_counts(shares: dict[str, float]) -> None:
    assert sum(shares.values()) == 12_568
    assert shares["none"] == 5_902
    rows = {label: sum(count for held, count in shares.items() if label in held) for label in "1234"}
    assert rows == {"1": 897, "2": 247, "3": 5_150, "4": 801}
    by_number = Counter(
        held.count("+") + 1 for held, count in shares.items() if held != "none" for _ in range(int(count))
    )
    assert by_number == {1: 6_239, 2: 425, 3: 2}


def test_strips_hold_classes_as_often_as_the_shares_say(shares: dict[str, float]) -> None:
    draws, source = 4_000, chance()
    drawn = Counter(draw_labels(source, shares) for _ in range(draws))
    for held, count in shares.items():
        share = count / sum(shares.values())
        labels = () if held == "none" else tuple(int(label) for label in held.split("+"))
        deviation = math.sqrt(draws * share * (1 - share))
        assert abs(drawn[labels] - draws * share) <= 5 * deviation + 1, held


@pytest.mark.parametrize("held", ["1", "2", "3", "4", "1+2", "2+4", "3+4", "1+2+3"])
def test_a_strip_has_a_mask_of_each_class_it_should_hold_and_of_no_other(held: str) -> None:
    source = StripSource(seed=3, shares={held: 1.0}, chequered=1.0)
    for number in range(8):
        masks = source.plan(number).masks()
        assert "+".join(str(label) for label in masks) == held
        assert all(mask.any() and mask.shape == SHAPE for mask in masks.values())


def test_chequered_plate_is_never_defective() -> None:
    source = StripSource(seed=0, shares={"none": 1.0, "4": 1.0}, chequered=1.0)
    plans = [source.plan(number) for number in range(30)]
    assert all(plan.chequered == (not plan.defects) for plan in plans)


def test_names_are_nine_hexadecimal_digits_and_all_different() -> None:
    names = {strip_name(7, number) for number in range(5_000)}
    assert len(names) == 5_000
    assert all(re.fullmatch(r"[0-9a-f]{9}\.jpg", name) for name in names)


# An annotator's box is drawn from the tables, then shrunk by the gap, filled by an outline, widened by the gap and
# clicked with errors: up to a fifth of a side each. So quartiles may be off by a factor of 1.4, with 5 % each way for
# the number of draws.
_FACTOR = 1.45


@pytest.mark.parametrize(("label", "strips"), [(1, 60), (2, 60), (3, 120), (4, 60)])
def test_annotations_are_as_large_as_real_ones(real_sample: Path, label: int, strips: int) -> None:
    boxes = real_sample.parent / "annotation_boxes.csv"
    if not boxes.is_file():
        pytest.skip(f"no {boxes}")
    table = pd.read_csv(boxes)
    table = table[table["ClassId"] == label]
    source = StripSource(seed=1, shares={str(label): 1.0}, chequered=0.0)
    made = [measure_defect(label, source.plan(number).masks()[label]) for number in range(strips)]
    real_boxes = np.array([box for row in table["Boxes"] for box in json.loads(row)])
    real = [real_boxes[:, 3] - real_boxes[:, 1] + 1, real_boxes[:, 2] - real_boxes[:, 0] + 1]
    for side in (0, 1):
        ours = [box[side] for found in made for box in found.boxes]
        ratio = np.quantile(ours, (0.25, 0.5, 0.75)) / np.quantile(real[side], (0.25, 0.5, 0.75))
        assert (np.abs(np.log(ratio)) < np.log(_FACTOR)).all(), ratio
    # Pixels of an annotation multiply width, height and number, so their factor is that to the third, at most.
    ratio = np.median([found.pixels for found in made]) / table["Pixels"].median()
    assert abs(np.log(ratio)) < np.log(1.6), ratio
    assert (
        abs(
            np.mean([len(found.boxes) for found in made])
            / np.mean(table["Boxes"].map(lambda row: len(json.loads(row))))
            - 1
        )
        < 0.35
    )


def test_edge_bars_lie_beside_the_edge() -> None:
    source = StripSource(seed=0, shares={"2": 1.0}, chequered=0.0)
    for number in range(40):
        plan = source.plan(number)
        left, right = plan.margin.span()
        for defect in plan.defects:
            middle = defect.outline[:, 0].mean()
            assert 30 <= min(middle - left, right - middle) <= 120


@pytest.mark.parametrize("name", KINDS)
def test_a_defect_changes_the_steel_within_its_mask_and_hardly_beyond(name: str) -> None:
    grey = steel_surface(chance(1), Margin(Side.NONE, 0.0, 0.0))
    inside_changes = []
    for seed in range(6):
        source = chance(seed)
        box = (
            Box(400.0, 20.0, 30.0, 200.0)
            if "line" in name or "bar" in name
            else Box(400.0, 60.0, 110.0, 90.0)
        )
        defect = draw_defect(source, name, box)
        change = np.abs(with_defect(source, grey, defect) - grey)
        mask = mask_of(defect.polygon, SHAPE)
        # Beyond it lie shadows, and the soft border of a rubbed field, which has no sharp one.
        assert change[mask].sum() > 0.8 * change.sum()
        inside_changes.append(float(change[mask].mean() / grey[mask].mean()))
    # A defect that no eye could find would change the steel by less than its grain, about 6 %, does; lines and
    # crumbs fill a small part of their mask, which the annotators drew around them.
    assert np.median(inside_changes) > 0.02
    assert max(inside_changes) > 0.05


def test_a_strip_is_the_same_steel_with_and_without_its_defects() -> None:
    source = StripSource(seed=2, shares={"4": 1.0}, chequered=0.0)
    plan = source.plan(1)
    with_it, without = source.paint(1, plan).astype(int), source.paint_sound(1).astype(int)
    mask = cv2.dilate(plan.masks()[4].astype(np.uint8), np.ones((31, 31))).astype(bool)
    assert (with_it[~mask] == without[~mask]).all()
    assert (with_it[mask] != without[mask]).mean() > 0.3


def test_it_is_dark_beside_the_strip() -> None:
    source = StripSource(seed=0, shares={"2": 1.0}, chequered=0.0)
    plan = next(plan for plan in map(source.plan, range(30)) if plan.margin.side == Side.LEFT)
    number = [source.plan(number).margin == plan.margin for number in range(30)].index(True)
    grey = source.paint(number, plan)
    left = round(plan.margin.span()[0])
    assert grey[:, : left - 15].mean() < 8
    assert grey[:, left + 40 :].mean() > 25


def test_painted_strips_measure_like_real_ones(real_sample: Path, shares: dict[str, float]) -> None:
    source = open_source(real_sample)
    names = sorted(source.list_images()[0])
    real = [measure_strip(read_grey(source.read_image(name), STRIP_SHAPE)) for name in names[::4]]
    synthetic = StripSource(seed=4, shares=shares, chequered=0.16)
    made = [measure_strip(synthetic.paint(number, synthetic.plan(number))) for number in range(16)]

    def compare(measure: str, *band: int) -> float:
        def median(strips: list) -> float:  # type: ignore[type-arg]
            values = [getattr(strip, measure) for strip in strips if strip is not None]
            return float(np.median([value[slice(*band)].sum() ** 0.5 if band else value for value in values]))

        return abs(math.log(median(made) / median(real)))

    # Strips differ by a factor of 1.3 (means) to 1.7 (contrasts), one deviation; medians of 16 strips then scatter by
    # 1.25 * log(1.7) / sqrt(16), or 17 %: two and a half of these are a factor of 1.55.
    assert compare("mean") < math.log(1.3)
    assert compare("spread") < math.log(1.55)
    for band in ((0, 4), (4, 16), (16, 64), (64, 128)):
        assert compare("across", *band) < math.log(1.55), band
        assert compare("along", *band) < math.log(1.55), band


def test_smooth_noise_has_mean_0_deviation_1_and_the_correlation_of_its_blur() -> None:
    # White noise blurred by a Gaussian of deviation s has the autocorrelation exp(-d^2 / 4 s^2).
    for sigma in (2.0, 12.0):
        field = smooth(chance(), (800, 800), (sigma, sigma)).astype(float)
        samples = (800 / (2 * math.sqrt(math.pi) * sigma)) ** 2
        assert abs(field.mean()) < 5 / math.sqrt(samples)
        assert abs(field.std() - 1) < 5 / math.sqrt(samples)
        distance = round(2 * sigma)
        expected = math.exp(-(distance**2) / (4 * sigma**2))
        assert (field[:, distance:] * field[:, :-distance]).mean() == pytest.approx(expected, abs=0.1)


def test_smooth_noise_differs_along_its_axes() -> None:
    field = smooth(chance(), (200, 200), (30.0, 1.0))
    assert np.abs(np.diff(field, axis=1)).mean() > 10 * np.abs(np.diff(field, axis=0)).mean()


@pytest.mark.parametrize("share", [0.02, 0.3])
def test_islands_take_their_share(share: float) -> None:
    field = fractal(chance(), (600, 600), (4, 4))
    assert covering(field, share).mean() == pytest.approx(share, rel=0.25)
    assert covering(field, np.full((600, 600), share, dtype=np.float32)).mean() == pytest.approx(
        share, rel=0.25
    )


@pytest.mark.parametrize("seed", range(4))
def test_outlines_fill_their_box(seed: int) -> None:
    box = Box(100.0, 50.0, 80.0, 60.0)
    outlines = (
        blob(chance(seed), box, 0.3),
        torn(chance(seed), box, 0.04),
        slanted(chance(seed), box, 0.3),
        sweep(chance(seed), box, 0.6),
    )
    for outline in outlines:
        assert outline.min(axis=0) == pytest.approx([100, 50])
        assert outline.max(axis=0) == pytest.approx([180, 110])


@pytest.mark.parametrize("seed", range(5))
def test_the_annotator_draws_few_corners_around_the_defect_and_a_little_beyond(seed: int) -> None:
    outline = torn(chance(seed), Box(300.0, 60.0, 200.0, 120.0), 0.03)
    polygon = rough_polygon(chance(seed), outline, gap=4.0, coarseness=5.0)
    assert 4 <= len(polygon) <= 40
    defect, mask = mask_of(outline, SHAPE), mask_of(polygon, SHAPE)
    assert (mask & defect).sum() > 0.97 * defect.sum()
    # Gap, coarseness and twice the hand's error (a third of the gap) are the farthest that a corner lies off.
    reach = 2 * round(4 + 5 + 2 * 4 / 3) + 1
    assert not (mask & ~cv2.dilate(defect.astype(np.uint8), np.ones((reach, reach))).astype(bool)).any()


def test_the_sizes_of_one_strip_are_akin() -> None:
    pairs = [sizes.draw_sizes(chance(seed), [sizes.FULL_HEIGHT] * 2) for seed in range(400)]
    widths = np.log([[width for width, _ in pair] for pair in pairs])
    between_kin = np.corrcoef(widths.T)[0, 1]
    # Normal scores correlate by the family's kinship; the quantile tables bend that a little.
    assert between_kin == pytest.approx(sizes.FULL_HEIGHT.kinship, abs=0.12)
