"""Two evaluations, patch by patch: changes that were planted, and what cannot be compared."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from explain.compare import ON_DEFECT, RIGHT_REASON, TOO_FEW, Comparison, Difference, compare, main, tabulate
from explain.evaluation.evidence import Group, groups_of
from explain.evaluation.per_patch import read_rows
from explain.evaluation.summary import METRICS
from explain.records import Maker, claim
from severstal_xai.errors import InputError

PATCHES = 60


def made(seed: int = 0, *, better: float = 0.0, right: float = 0.5, first: int = 0) -> pd.DataFrame:
    """Rows of one method and the controls; its energy is higher and its drop lower by `better` than a fixed lot's."""
    base = np.random.default_rng(0).uniform(0.2, 0.4, PATCHES + 10)
    noise = np.random.default_rng(seed).normal(0, 0.02, PATCHES + 10)
    rows = []
    for place in range(first, first + PATCHES):
        for method in ("sise", "random", "centred_gaussian", "edges"):
            own = method == "sise"
            rows.append(
                {
                    "patch": f"s{place // 2}_{place % 2}",
                    "strip": f"s{place // 2}",
                    "label": 1,
                    "method": method,
                    "prediction": 1 if place % 10 < 10 * right else 2,
                    "whole": 0.5,
                    "image_sha256": f"image {place}",
                    "mask_sha256": f"mask {place}",
                    "empty": False,
                    **{metric.column: np.nan for metric in METRICS},
                    "drop": base[place] - better + noise[place] if own else 0.3,
                    "energy_pointing": base[place] + better + noise[place] if own else 0.3,
                }
            )
    return pd.DataFrame(rows)


def of(compared: Comparison, name: str) -> Difference:
    return next(one for one in compared.differences if one.name == name)


def test_a_planted_change_is_found_and_has_its_sign() -> None:
    compared = compare(made(1), made(2, better=0.1, right=0.8), seed=0)
    assert compared.patches == PATCHES
    energy, drop = of(compared, "sise: EBPG %"), of(compared, "sise: Drop %")
    assert energy.change.value == pytest.approx(10, abs=1.5)
    assert energy.change.low < 10 < energy.change.high or abs(energy.change.value - 10) < 1
    assert energy.verdict == "better"
    assert drop.change.value == pytest.approx(-10, abs=1.5)
    assert drop.verdict == "better"  # a lower one is
    assert of(compared, "right answers, %").change.value == pytest.approx(30)
    assert of(compared, "random: Drop %").verdict == "no difference that could be told"
    assert of(compare(made(1), made(2, better=-0.1), seed=0), "sise: EBPG %").verdict == "worse"
    assert of(compare(made(1), made(2), seed=0), "sise: EBPG %").verdict == "no difference that could be told"


def test_patches_move_from_group_to_group() -> None:
    compared = compare(made(1), made(1, better=0.5, right=1.0), seed=0)
    assert sum(compared.moves.values()) == PATCHES
    assert {second for _, second in compared.moves} == {Group.RIGHT_ON_DEFECT}
    reason, place = of(compared, f"sise: {RIGHT_REASON}"), of(compared, f"sise: {ON_DEFECT}")
    before = groups_of(made(1), "sise")["group"]
    on_defect = before.isin([Group.RIGHT_ON_DEFECT, Group.WRONG_ON_DEFECT])
    assert place.before == pytest.approx(100 * on_defect.mean())
    assert reason.before == pytest.approx(100 * (before == Group.RIGHT_ON_DEFECT).mean())
    assert reason.after == place.after == 100
    assert reason.verdict == place.verdict == "better"
    same = compare(made(1), made(1), seed=0)
    assert of(same, f"sise: {RIGHT_REASON}").verdict == "no difference that could be told"
    nowhere = made(1).assign(energy_pointing=np.nan)
    assert not any(RIGHT_REASON in one.name for one in compare(nowhere, nowhere, seed=0).differences)


def test_patches_whose_map_became_zero_move_to_those_where_nothing_was_found() -> None:
    after = made(1).assign(empty=lambda rows: (rows["patch"] == "s0_0") & (rows["method"] == "sise"))
    compared = compare(made(1), after, seed=0)
    before = groups_of(made(1), "sise").set_index("patch")["group"]["s0_0"]
    assert compared.moves[before, Group.FOUND_NOTHING] == 1
    assert "| found nothing |" in tabulate(compared, "a", "b")


def test_only_what_both_have_is_compared() -> None:
    compared = compare(made(1), made(1, first=10), seed=0)
    assert (compared.patches, compared.only_before, compared.only_after) == (PATCHES - 10, 10, 10)
    assert "(10 only in the first, 10 only in the second)" in tabulate(compared, "a", "b")


def test_what_has_nothing_in_common_is_refused() -> None:
    with pytest.raises(InputError, match="no patch in common"):
        compare(made(), made().assign(patch="other"), seed=0)
    with pytest.raises(InputError, match="no method in common"):
        compare(made(), made().assign(method="other"), seed=0)
    with pytest.raises(InputError, match="patch s0_0 is of class 1 in one evaluation and 3 in the other"):
        compare(made(), made().assign(label=3), seed=0)


def test_evaluations_that_have_controls_alone_in_common_are_refused() -> None:
    other = made().replace({"method": {"sise": "grad_cam"}})
    with pytest.raises(
        InputError,
        match="no method in common, expected one at least: the first has sise, the second grad_cam",
    ):
        compare(made(), other, seed=0)


@pytest.mark.parametrize("column", ["image_sha256", "mask_sha256"])
def test_patches_of_another_image_or_mask_are_left_out_and_counted(column: str) -> None:
    usual = made(1)
    changed = usual["patch"].isin(["s0_0", "s3_1"])
    other = usual.assign(**{column: usual[column].where(~changed, "other")})
    other.loc[changed, "energy_pointing"] = 1.0  # another mask would read as another model
    other.loc[changed, "label"] = 2
    compared = compare(usual, other, seed=0)
    assert (compared.patches, compared.only_before, compared.of_other_data) == (PATCHES - 2, 0, 2)
    assert of(compared, "sise: EBPG %").change.value == 0
    assert "Left out are 2 that both have, but of another image or mask." in tabulate(compared, "a", "b")
    assert "Left out" not in tabulate(compare(usual, usual, seed=0), "a", "b")
    with pytest.raises(InputError, match=r"of the 60 patches .* each is of another image or mask"):
        compare(usual, usual.assign(**{column: "other"}), seed=0)
    with pytest.raises(InputError, match=f"the second evaluation has no column {column}"):
        compare(usual, usual.drop(columns=column), seed=0)


def test_fewer_than_five_strips_give_no_verdict() -> None:
    def some(rows: pd.DataFrame, strips: int) -> pd.DataFrame:
        return rows[rows["strip"].isin([f"s{place}" for place in range(strips)])]

    for strips, verdict in ((1, TOO_FEW), (4, TOO_FEW), (5, "better")):
        compared = compare(some(made(1), strips), some(made(1, better=0.3), strips), seed=0)
        found = of(compared, "sise: EBPG %")
        assert (found.strips, found.verdict) == (strips, verdict)
    partly = made(1)
    partly.loc[~partly["strip"].isin(["s0", "s1"]), "energy_pointing"] = np.nan
    compared = compare(partly, made(1, better=0.3), seed=0)
    assert of(compared, "sise: EBPG %").verdict == TOO_FEW  # the metric is known on two strips
    assert of(compared, "sise: Drop %").verdict == "better"


def test_the_command_reads_runs_and_evaluations_and_writes_beside_the_second(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = tmp_path / "one" / "evaluation", tmp_path / "other" / "evaluation"
    for folder, rows in ((one, made(1)), (other, made(2, better=0.1))):
        folder.mkdir(parents=True)
        rows.to_parquet(folder / "per_patch.parquet", index=False)
    assert main([str(tmp_path / "one"), str(other)]) == 0
    text = (other / "compare.md").read_text()
    assert text in capsys.readouterr().out
    values = {one["name"]: one for one in json.loads((other / "compare.json").read_text())}
    assert values["sise: EBPG %"]["verdict"] == "better"
    assert not (one / "compare.md").exists()


def test_maps_that_were_made_otherwise_are_not_compared(tmp_path: Path) -> None:
    for name, mu in (("one", 0.0), ("other", 0.3)):
        folder = tmp_path / name
        folder.mkdir()
        made(1).to_parquet(folder / "per_patch.parquet", index=False)
        claim(folder / "sise", Maker(name, "label", {"mu": mu, "steps": 28}), overwrite=False)
    with pytest.raises(
        InputError, match=r"sise: settings\.mu 0\.0 in .*one, 0\.3 in .*other, expected maps that were"
    ):
        main([str(tmp_path / "one"), str(tmp_path / "other")])
    assert not (tmp_path / "other" / "compare.md").exists()
    claim(tmp_path / "other" / "sise", Maker("other", "label", {"mu": 0.0, "steps": 28}), overwrite=True)
    assert main([str(tmp_path / "one"), str(tmp_path / "other")]) == 0  # other weights are what is compared


def test_what_is_no_evaluation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no evaluation, expected a folder"):
        read_rows(tmp_path)
    (tmp_path / "per_patch.parquet").write_bytes(b"nothing")
    with pytest.raises(InputError, match="not a readable table"):
        read_rows(tmp_path)
    made().drop(columns="drop").to_parquet(tmp_path / "per_patch.parquet", index=False)
    with pytest.raises(InputError, match="no column drop"):
        read_rows(tmp_path)


@pytest.mark.parametrize(
    ("column", "cells", "words"),
    [
        ("strip", [None], "row 1, strip None, expected text"),
        ("patch", [7], "row 1, patch 7, expected text"),
        ("prediction", ["a"], "row 1, prediction 'a', expected a class, 0 to 4"),
        ("label", [1.5], r"row 1, label 1\.5, expected a class, 0 to 4"),
        ("label", [99], "row 1, label 99, expected a class"),
        ("label", [1, 3], "row 2, label 3, expected the same in all rows of a patch"),
        ("strip", ["s0", "s1"], "row 2, strip 's1', expected the same in all rows of a patch"),
        ("method", ["sise", "sise"], "row 2, method 'sise', expected one row a patch and method"),
        ("drop", ["much"], "row 1, drop 'much', expected a finite number or null"),
        ("drop", [True], "row 1, drop True, expected a finite number or null"),
        (
            "energy_pointing",
            [0.5, float("inf")],
            "row 2, energy_pointing inf, expected a finite number or null",
        ),
        ("empty", [0], "row 1, empty 0, expected true or false"),
        ("whole", [float("nan")], "row 1, whole nan, expected a finite number"),
    ],
)
def test_a_table_that_says_what_no_evaluation_says_is_refused(
    tmp_path: Path, column: str, cells: Any, words: str
) -> None:
    rows = made().head(len(cells)).assign(**{column: cells})
    rows.to_parquet(tmp_path / "per_patch.parquet", index=False)
    with pytest.raises(InputError, match=rf"per_patch\.parquet: {words}"):
        read_rows(tmp_path)


def test_a_measure_that_is_nowhere_known_and_narrow_integers_are_read(tmp_path: Path) -> None:
    rows = made().assign(insertion=None).astype({"label": "int8"})
    rows.to_parquet(tmp_path / "per_patch.parquet", index=False)
    _, read = read_rows(tmp_path)
    pd.testing.assert_frame_equal(read, made(), check_dtype=False)
    assert compare(made(), read, seed=0).patches == PATCHES
