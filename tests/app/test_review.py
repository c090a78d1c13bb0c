"""The review queue's table and query: every filter and order against a slow copy, and addresses there and back."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.review.filters import in_words
from app.review.query import ANY_VERDICT, NO_VERDICT, Answer, Query, Sort, from_address, to_address
from app.review.rows import FIRST_EVIDENCE, known_of, narrowed, with_verdicts
from app.verdicts.readings import Lot, is_drawn, kinds_in_sight
from app.verdicts.records import Kind
from explain.evaluation.evidence import Group
from severstal_xai.errors import InputError
from severstal_xai.manifest import Manifest, Split

SHARES = st.integers(0, 100).map(lambda percent: percent / 100)
VERDICTS = (NO_VERDICT, ANY_VERDICT, *(str(kind) for kind in Kind if kind != Kind.WITHDRAWN))


@st.composite
def queries(draw: Any) -> Query:
    low, high = sorted((draw(SHARES), draw(SHARES)))
    margin_low, margin_high = draw(st.just((0.0, 1.0)) | st.tuples(SHARES, SHARES).map(sorted))
    return Query(
        split=draw(st.sampled_from([None, *Split])),
        label=draw(st.sampled_from([None, *range(5)])),
        predicted=draw(st.sampled_from([None, *range(5)])),
        answer=draw(st.sampled_from([None, *Answer])),
        low=low,
        high=high,
        margin_low=margin_low,
        margin_high=margin_high,
        flagged=draw(st.sampled_from([None, True, False])),
        group=draw(st.sampled_from([None, *Group])),
        verdict=draw(st.sampled_from([None, *VERDICTS])),
        text=draw(st.sampled_from(["", "strip1", "_0", "&?=# ü"])),
        sort=draw(st.sampled_from(list(Sort))),
        reverse=draw(st.booleans()),
    )


@given(queries())
def test_an_address_says_what_its_query_says(query: Query) -> None:
    assert from_address(to_address(query)) == query


def test_the_usual_query_needs_no_address() -> None:
    assert to_address(Query()) == {}
    assert from_address({"patch": "a_0", "method": "rise"}) == Query()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ({"label": "5"}, "label '5', expected 0 to 4"),
        ({"label": "one"}, "label 'one', expected 0 to 4"),
        ({"split": "holdout"}, "split 'holdout', expected one of train, validation, test"),
        ({"low": "1.5"}, "low '1.5', expected a number from 0 to 1"),
        ({"high": "nan"}, "high 'nan', expected a number from 0 to 1"),
        ({"low": "0.9", "high": "0.1"}, "low 0.9 above high 0.1, expected the lower number first"),
        ({"margin_low": "-0.1"}, "margin_low '-0.1', expected a number from 0 to 1"),
        ({"margin_high": "inf"}, "margin_high 'inf', expected a number from 0 to 1"),
        (
            {"margin_low": "0.5", "margin_high": "0.2"},
            "margin_low 0.5 above margin_high 0.2, expected the lower number first",
        ),
        ({"group": "elsewhere"}, "group 'elsewhere', expected one of right_elsewhere"),
        ({"verdict": "withdrawn"}, "verdict 'withdrawn', expected one of none, any, agree"),
        ({"flagged": "true"}, "flagged 'true', expected yes or no"),
        ({"sort": "all"}, "sort 'all', expected one of evidence"),
        ({"text": "a\x00"}, "expected at most 200 printable characters"),
        ({"text": "a" * 5000}, "expected at most 200 printable characters"),
    ],
)
def test_a_wrong_address_is_refused_in_one_line(address: dict[str, str], words: str) -> None:
    with pytest.raises(InputError) as refused:
        from_address(address)
    assert words in str(refused.value)
    assert len(str(refused.value)) < 400


def answers(manifest: Manifest) -> pd.DataFrame:
    chance = np.random.default_rng(3)
    asked = [patch for patch in manifest.patches if patch.split != Split.TRAIN]
    shares = chance.dirichlet(np.ones(5), len(asked))
    table = pd.DataFrame({"patch": [patch.patch for patch in asked]})
    return table.assign(**{f"p{place}": shares[:, place] for place in range(5)})


@pytest.fixture
def known(made_data: Manifest) -> pd.DataFrame:
    evidence = {
        patch.patch: list(Group)[place % 4] for place, patch in enumerate(made_data.patches) if place % 3
    }
    table = known_of(made_data, answers(made_data), evidence, None)
    kinds = {patch.patch: "agree" for patch in made_data.patches[::4]} | {
        made_data.patches[2].patch: "unsure not_a_defect"
    }
    return with_verdicts(table, pd.Series(kinds, dtype=str))


def test_what_is_known_of_a_patch(made_data: Manifest, known: pd.DataFrame) -> None:
    shares = answers(made_data).set_index("patch")
    assert list(known.index) == [patch.patch for patch in made_data.patches]
    for patch in made_data.patches:
        row = known.loc[patch.patch]
        if patch.patch not in shares.index:
            assert pd.isna(row["predicted"])
            assert row["answer"] is None
            continue
        own = shares.loc[patch.patch].to_numpy()
        first, second = sorted(own, reverse=True)[:2]
        assert (row["predicted"], row["probability"]) == (own.argmax(), first)
        assert row["margin"] == pytest.approx(first - second)
        assert row["doubt"] == pytest.approx(1 - own[patch.label])
        assert (row["answer"] == Answer.RIGHT) == (own.argmax() == patch.label)
        assert (row["answer"] == Answer.MISSED) == (own.argmax() == 0 != patch.label)


def matches(row: Any, name: str, query: Query) -> bool:
    """A slow copy of the filters."""
    asked = not pd.isna(row["predicted"])
    wrong = asked and row["predicted"] != row["label"]
    kinds = row["verdict"].split()
    return all(
        (
            query.split in (None, row["split"]),
            query.label in (None, row["label"]),
            query.predicted is None or (asked and row["predicted"] == query.predicted),
            query.answer is None or row["answer"] == query.answer or (query.answer == Answer.WRONG and wrong),
            (query.low, query.high) == (0, 1) or (asked and query.low <= row["probability"] <= query.high),
            (query.margin_low, query.margin_high) == (0, 1)
            or (asked and query.margin_low <= row["margin"] <= query.margin_high),
            query.flagged is None,
            query.group in (None, row["group"]),
            query.verdict is None
            or (query.verdict == NO_VERDICT and not kinds)
            or (query.verdict == ANY_VERDICT and bool(kinds))
            or query.verdict in kinds,
            query.text.lower() in name,
        )
    )


def test_every_filter_keeps_what_it_should(known: pd.DataFrame) -> None:
    seen = set()

    @settings(derandomize=True)  # else whether enough is seen is a matter of luck
    @given(queries())
    def check(query: Query) -> None:
        found = narrowed(known, query)
        assert set(found.index) == {name for name, row in known.iterrows() if matches(row, str(name), query)}
        seen.add(len(found))

    check()
    assert len(seen) > 2


def test_right_but_elsewhere_comes_first_and_what_is_not_known_last(known: pd.DataFrame) -> None:
    groups = list(narrowed(known, Query(split=None))["group"])
    ranks = [len(FIRST_EVIDENCE) if group is None else FIRST_EVIDENCE.index(group) for group in groups]
    assert ranks == sorted(ranks)
    assert groups[0] == Group.RIGHT_ELSEWHERE
    assert groups[-1] is None
    turned = list(narrowed(known, Query(split=None, reverse=True))["group"])
    assert turned[0] == Group.RIGHT_ON_DEFECT
    assert turned[-1] is None


@pytest.mark.parametrize(
    ("sort", "rising"), [(Sort.PROBABILITY, True), (Sort.MARGIN, True), (Sort.DOUBT, False)]
)
@pytest.mark.parametrize("reverse", [False, True])
def test_numbers_are_sorted(known: pd.DataFrame, sort: Sort, *, rising: bool, reverse: bool) -> None:
    values = narrowed(known, Query(split=None, sort=sort, reverse=reverse))[str(sort)].to_numpy()
    numbers = values[~np.isnan(values)]
    steps = np.diff(numbers) * (1 if rising != reverse else -1)
    assert (steps >= 0).all()
    assert np.isnan(values[len(numbers) :]).all()
    assert len(numbers) < len(values)


PLACES: Mapping[Sort, Mapping[Any, int]] = {
    Sort.LABEL: {0: 0, 1: 1, 2: 2, 3: 3, 4: 4},
    Sort.PREDICTED: {0: 0, 1: 1, 2: 2, 3: 3, 4: 4},
    Sort.SPLIT: {"test": 0, "validation": 1, "train": 2},
    Sort.ANSWER: {"missed": 0, "false_alarm": 1, "confused": 2, "right": 3},
    Sort.VERDICT: {"wrong_class": 0, "unsure not_a_defect": 1, "unsure": 2, "agree": 3},
}
"""The orders of what is no number: the place of each value; a value that has none here is not known."""


@pytest.mark.parametrize("sort", PLACES)
@pytest.mark.parametrize("reverse", [False, True])
def test_what_is_no_number_is_sorted_too_the_wrong_first_and_the_unknown_last(
    known: pd.DataFrame, sort: Sort, *, reverse: bool
) -> None:
    kinds = ["agree", "", "unsure", "unsure not_a_defect", "wrong_class"]
    table = known.assign(verdict=[kinds[place % len(kinds)] for place in range(len(known))])
    found = narrowed(table, Query(split=None, sort=sort, reverse=reverse))
    assert len(found) == len(table)
    turn = -1 if reverse else 1
    expected = sorted(  # stable, as the queue is: what is alike stays in the order of the names
        table.index,
        key=lambda name: (
            table.loc[name, str(sort)] not in PLACES[sort],
            turn * PLACES[sort].get(table.loc[name, str(sort)], 0),
        ),
    )
    assert list(found.index) == expected
    assert len({PLACES[sort].get(value) for value in table[str(sort)]}) > 2, "there is something to sort"


def test_every_order_is_offered_in_words_and_every_range_is_told() -> None:
    said = {in_words(Query(sort=sort))[-1] for sort in Sort}
    assert len(said) == len(Sort)
    assert in_words(Query(margin_low=0.05, margin_high=0.2))[1:-1] == [
        "Margin to the second class: 5 % to 20 %"
    ]


def test_a_reader_learns_nothing_of_a_patch_that_waits_for_a_blind_second_reading() -> None:
    lot = Lot(share=0.5)
    drawn = next(name for name in map(str, range(100)) if is_drawn(name, lot))
    plain = next(name for name in map(str, range(100)) if not is_drawn(name, lot))
    standing = {
        drawn: {"Anna": Kind.AGREE},
        plain: {"Anna": Kind.UNSURE, "Ben": Kind.AGREE, "Eve": Kind.AGREE},
    }
    assert kinds_in_sight(standing, frozenset(), "Ben", lot) == {plain: (Kind.AGREE, Kind.UNSURE)}
    assert kinds_in_sight(standing, frozenset({drawn}), "Ben", lot)[drawn] == (Kind.AGREE,)
    assert kinds_in_sight(standing, frozenset(), "Anna", lot)[drawn] == (Kind.AGREE,)
