"""Variants: their names, and that seeds are averaged patch by patch."""

import pandas as pd
import pytest

from explain.evaluation.variants import is_variant, over_seeds, seeds_of, thresholds_of, variants_of
from explain.explainer import Explainer
from explain.methods.extremal_perturbation import ExtremalPerturbation
from explain.methods.grad_cam import GradCAM
from explain.methods.rise import RISE
from explain.methods.sise import SISE


def test_sise_comes_at_each_threshold_and_lots_with_each_seed() -> None:
    named: dict[str, Explainer] = {
        "grad_cam": GradCAM(),
        "sise": SISE(mu=0.3),
        "rise": RISE(),
        "extremal_perturbation": ExtremalPerturbation(),
    }
    found = variants_of(named, mus=[0.0, 0.3, 0.75], seeds=3)
    assert {name: getattr(one, "mu", None) for name, one in found.items() if name.startswith("sise")} == {
        "sise": 0.3,
        "sise_mu_0": 0.0,
        "sise_mu_0.75": 0.75,
    }
    assert {name: getattr(one, "seed", None) for name, one in found.items() if name.startswith("rise")} == {
        "rise": 0,
        "rise_seed_1": 1,
        "rise_seed_2": 2,
    }
    assert {name for name in found if name.startswith("ext")} == {
        "extremal_perturbation",
        "extremal_perturbation_seed_1",
        "extremal_perturbation_seed_2",
    }
    assert [name for name in found if not is_variant(name)] == list(named)
    assert variants_of(named, mus=[], seeds=1) == named


def made() -> pd.DataFrame:
    rows = [
        ("a_0", "sise", 0.1, False),
        ("a_0", "sise_ordered", 0.1, False),
        ("a_0", "sise_mu_0.5", 0.9, False),
        ("a_0", "rise", 0.2, True),
        ("a_0", "rise_seed_1", 0.4, False),
        ("b_0", "rise", 0.3, True),
        ("b_0", "rise_seed_1", 0.5, True),
    ]
    table = pd.DataFrame(rows, columns=["patch", "method", "drop", "empty"])
    return table.assign(strip=table["patch"].str[0], label=3, prediction=1, whole=0.5)


def test_seeds_are_averaged_and_other_thresholds_left_out() -> None:
    rows = over_seeds(made())
    assert list(rows) == list(made())
    found = rows.set_index(["method", "patch"])
    assert sorted(found.index) == [("rise", "a_0"), ("rise", "b_0"), ("sise", "a_0"), ("sise_ordered", "a_0")]
    assert found.loc[("rise", "a_0"), "drop"] == pytest.approx(0.3)
    assert found.loc[("rise", "b_0"), "drop"] == pytest.approx(0.4)
    assert found.loc[("sise", "a_0"), "drop"] == pytest.approx(0.1)
    assert not found.loc[("rise", "a_0"), "empty"]  # one of its maps found something
    assert found.loc[("rise", "b_0"), "empty"]
    assert (found["label"] == 3).all()
    assert (found["prediction"] == 1).all()
    assert found["strip"].tolist() == [patch[0] for _, patch in found.index]


def test_pairs_are_averaged_as_patches_are() -> None:
    pairs = over_seeds(made().rename(columns={"patch": "pair"}), unit="pair")
    expected = over_seeds(made()).rename(columns={"patch": "pair"})
    pd.testing.assert_frame_equal(pairs, expected)


def test_the_names_are_found_again() -> None:
    assert seeds_of(made()) == {"rise": ["rise", "rise_seed_1"]}
    assert thresholds_of(made(), own=0.0) == {0.0: "sise", 0.5: "sise_mu_0.5"}
    alone = made()[made()["method"] == "sise"]
    assert seeds_of(alone) == {}
    assert thresholds_of(alone, own=0.0) == {}
