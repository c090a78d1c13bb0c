"""Right for the right reason: the model's answer, and where the evidence for the patch's class lies.

Evidence lies on the defect where more of a map's energy is inside the mask than of the maps that know neither the model nor the
image, the random one and the bell, on the same patch: a large defect catches much of any map.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd

from severstal_xai.bootstrap import RESAMPLES, Measure, Weights, rate, resample

BLIND = ("random", "centred_gaussian")
"""The controls that the threshold is drawn from. Edges are none: they know the image, and so where the defect is."""


class Group(StrEnum):
    """What a patch is an example of: of one of the four where the map found something, else of the fifth."""

    RIGHT_ON_DEFECT = "right, on the defect"
    RIGHT_ELSEWHERE = "right, but elsewhere"
    WRONG_ON_DEFECT = "wrong, though on the defect"
    WRONG_ELSEWHERE = "wrong, and elsewhere"
    FOUND_NOTHING = "found nothing"


@dataclass(frozen=True)
class Count:
    """How many patches of a class are in a group.

    Args:
        label: The class; None for all together.
        group: The group.
        patches: How many.
        share: Of the class's patches, 0 to 1, with its interval.
    """

    label: int | None
    group: Group
    patches: int
    share: Measure


def groups_of(rows: pd.DataFrame, method: str) -> pd.DataFrame:
    """Return the patches with a mask by their group, those whose evidence lies farthest from the defect first.

    A map of zeros is no evidence, neither on the defect nor elsewhere, whatever the answer.

    Args:
        rows: `explain.evaluation.rows.Row`s with their strips.
        method: Whose maps tell where the evidence lies.

    Returns:
        A row a patch: `patch`, `strip`, `label`, `prediction`, `whole`, `energy_pointing`, `threshold`, `group`.
    """
    rows = rows.astype({"energy_pointing": float})
    energy = rows.pivot_table(index="patch", columns="method", values="energy_pointing")
    own = rows[rows["method"] == method].set_index("patch")
    known = own[own["energy_pointing"].notna()]
    threshold = energy.reindex(index=known.index, columns=list(BLIND)).max(axis=1)
    right, on_defect = known["prediction"] == known["label"], known["energy_pointing"] > threshold
    groups = [
        Group.FOUND_NOTHING if nothing else _group(is_right=is_right, on_defect=on)
        for nothing, is_right, on in zip(known["empty"], right, on_defect, strict=True)
    ]
    kept = known[["strip", "label", "prediction", "whole", "energy_pointing"]]
    table = kept.assign(threshold=threshold, group=groups)
    order = (table["energy_pointing"] - table["threshold"]).sort_values(kind="stable").index
    return table.loc[order].reset_index()


def _group(*, is_right: bool, on_defect: bool) -> Group:
    if is_right:
        return Group.RIGHT_ON_DEFECT if on_defect else Group.RIGHT_ELSEWHERE
    return Group.WRONG_ON_DEFECT if on_defect else Group.WRONG_ELSEWHERE


def count_groups(table: pd.DataFrame, seed: int) -> list[Count]:
    """Count the patches of each group, class by class and all together, with intervals."""
    lots = resample(list(table["strip"]), RESAMPLES, seed)
    labels: Sequence[int | None] = [*sorted(table["label"].unique().tolist()), None]
    return [_count(table, lots, label, group) for label in labels for group in Group]


def _count(table: pd.DataFrame, lots: Weights, label: int | None, group: Group) -> Count:
    of_class = np.ones(len(table), dtype=bool) if label is None else (table["label"] == label).to_numpy()
    among = of_class & (table["group"] == group).to_numpy()
    return Count(label, group, int(among.sum()), rate(among, of_class, lots))
