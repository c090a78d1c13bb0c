"""Right for the right reason: the four groups by hand, and their counts."""

import pandas as pd
import pytest

from explain.evaluation.evidence import Group, count_groups, groups_of

CASES = [  # patch, label, prediction, the method's energy on the defect, the random map's, the bell's
    ("a_0", 1, 1, 0.5, 0.1, 0.2, Group.RIGHT_ON_DEFECT),
    ("a_1", 1, 1, 0.15, 0.1, 0.2, Group.RIGHT_ELSEWHERE),  # more than one blind map, less than the other
    ("b_0", 1, 2, 0.5, 0.3, 0.4, Group.WRONG_ON_DEFECT),
    ("b_1", 2, 1, 0.4, 0.4, 0.3, Group.WRONG_ELSEWHERE),  # as much is not more
    ("c_0", 2, 2, 0.0, 0.0, 0.0, Group.RIGHT_ELSEWHERE),
    ("c_1", 2, 2, 0.0, 0.9, 0.0, Group.RIGHT_ELSEWHERE),
]


def made() -> pd.DataFrame:
    rows = []
    for patch, label, prediction, own, lots, bell, _ in CASES:
        for method, energy in (("sise", own), ("random", lots), ("centred_gaussian", bell), ("edges", 1.0)):
            rows.append(
                {
                    "patch": patch,
                    "strip": patch[0],
                    "label": label,
                    "method": method,
                    "prediction": prediction,
                    "whole": 0.5,
                    "energy_pointing": energy,
                    "empty": False,
                }
            )
    sound = {
        "patch": "d_0",
        "strip": "d",
        "label": 0,
        "prediction": 0,
        "whole": 0.9,
        "energy_pointing": None,
        "empty": False,
    }
    rows += [sound | {"method": method} for method in ("sise", "random", "centred_gaussian", "edges")]
    return pd.DataFrame(rows)


def test_each_patch_is_in_its_group_the_worst_first() -> None:
    groups = groups_of(made(), "sise")
    assert dict(zip(groups["patch"], groups["group"], strict=True)) == {case[0]: case[-1] for case in CASES}
    assert groups["patch"].iloc[0] == "c_1"  # 0.9 below
    assert (
        groups["threshold"]
        == [max(case[4:6]) for name in groups["patch"] for case in CASES if case[0] == name]
    ).all()


def test_counts_are_of_each_class_and_of_all_and_shares_of_their_own() -> None:
    counts = {(one.label, one.group): one for one in count_groups(groups_of(made(), "sise"), seed=0)}
    assert counts[None, Group.RIGHT_ELSEWHERE].patches == 3
    assert counts[None, Group.RIGHT_ELSEWHERE].share.value == pytest.approx(0.5)
    assert counts[1, Group.RIGHT_ON_DEFECT].share.value == pytest.approx(1 / 3)
    assert counts[2, Group.RIGHT_ON_DEFECT].patches == 0
    assert {label for label, _ in counts} == {1, 2, None}
    for label in (1, 2, None):
        assert sum(counts[label, group].share.value for group in Group) == pytest.approx(1)
    for one in counts.values():
        assert one.share.low <= one.share.value <= one.share.high


def test_a_map_of_zeros_is_evidence_neither_here_nor_there() -> None:
    zeros = ("a_0", "b_1", "c_0")  # of right answers and of a wrong one
    rows = made()
    rows["empty"] = rows["patch"].isin(zeros) & (rows["method"] == "sise")
    placed = groups_of(rows, "sise")
    groups = dict(zip(placed["patch"], placed["group"], strict=True))
    assert groups == {case[0]: Group.FOUND_NOTHING if case[0] in zeros else case[-1] for case in CASES}
    counts = {(one.label, one.group): one for one in count_groups(groups_of(rows, "sise"), seed=0)}
    assert [counts[label, Group.FOUND_NOTHING].patches for label in (1, 2, None)] == [1, 2, 3]
    assert counts[None, Group.RIGHT_ELSEWHERE].patches == 2
    assert sum(counts[None, group].share.value for group in Group) == pytest.approx(1)


def test_without_a_mask_there_is_nothing_to_tell() -> None:
    rows = made()
    assert groups_of(rows[rows["patch"] == "d_0"], "sise").empty
