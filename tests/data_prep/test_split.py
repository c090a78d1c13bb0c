"""The split: shares, chance, whole strips, and the evaluation subset."""

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.settings import SplitSettings
from data_prep.split import choose_evaluation, quota, shuffled, split_by_patch, split_by_strip
from severstal_xai.manifest import Split

PAPER = SplitSettings("patch", train_share=0.7, validation_share=0.2, seed=0)
shares = st.integers(1, 99).map(lambda percent: percent / 100)
any_settings = st.builds(
    SplitSettings,
    st.just("patch"),
    shares,
    st.integers(0, 99).map(lambda percent: percent / 100),
    st.integers(0, 9),
)
labelled = st.dictionaries(
    st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 5)).map(lambda one: f"{one[0]}_{one[1]}"),
    st.integers(0, 4),
    max_size=30,
)


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 20000), any_settings)
def test_shares_are_rounded_down_for_training_and_nothing_is_lost(
    patches: int, chosen: SplitSettings
) -> None:
    sizes = quota(patches, chosen)
    training = sizes[Split.TRAIN] + sizes[Split.VALIDATION]
    share = Fraction(round(100 * chosen.train_share), 100)
    assert training == share * patches // 1
    assert sizes[Split.VALIDATION] == Fraction(round(100 * chosen.validation_share), 100) * training // 1
    assert sum(sizes.values()) == patches


def test_a_share_is_the_decimal_that_was_written() -> None:
    """0.29 of 100 is 29, though 0.29 * 100 is 28.999999999999996 in floating point."""
    assert int(0.29 * 100) == 28
    assert quota(100, SplitSettings("patch", 0.29, 0.0, seed=0))[Split.TRAIN] == 29


@settings(deadline=None, max_examples=60)
@given(labelled, any_settings)
def test_every_patch_goes_somewhere_and_each_class_by_its_quota(
    labels: dict[str, int], chosen: SplitSettings
) -> None:
    splits = split_by_patch(labels, chosen)
    assert set(splits) == set(labels)
    for label, total in Counter(labels.values()).items():
        found = Counter(split for name, split in splits.items() if labels[name] == label)
        assert found == Counter(quota(total, chosen))


@settings(deadline=None, max_examples=60)
@given(labelled, any_settings)
def test_by_strip_every_strip_stays_together(labels: dict[str, int], chosen: SplitSettings) -> None:
    strips = {name: name[0] for name in labels}
    splits = split_by_strip(labels, strips, chosen)
    assert set(splits) == set(labels)
    assert len({(strips[name], split) for name, split in splits.items()}) == len(set(strips.values()))


@settings(deadline=None, max_examples=30)
@given(labelled, st.randoms(use_true_random=False))
def test_the_order_of_the_patches_decides_nothing(labels: dict[str, int], chance: object) -> None:
    strips = {name: name[0] for name in labels}
    backwards = dict(reversed(labels.items()))
    assert split_by_patch(labels, PAPER) == split_by_patch(backwards, PAPER)
    assert split_by_strip(labels, strips, PAPER) == split_by_strip(backwards, strips, PAPER)


def test_another_seed_is_another_split_of_the_same_sizes() -> None:
    labels = {f"s{place}_0": place % 5 for place in range(200)}
    first = split_by_patch(labels, PAPER)
    other = split_by_patch(labels, SplitSettings("patch", 0.7, 0.2, seed=1))
    assert first != other
    assert Counter(first.values()) == Counter(other.values())


def test_a_class_s_split_does_not_hang_on_the_other_classes() -> None:
    labels = {f"s{place}_0": place % 5 for place in range(200)}
    alone = {name: label for name, label in labels.items() if label == 3}
    together = split_by_patch(labels, PAPER)
    assert split_by_patch(alone, PAPER) == {name: together[name] for name in alone}


def test_a_name_that_joins_disturbs_the_others_order_not_at_all() -> None:
    names = [f"s{place}" for place in range(50)]
    joined = shuffled([*names, "newcomer"], 0, "split")
    assert [name for name in joined if name != "newcomer"] == shuffled(names, 0, "split")


@settings(deadline=None, max_examples=60)
@given(labelled, st.dictionaries(st.integers(1, 4), st.integers(0, 3)), st.integers(0, 5))
def test_the_evaluation_subset_takes_all_of_a_class_up_to_its_limit_and_no_sound_patch(
    labels: dict[str, int], limits: dict[int, int], seed: int
) -> None:
    chosen = choose_evaluation(labels, limits, seed)
    found = Counter(labels[name] for name in chosen)
    totals = Counter(labels.values())
    assert found == Counter(
        {label: min(totals[label], limits.get(label, totals[label])) for label in range(1, 5)}
    )


@pytest.mark.parametrize("train_share", [0.0, 1.0, -0.1, 7.0, float("nan")])
def test_a_share_that_is_none_is_refused(train_share: float) -> None:
    from severstal_xai.errors import InputError

    with pytest.raises(InputError, match=r"split\.train_share .*, expected above 0, below 1"):
        SplitSettings("patch", train_share, 0.2, seed=0)
