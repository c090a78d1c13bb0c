"""Thresholds against all that there are, what they come to against slow counts, and the command."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from severstal_xai.checkpoint import ModelCard, save_checkpoint
from severstal_xai.classes import DEFECTS
from severstal_xai.errors import InputError
from severstal_xai.manifest import Split
from severstal_xai.model import build_classifier
from severstal_xai.operating_point import Costs, flagged_as, is_flagged, read_operating_point
from training.operating_point import Settings, costs_of, main, operating_point_of, tabulate
from training.predictions import Answers, read_answers
from training.thresholds import LEAST_PATCHES, choose, expect, flags, ladder


def drawn(patches: int, seed: int, digits: int = 6) -> Answers:
    """Answers that are right more often than not; rounded to one digit many probabilities are equal."""
    chance = np.random.default_rng(seed)
    labels = chance.integers(0, 5, patches)
    logits = chance.normal(size=(patches, 5)) + 1.5 * np.eye(5)[labels]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Answers(shares.round(digits), labels, tuple(f"strip{place // 3}" for place in range(patches)))


def costs(miss: float = 10.0, alarm: float = 1.0, limit: float | None = None) -> Costs:
    return Costs((miss,) * 4, (alarm,) * 4, limit)


def cost_of(thresholds: tuple[float | None, ...], answers: Answers, price: Costs) -> float:
    """Count patch by patch."""
    total = 0.0
    for shares, label in zip(answers.probabilities.tolist(), answers.labels.tolist(), strict=True):
        for steel, threshold, miss, alarm in zip(DEFECTS, thresholds, price.miss, price.alarm, strict=True):
            flagged = is_flagged(steel.id, threshold, shares)
            total += miss * (label == steel.id and not flagged) + alarm * (label != steel.id and flagged)
    return total


def looked_at(thresholds: tuple[float | None, ...], answers: Answers) -> int:
    return int(flags(thresholds, answers.probabilities).any(axis=1).sum())


@pytest.mark.parametrize("digits", [1, 6])
@pytest.mark.parametrize(("miss", "alarm"), [(10.0, 1.0), (1.0, 1.0), (1.0, 7.0)])
def test_no_threshold_costs_less(miss: float, alarm: float, digits: int) -> None:
    answers, price = drawn(90, seed=1, digits=digits), costs(miss, alarm)
    chosen = choose(answers.probabilities, answers.labels, price)
    least = cost_of(chosen, answers, price)
    for place, other in itertools.product(range(4), np.linspace(0, 1.01, 102).tolist()):
        tried = tuple(other if at == place else one for at, one in enumerate(chosen))
        assert cost_of(tried, answers, price) >= least - 1e-9


def test_of_equal_costs_that_with_fewer_misses_and_then_fewer_alarms() -> None:
    """All thresholds cost nothing where misses and alarms do: those that miss nothing, and of these the highest."""
    answers = drawn(90, seed=1)
    for one in (costs(0.0, 0.0), costs(1.0, 0.0)):
        for steel, threshold in zip(DEFECTS, choose(answers.probabilities, answers.labels, one), strict=True):
            least = answers.probabilities[answers.labels == steel.id, steel.id].min()
            below = answers.probabilities[:, steel.id][answers.probabilities[:, steel.id] < least].max()
            assert threshold == pytest.approx((least + below) / 2)


def test_a_perfect_model_is_flagged_perfectly() -> None:
    labels = np.repeat(np.arange(5), 6)
    shares = np.where(np.eye(5)[labels] > 0, 0.6, 0.1)
    thresholds = choose(shares, labels, costs())
    assert thresholds == pytest.approx((0.35,) * 4)
    classes, review = expect(flags(thresholds, shares), labels, [f"s{place}" for place in range(30)], 0)
    assert all(one.misses and one.misses.value == 0 and one.alarms.value == 0 for one in classes)
    assert all(one.misses and one.misses.high == pytest.approx(0.459, abs=0.001) for one in classes)
    assert review.patches.value == pytest.approx(6 * 24 / 30)


def test_a_network_that_is_sure_can_be_flagged_nowhere() -> None:
    """Of probabilities that are 1 to the last bit, or one bit below, a threshold flags those it should and no other."""
    below = np.nextafter(1.0, 0)
    shares = np.zeros((12, 5))
    shares[:, 0] = 0.5
    shares[:6, 1], shares[6:, 1] = 1.0, below  # neighbours: there is no number between them
    labels = np.array([0] * 6 + [1] * 6)
    never = choose(shares, labels, costs(miss=1.0, alarm=1000.0))
    assert not flags(never, shares)[:, 0].any()
    assert flags(choose(shares, labels, costs(miss=1000.0)), shares)[:, 0].all()
    high = choose(shares, 1 - labels, costs(miss=1.0, alarm=1.5))
    assert flags(high, shares)[:, 0].tolist() == [True] * 6 + [False] * 6


def test_a_class_with_too_few_patches_gets_none_and_is_flagged_by_the_answer() -> None:
    answers = drawn(90, seed=2)
    rare = np.flatnonzero(answers.labels == 2)[LEAST_PATCHES - 1 :]
    labels = np.where(np.isin(np.arange(90), rare), 0, answers.labels)
    thresholds = choose(answers.probabilities, labels, costs())
    assert thresholds[1] is None
    assert None not in (thresholds[0], thresholds[2], thresholds[3])
    answered = answers.probabilities.argmax(axis=1)
    assert np.array_equal(flags(thresholds, answers.probabilities)[:, 1], answered == 2)


def test_a_threshold_is_not_chosen_where_nothing_else_is_there() -> None:
    """Chosen on patches of one class alone it would flag everything."""
    shares = drawn(40, seed=3).probabilities
    assert choose(shares, np.full(40, 3), costs()) == (None,) * 4


@pytest.mark.parametrize("limit", [0.1, 1.0, 2.0, 3.5, 6.0])
@pytest.mark.parametrize("seed", range(4))
def test_the_limit_is_kept_and_used(limit: float, seed: int) -> None:
    answers = drawn(120, seed)
    price = costs(limit=limit)
    chosen = choose(answers.probabilities, answers.labels, price)
    free = choose(answers.probabilities, answers.labels, costs())
    most = int(limit / 6 * 120 + 1e-9)
    assert looked_at(chosen, answers) <= most
    assert cost_of(chosen, answers, price) >= cost_of(free, answers, price)
    if looked_at(free, answers) <= most:
        assert cost_of(chosen, answers, price) == cost_of(free, answers, price)


@pytest.mark.parametrize("seed", [5, 8, 10])
def test_within_the_limit_there_is_little_better(seed: int) -> None:
    """Beside every pair of thresholds of two classes, the others never flagged: at most one step's saving is lost."""
    few = drawn(60, seed)
    labels = few.labels
    price = Costs((10.0, 10.0, 0.0, 0.0), (1.0,) * 4, 2.5)
    chosen = choose(few.probabilities, labels, price)
    rungs = [ladder(few.probabilities[:, label], labels == label).thresholds.tolist() for label in (1, 2)]
    best = min(
        cost_of(tried, few, price)
        for pair in itertools.product(*rungs)
        if looked_at(tried := (*pair, chosen[2], chosen[3]), few) <= 25
    )
    assert best <= cost_of(chosen, few, price) <= best + 20


def test_what_is_expected_is_counted() -> None:
    answers = drawn(90, seed=4)
    thresholds = (0.3, None, 0.5, 0.0)
    flagged = flags(thresholds, answers.probabilities)
    classes, review = expect(flagged, answers.labels, answers.strips, 0)
    shares = answers.probabilities.tolist()
    for place, steel in enumerate(DEFECTS):
        hits = [is_flagged(steel.id, thresholds[place], row) for row in shares]
        of_class = (answers.labels == steel.id).tolist()
        missed = sum(one and not hit for one, hit in zip(of_class, hits, strict=True))
        alarms = sum(hit and not one for one, hit in zip(of_class, hits, strict=True))
        expected = classes[place]
        assert expected.patches == sum(of_class)
        assert expected.misses
        assert expected.misses.value == pytest.approx(missed / sum(of_class))
        assert expected.alarms.value == pytest.approx(6 * alarms / 90)
        for measure in (expected.misses, expected.alarms):
            assert measure.low <= measure.value <= measure.high
    assert review.patches.value == 6  # class 4 is flagged everywhere
    assert review.unseen
    assert review.unseen.value == 0


def test_intervals_hold_what_they_should() -> None:
    """Of runs on other patches of the same kind 95 in 100 lie within, or more: the wider of two is told."""
    many = drawn(30_000, seed=100)
    thresholds = (0.3, 0.3, 0.3, 0.3)
    truth = expect(flags(thresholds, many.probabilities), many.labels, many.strips[:1] * 30_000, 0)[0][0]
    assert truth.misses
    held = 0
    for seed in range(60):
        answers = drawn(150, seed)
        found = expect(flags(thresholds, answers.probabilities), answers.labels, answers.strips, seed)[0][0]
        assert found.misses
        held += found.misses.low <= truth.misses.value <= found.misses.high
    assert held >= 55


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A run folder with a model and its answers; the network itself is not asked."""
    settings = {"operating_point": {"miss": [10, 10, 10, 10], "alarm": [1, 1, 1, 1], "review_limit": None}}
    save_checkpoint(
        tmp_path, build_classifier("resnet18", 5, seed=0), ModelCard("resnet18", "data", 1, settings)
    )
    weights = json.loads((tmp_path / "model.json").read_text())["weights_sha256"]
    write_answers(tmp_path, weights)
    return tmp_path


def write_answers(folder: Path, weights: str) -> None:
    import pandas as pd

    parts = []
    for split, seed in ((Split.VALIDATION, 7), (Split.TEST, 8)):
        answers = drawn(80, seed, digits=16)
        part = pd.DataFrame({"strip": answers.strips, "split": str(split), "label": answers.labels})
        part["patch"] = [f"{strip}_0" for strip in answers.strips]
        part["predicted"] = answers.probabilities.argmax(axis=1)
        parts.append(part.assign(**{f"p{place}": answers.probabilities[:, place] for place in range(5)}))
    table = pd.concat(parts)
    table.attrs["weights_sha256"] = weights
    table.to_parquet(folder / "predictions.parquet", index=False)


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["operating_point", *map(str, arguments)])
    return main()


def test_the_command_takes_the_runs_costs_and_others(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "--run", run_folder) == 0
    weights = json.loads((run_folder / "model.json").read_text())["weights_sha256"]
    usual = read_operating_point(run_folder, weights)
    assert usual
    answers = read_answers(run_folder / "predictions.parquet", weights)
    assert usual == operating_point_of(answers, costs(), weights, seed=0)
    assert tabulate(usual) in capsys.readouterr().out
    assert (run_folder / "operating_point.md").read_text() == tabulate(usual)
    assert (run_folder / "operating_point.png").stat().st_size > 10_000

    assert (
        call(monkeypatch, "--run", run_folder, "--miss", "5", "--alarm", "[1,2,3,4]", "--review_limit", "1.5")
        == 0
    )
    other = read_operating_point(run_folder, weights)
    assert other
    assert other.costs == Costs((5.0,) * 4, (1.0, 2.0, 3.0, 4.0), 1.5)
    assert other.validation.patches.value <= 1.5 < usual.validation.patches.value
    assert "looks at 1.5 a strip at most" in (run_folder / "operating_point.md").read_text()


def test_what_is_flagged_in_the_record_is_flagged_in_the_table() -> None:
    answers = {Split.VALIDATION: drawn(80, 7), Split.TEST: drawn(80, 8)}
    point = operating_point_of(answers, costs(), "weights", 0)
    thresholds = [one.threshold for one in point.classes]
    test = answers[Split.TEST].probabilities
    for shares, row in zip(test.tolist(), flags(thresholds, test), strict=True):
        flagged = flagged_as(point, shares)
        assert set(flagged) == {steel.id for steel, one in zip(DEFECTS, row, strict=True) if one}
        assert [shares[label] for label in flagged] == sorted(
            (shares[label] for label in flagged), reverse=True
        )


@pytest.mark.parametrize(
    ("settings", "trained", "words"),
    [
        (Settings(Path("run")), {}, "miss is not known of the run run, expected --miss NUMBER"),
        (Settings(Path("run"), miss=1.0), {}, "alarm is not known of the run"),
        (Settings(Path("run"), 1.0, [1.0, 2.0]), {}, "alarm has 2 numbers, expected 4, one a defect class"),
        (Settings(Path("run"), -1.0, 1.0), {}, "miss -1.0, expected 0 or more"),
        (Settings(Path("run"), 1.0, 1.0, 7.0), {}, "review_limit 7.0, expected above 0, at most 6"),
        (Settings(Path("run")), {"miss": "a", "alarm": [1]}, "miss, as set or as known of the run run: "),
    ],
)
def test_wrong_costs(settings: Settings, trained: object, words: str) -> None:
    with pytest.raises(InputError, match=words.replace(".", r"\.")):
        costs_of(settings, trained)


def test_a_seed_below_0_is_refused() -> None:
    with pytest.raises(InputError, match="seed -1, expected 0 or more"):
        Settings(Path("run"), seed=-1)


def test_what_is_not_set_is_as_it_was_set_last(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = json.loads((run_folder / "model.json").read_text())["weights_sha256"]
    call(monkeypatch, "--run", run_folder, "--miss", "7")
    call(monkeypatch, "--run", run_folder, "--review_limit", "2")
    point = read_operating_point(run_folder, weights)
    assert point
    assert point.costs == Costs((7.0,) * 4, (1.0,) * 4, 2.0)
    (run_folder / "operating_point.json").write_text("damaged")
    call(monkeypatch, "--run", run_folder)
    point = read_operating_point(run_folder, weights)
    assert point
    assert point.costs == costs()  # as it was trained


def test_a_limit_that_classes_without_a_threshold_fill_alone_is_said_not_to_be_kept() -> None:
    labels = np.array([0] * 20 + [1] * 3 + [2] * 10)
    shares = np.full((33, 5), 0.05)
    shares[:, 1] = 0.8  # the answer everywhere is the class with too few patches
    answers = Answers(shares, labels, tuple(f"s{place}" for place in range(33)))
    both = {Split.VALIDATION: answers, Split.TEST: answers}
    told = tabulate(operating_point_of(both, costs(limit=1.0), "weights", 0))
    assert "**The limit is not kept**" in told
    assert "**The limit is not kept**" not in tabulate(operating_point_of(both, costs(), "weights", 0))


def test_costs_of_nothing_are_said_to_decide_nothing() -> None:
    both = {Split.VALIDATION: drawn(80, 7), Split.TEST: drawn(80, 8)}
    point = operating_point_of(both, costs(0.0, 0.0), "weights", 0)
    assert all("any threshold costs least" in one.note for one in point.classes)


def test_answers_of_other_weights_are_refused(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_answers(run_folder, "of another model")
    with pytest.raises(InputError, match=r"predictions\.parquet: of other weights than the model's"):
        call(monkeypatch, "--run", run_folder)
    assert not (run_folder / "operating_point.json").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table[table["split"] == "test"], "no patch of the validation split"),
        (lambda table: table.drop(columns="p3"), "not a readable table of predictions"),
        (lambda table: table.assign(label=9), "a label is no class"),
        (lambda table: table.assign(label="a"), "a label is no class"),
        (lambda table: table.assign(p1=0.9), "do not add up to 1"),
        (lambda table: table.assign(strip=None), "a row has no strip"),
        (lambda table: table.assign(p1=float("nan")), "do not add up to 1"),
        (lambda table: table.assign(p1="much"), "a probability is no number"),
    ],
)
def test_damaged_answers_are_refused(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch, change: object, words: str
) -> None:
    import pandas as pd

    path = run_folder / "predictions.parquet"
    table = pd.read_parquet(path)
    assert callable(change)
    changed = change(table)
    changed.attrs = table.attrs
    changed.to_parquet(path, index=False)
    with pytest.raises(InputError, match=words):
        call(monkeypatch, "--run", run_folder)


def test_a_file_that_is_no_table_is_refused(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (run_folder / "predictions.parquet").write_bytes(b"PAR1 no table")
    with pytest.raises(InputError, match="not a readable table of predictions"):
        call(monkeypatch, "--run", run_folder)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda text: text[:100], "the file: Invalid JSON"),
        (lambda text: text.replace('"threshold": 0', '"threshold": 7'), "threshold.*less than or equal to 1"),
        (lambda text: text.replace('"label": 4', '"label": 3'), "with the 4 defect classes in their order"),
        (
            lambda text: text.replace('"format": 1', '"format": 2'),
            "format 2 with 4 classes, expected format 1",
        ),
        (lambda text: text.replace('"note"', '"remark"'), "note: Field required"),
        (lambda text: text.replace("10.0", "-10.0", 1), "miss -10.0, expected 0 or more"),
        (lambda text: "[]", "the file: "),
    ],
)
def test_a_damaged_operating_point_is_refused(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch, damage: object, words: str
) -> None:
    call(monkeypatch, "--run", run_folder)
    path = run_folder / "operating_point.json"
    assert callable(damage)
    before = path.read_text()
    path.write_text(damage(before))
    assert path.read_text() != before
    weights = json.loads((run_folder / "model.json").read_text())["weights_sha256"]
    with pytest.raises(InputError, match=rf"operating_point\.json: .*{words}"):
        read_operating_point(run_folder, weights)


def test_an_operating_point_is_of_its_weights_alone(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_operating_point(run_folder, "weights") is None
    call(monkeypatch, "--run", run_folder)
    with pytest.raises(InputError, match="of other weights than the model's"):
        read_operating_point(run_folder, "weights")
