"""One contract over all methods: shape, range, repeatability, company, no trace, planted truth."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from explain.explainer import Explainer
from explain.methods import METHODS

SIZE = 32


@pytest.fixture(params=METHODS)
def method(request: pytest.FixtureRequest) -> Explainer:
    return METHODS[request.param]()


class Residual(nn.Module):
    """A small network with what real ones have: batch norm, a ReLU in place, a skip, a pooling, a stride."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
        self.around = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
        self.down = nn.Sequential(nn.Conv2d(8, 12, 2, stride=2), nn.BatchNorm2d(12), nn.ReLU(inplace=True))
        self.head = nn.Linear(12, 5)

    def forward(self, images: Tensor) -> Tensor:
        entered = nn.functional.max_pool2d(self.enter(images), 2)
        down: Tensor = self.down(entered + self.around(entered))
        logits: Tensor = self.head(down.mean(dim=(2, 3)))
        return logits


def build() -> Residual:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        return Residual().eval()


@pytest.fixture
def network() -> Residual:
    return build()


@pytest.fixture
def images() -> Tensor:
    return torch.randn(3, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


TARGETS = torch.tensor([0, 4, 2])


def state(model: nn.Module) -> dict[str, Any]:
    """Everything of a model that a method could leave a trace in."""
    return {
        "weights": {
            name: (value.clone(), value._version) for name, value in model.state_dict(keep_vars=True).items()
        },
        "modes": [module.training for module in model.modules()],
        "hooks": [
            len(hooks)
            for module in model.modules()
            for name, hooks in sorted(vars(module).items())
            if name.endswith("_hooks") and hooks is not None
        ],
        "grads": [(parameter.grad is None, parameter.requires_grad) for parameter in model.parameters()],
        "attributes": [sorted(vars(module)) for module in model.modules()],
    }


def assert_same_state(before: dict[str, Any], after: dict[str, Any]) -> None:
    for name, (value, version) in before["weights"].items():
        assert torch.equal(after["weights"][name][0], value)
        assert after["weights"][name][1] == version
    for key in ("modes", "hooks", "grads", "attributes"):
        assert after[key] == before[key]


def test_maps_have_the_images_shape_and_lie_between_0_and_1(
    method: Explainer, network: Residual, images: Tensor
) -> None:
    maps = method(network, images, TARGETS)
    assert maps.shape == (3, SIZE, SIZE)
    assert maps.dtype == torch.float32
    assert torch.isfinite(maps).all()
    assert maps.min() >= 0
    assert maps.max() <= 1
    assert not maps.requires_grad


def test_the_same_settings_give_the_same_maps(method: Explainer, network: Residual, images: Tensor) -> None:
    assert torch.equal(method(network, images[:1], TARGETS[:1]), method(network, images[:1], TARGETS[:1]))


def test_a_batch_gives_what_its_images_give_alone(
    method: Explainer, network: Residual, images: Tensor
) -> None:
    together = method(network, images[:2], TARGETS[:2])
    for index in range(2):
        alone = method(network, images[index : index + 1], TARGETS[index : index + 1])
        assert torch.equal(together[index : index + 1], alone)


def test_no_image_gives_no_map(method: Explainer, network: Residual, images: Tensor) -> None:
    assert method(network, images[:0], TARGETS[:0]).shape == (0, SIZE, SIZE)


@pytest.mark.parametrize("training", [False, True])
def test_no_trace_is_left(method: Explainer, images: Tensor, training: bool) -> None:
    model = build().train(training)
    before = state(model)
    method(model, images[:1], TARGETS[:1])
    assert_same_state(before, state(model))


def test_a_model_in_training_mode_is_explained_as_it_would_answer(method: Explainer, images: Tensor) -> None:
    model = build()
    expected = method(model.eval(), images[:1], TARGETS[:1])
    assert torch.equal(method(model.train(), images[:1], TARGETS[:1]), expected)


def test_no_trace_is_left_when_the_model_raises_midway(method: Explainer, images: Tensor) -> None:
    model = build().eval()
    model.head = nn.Linear(3, 5)  # does not fit what comes in
    before = state(model)
    with pytest.raises(RuntimeError):
        method(model, images[:1], TARGETS[:1])
    assert_same_state(before, state(model))


def test_no_trace_is_left_when_the_model_raises_after_some_answers(method: Explainer, images: Tensor) -> None:
    model = Failing(build().eval(), answers=3).eval()
    before = state(model.model)
    with contextlib.suppress(OutOfAnswersError):  # a method that asks less often is done before
        method(model, images[:1], TARGETS[:1])
    assert_same_state(before, state(model.model))


def test_threads_that_share_a_model_get_what_one_thread_gets(method: Explainer, images: Tensor) -> None:
    """Tracing patches every module in the process: what other threads ask meanwhile must not be disturbed."""
    model = build()
    asked = images.repeat(8, 1, 1, 1)
    expected = [method(model, one[None], TARGETS[:1]) for one in images]
    answers = model(images).detach()
    begin = threading.Barrier(8)

    def ask(thread: int) -> bool:
        begin.wait()
        one = asked[thread : thread + 1]
        same = torch.equal(method(model, one, TARGETS[:1]), expected[thread % 3])
        return same and all(torch.equal(model(images).detach(), answers) for _ in range(20))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(8)))


class OutOfAnswersError(Exception):
    """Raised by a network that was asked too often."""


class Failing(nn.Module):
    """A network that raises after a number of answers."""

    def __init__(self, model: nn.Module, answers: int) -> None:
        super().__init__()
        self.model, self.counter = model, Counter(answers)

    def forward(self, images: Tensor) -> Tensor:
        answer: Tensor = self.model(self.counter(images))
        return answer


class Counter(nn.Identity):
    """Counts down in a leaf of the graph, so that tracing does not unroll it."""

    def __init__(self, answers: int) -> None:
        super().__init__()
        self.left = answers
        self.__module__ = "torch.nn.counter"

    def forward(self, images: Tensor) -> Tensor:
        if self.left == 0:
            raise OutOfAnswersError
        self.left -= 1
        return images


@pytest.mark.parametrize("value", [0.0, 1.5])
def test_a_constant_image_gives_no_nan(method: Explainer, network: Residual, value: float) -> None:
    maps = method(network, torch.full((1, 3, SIZE, SIZE), value), TARGETS[:1])
    assert torch.isfinite(maps).all()


@pytest.mark.parametrize("guard", [torch.no_grad, torch.inference_mode])
def test_callers_without_gradients_get_the_same_maps(
    method: Explainer, network: Residual, images: Tensor, guard: Any
) -> None:
    expected = method(network, images[:1], TARGETS[:1])
    with guard():
        assert torch.equal(method(network, images[:1].clone(), TARGETS[:1]), expected)


def test_frozen_weights_give_the_same_maps(method: Explainer, images: Tensor) -> None:
    model = build().eval()
    expected = method(model, images[:1], TARGETS[:1])
    assert torch.equal(method(model.requires_grad_(False), images[:1], TARGETS[:1]), expected)


class CornerDetector(nn.Module):
    """A network whose evidence for class 1 is bright pixels, and nothing else; class 0 is its opposite."""

    def __init__(self) -> None:
        super().__init__()
        self.bright = nn.Conv2d(3, 2, 1)
        with torch.no_grad():
            self.bright.weight[0], self.bright.weight[1] = 1 / 3, -1 / 3
            self.bright.bias = nn.Parameter(torch.zeros(2))

    def forward(self, images: Tensor) -> Tensor:
        features = self.bright(nn.functional.avg_pool2d(images, 4)).relu()
        evidence = features.mean(dim=(2, 3))
        return torch.stack([evidence[:, 1] - evidence[:, 0], evidence[:, 0] - evidence[:, 1]], dim=1) * 8


def test_the_map_lies_where_the_planted_evidence_lies(method: Explainer) -> None:
    image = torch.full((1, 3, SIZE, SIZE), -0.1)
    image[:, :, 4:20, 12:28] = 3.0
    saliency = method(CornerDetector().eval(), image, torch.tensor([1]))[0]
    inside = saliency[4:20, 12:28].sum() / saliency.sum()
    # Resizing smears the square of 16 pixels by up to half a feature's 4 pixels to each side: at least
    # 16^2 / 20^2 = 0.64 of its energy stays inside; a map that knows nothing has 16^2 / 32^2 = 0.25.
    assert inside > 0.64
