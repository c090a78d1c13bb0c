"""Drop, increase, insertion and deletion: by hand, by a slow copy, by limits, by planted truth."""

import math

import pytest
import torch
from torch import Tensor, nn

from explain.engines import choose_engine
from explain.evaluation.rows import Asked, evaluate_image
from explain.maps import gaussian_blur
from explain.metrics.faithfulness import BLUR, Faithfulness, Judged, area_under, drop_and_increase, judge
from severstal_xai.errors import InputError

SIZE = 20


class Brightness(nn.Module):
    """Its probability of class 1 is the sigmoid of what lies in the upper left quarter, less a half of it elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        weights = torch.full((SIZE, SIZE), -0.5)
        weights[: SIZE // 2, : SIZE // 2] = 1
        self.weights = nn.Parameter(weights / 50)

    def forward(self, images: Tensor) -> Tensor:
        evidence = (images.mean(dim=1) * self.weights).sum(dim=(1, 2))
        return torch.stack([torch.zeros_like(evidence), evidence], dim=1)


class Deaf(nn.Module):
    """Answers always the same."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor([0.0, 1.0]))

    def forward(self, images: Tensor) -> Tensor:
        return self.logits + 0 * images.mean(dim=(1, 2, 3))[:, None]


@pytest.fixture
def image() -> Tensor:
    return torch.rand(3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)) + 0.5


@pytest.fixture
def evidence() -> Tensor:
    """The map that is right for `Brightness`, without ties."""
    quarter = torch.zeros(SIZE, SIZE)
    quarter[: SIZE // 2, : SIZE // 2] = 1
    return quarter + torch.rand(SIZE, SIZE, generator=torch.Generator().manual_seed(1)) / 10


def answer(model: nn.Module, image: Tensor) -> float:
    with torch.no_grad():
        return float(model.double()(image.double()[None]).softmax(dim=1)[0, 1])


def slow(model: nn.Module, image: Tensor, saliency: Tensor, steps: int) -> Faithfulness:
    """Take pixels one by one, in float64."""
    places = [(row, column) for row in range(SIZE) for column in range(SIZE)]
    order = sorted(places, key=lambda place: -float(saliency[place]))
    blurred = gaussian_blur(image, BLUR)

    def shown(count: int, background: Tensor) -> Tensor:
        seen = background.clone()
        for row, column in order[:count]:
            seen[:, row, column] = image[:, row, column]
        return seen

    def deleted(count: int) -> Tensor:
        seen = image.clone()
        for row, column in order[:count]:
            seen[:, row, column] = 0
        return seen

    counts = [step * SIZE * SIZE // steps for step in range(steps + 1)]
    return Faithfulness(
        answer(model, image),
        answer(model, shown(int(0.15 * SIZE * SIZE), torch.zeros_like(image))),
        tuple(answer(model, shown(count, blurred)) for count in counts),
        tuple(answer(model, deleted(count)) for count in counts),
    )


@pytest.mark.parametrize("steps", [1, 7, 28])
def test_it_equals_a_slow_copy(image: Tensor, evidence: Tensor, steps: int) -> None:
    model = Brightness().eval()
    noise = torch.rand(SIZE, SIZE, generator=torch.Generator().manual_seed(2))
    maps = [Judged(image, 1, evidence), Judged(image.flip(1), 1, noise)]
    found = judge(choose_engine(model, image, "reference"), maps, steps)
    for one, expected in zip(
        found, (slow(model, image, evidence, steps), slow(model, image.flip(1), noise, steps)), strict=True
    ):
        assert one.whole == pytest.approx(expected.whole, abs=1e-5)
        assert one.top == pytest.approx(expected.top, abs=1e-5)
        assert one.insertion == pytest.approx(expected.insertion, abs=1e-5)
        assert one.deletion == pytest.approx(expected.deletion, abs=1e-5)


def test_what_is_told_by_hand() -> None:
    half = Faithfulness(whole=0.8, top=0.4, insertion=(0.0, 0.5, 1.0), deletion=(1.0, 0.0, 0.0))
    assert half.drop == pytest.approx(0.5)
    assert not half.increase
    assert half.insertion_auc == 0.5
    assert half.deletion_auc == 0.25
    more = Faithfulness(whole=0.4, top=0.8, insertion=(), deletion=())
    assert more.drop == 0
    assert more.increase
    assert Faithfulness(whole=0.0, top=0.0, insertion=(), deletion=()).drop == 0


def test_the_evidence_beats_its_opposite(image: Tensor, evidence: Tensor) -> None:
    model = Brightness().eval()
    right, wrong = judge(
        choose_engine(model, image, "reference"),
        [Judged(image, 1, evidence), Judged(image, 1, -evidence)],
        steps=20,
    )
    assert right.increase  # the quarter alone, without what speaks against it
    assert wrong.top < right.top
    assert right.insertion_auc > wrong.insertion_auc
    assert right.deletion_auc < wrong.deletion_auc


def test_curves_begin_and_end_where_they_must(image: Tensor, evidence: Tensor) -> None:
    model = Brightness().eval()
    (found,) = judge(choose_engine(model, image, "reference"), [Judged(image, 1, evidence)], steps=9)
    assert len(found.insertion) == len(found.deletion) == 10
    assert found.insertion[-1] == pytest.approx(found.whole, abs=1e-6)
    assert found.deletion[0] == pytest.approx(found.whole, abs=1e-6)
    assert found.insertion[0] == pytest.approx(answer(Brightness(), gaussian_blur(image, BLUR)), abs=1e-5)
    assert found.deletion[-1] == pytest.approx(0.5, abs=1e-6)  # nothing is left


def test_a_model_that_sees_nothing_drops_nothing_and_gains_nothing(image: Tensor, evidence: Tensor) -> None:
    (found,) = judge(choose_engine(Deaf().eval(), image, "reference"), [Judged(image, 1, evidence)], steps=5)
    assert found.drop == 0
    assert not found.increase
    assert found.insertion_auc == pytest.approx(found.whole)
    assert found.deletion_auc == pytest.approx(found.whole)


def test_without_steps_there_are_no_curves(image: Tensor, evidence: Tensor) -> None:
    (found,) = judge(choose_engine(Deaf().eval(), image, "reference"), [Judged(image, 1, evidence)], steps=0)
    assert found.insertion == found.deletion == ()


def test_ties_fall_by_the_second_map(image: Tensor, evidence: Tensor) -> None:
    """A map of zeros orders nothing; what orders its ties decides."""
    model, nothing = Brightness().eval(), torch.zeros(SIZE, SIZE)
    engine = choose_engine(model, image, "reference")
    ordered, plain, expected = judge(
        engine,
        [Judged(image, 1, nothing, evidence), Judged(image, 1, nothing), Judged(image, 1, evidence)],
        steps=6,
    )
    assert ordered == expected
    assert plain != expected


def test_the_door_gives_each_image_its_own(image: Tensor, evidence: Tensor) -> None:
    model = Brightness()
    images, maps = torch.stack([image, image.flip(2)]), torch.stack([evidence, 1 - evidence])
    targets = torch.tensor([1, 0])
    drop, increase = drop_and_increase(model, images, maps, targets)
    assert model.training  # as it was
    for place in range(2):
        alone = drop_and_increase(model, images[place][None], maps[place][None], targets[place][None])
        assert drop[place] == pytest.approx(float(alone[0][0]), abs=1e-6)
        assert increase[place] == alone[1][0]
    assert bool(increase[0])
    none = drop_and_increase(model, images[:0], maps[:0], targets[:0])
    assert [len(part) for part in none] == [0, 0]


def test_the_area_under_a_constant_is_the_constant() -> None:
    assert area_under([0.3] * 5) == pytest.approx(0.3)
    assert area_under([0.0, 1.0]) == 0.5
    assert math.isclose(area_under([1.0, 0.0, 0.0, 0.0, 0.0]), 0.125)


def test_a_model_that_answers_no_number_is_not_judged(image: Tensor) -> None:
    model = Deaf()
    model.logits.data[0] = math.nan
    saliency = torch.rand(SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    with pytest.raises(InputError, match=r"the model's probability of class 1 is nan, expected a number"):
        judge(choose_engine(model, image), [Judged(image, 1, saliency)], steps=2)
    asked = Asked("strip1_0", image, 1, torch.ones(SIZE, SIZE, dtype=torch.bool))
    with pytest.raises(InputError, match=r"strip1_0: the model's probability of class 1 is nan"):
        list(evaluate_image(model, asked, {"random": None}, steps=0))
