"""One contract over all methods: shape, range, repeatability, company, no trace, planted truth."""

import contextlib
import inspect
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from explain.explainer import Explainer
from explain.methods import METHODS
from explain.methods.rise import RISE
from explain.metrics.localisation import box_score, energy_pointing

SIZE = 32


SMALL: dict[str, dict[str, Any]] = {
    "rise": {"masks": 600},
    "extremal_perturbation": {"steps": 60, "smoothness": 2.0, "areas": (0.25,)},
}
"""Settings other than a method's own: the contract asks each method about a hundred times, and RISE's 4000 masks or 800
steps of a search would take an hour; a mask's smoothness goes with the image's size, here an eighth of a patch's."""


@pytest.fixture(params=METHODS)
def method(request: pytest.FixtureRequest) -> Explainer:
    return METHODS[request.param](**SMALL.get(request.param, {}))


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
    """A network whose evidence for class 1 is pixels brighter than 1, and nothing else; class 0 is its opposite.

    A square of 3 over a quarter of the image is evidence of 0.5. At 0.2, of which blur and masks over half the
    square fall short, the classes are even: that pixels are dim, or the image dim as a whole, is no evidence.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bright = nn.Conv2d(3, 2, 1)
        with torch.no_grad():
            self.bright.weight[0], self.bright.weight[1] = 1 / 3, -1 / 3
            self.bright.bias = nn.Parameter(torch.full((2,), -1.0))

    def forward(self, images: Tensor) -> Tensor:
        features = self.bright(nn.functional.avg_pool2d(images, 4)).relu()
        bright, dark = features.mean(dim=(2, 3)).T
        return torch.stack([dark - bright + 0.2, bright - dark - 0.2], dim=1) * 8


PLANTED = torch.zeros(SIZE, SIZE, dtype=torch.bool)
PLANTED[4:20, 12:28] = True


@pytest.fixture
def planted() -> Tensor:
    return torch.where(PLANTED, 3.0, -0.1).expand(1, 3, SIZE, SIZE)


def test_the_highest_pixels_lie_where_the_planted_evidence_lies(method: Explainer, planted: Tensor) -> None:
    saliency = method(CornerDetector().eval(), planted, torch.tensor([1]))[0]
    # Resizing smears the square of 16 pixels by up to half a feature's 4 pixels to each side: of as many pixels as it
    # has, at least 16^2 / 20^2 = 0.64 lie inside; of a map that knows nothing, 16^2 / 32^2 = 0.25.
    assert box_score(saliency, PLANTED) > 0.64


def test_the_map_lies_where_the_planted_evidence_lies(method: Explainer, planted: Tensor) -> None:
    if isinstance(method, RISE):
        pytest.skip(
            "RISE gives every pixel the mean answer; only the order of its pixels tells of the evidence"
        )
    saliency = method(CornerDetector().eval(), planted, torch.tensor([1]))[0]
    assert energy_pointing(saliency, PLANTED) > 0.64  # by the same count


def test_a_model_in_half_precision_gets_a_map_in_single_that_finds_the_evidence(
    method: Explainer, planted: Tensor, images: Tensor
) -> None:
    model = build().to(torch.bfloat16)
    before = state(model)
    maps = method(model, images[:1], TARGETS[:1])
    assert maps.dtype == torch.float32
    assert torch.isfinite(maps).all()
    assert maps.min() >= 0
    assert maps.max() <= 1
    assert_same_state(before, state(model))

    saliency = method(CornerDetector().eval().to(torch.bfloat16), planted, torch.tensor([1]))[0]
    assert box_score(saliency, PLANTED) > 0.64


@pytest.mark.parametrize("target", [0, 3])
@pytest.mark.parametrize("scale", [1e4, 1e-4])
def test_a_saturated_or_an_undecided_network_gives_no_nan(
    method: Explainer, network: Residual, images: Tensor, scale: float, target: int
) -> None:
    """At 1e4 softmax is 0 or 1, in float32 exactly; at 1e-4 all classes are even."""
    with torch.no_grad():
        network.head.weight *= scale
    maps = method(network, images[:1], torch.tensor([target]))
    assert torch.isfinite(maps).all()
    assert maps.min() >= 0
    assert maps.max() <= 1


def test_a_network_that_sees_nothing_gives_no_nan(
    method: Explainer, network: Residual, images: Tensor
) -> None:
    with torch.no_grad():
        network.head.weight.zero_()
    assert torch.isfinite(method(network, images[:1], TARGETS[:1])).all()


class CancelledError(Exception):
    """Raised by who no longer wants the map."""


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_no_trace_is_left_by_an_explanation_that_was_cancelled(
    method: Any, images: Tensor, share: float
) -> None:
    """After the first step, and in the midst."""
    if "progress" not in inspect.signature(getattr(method, "explain", method)).parameters:
        pytest.skip("it is done before anyone could cancel it")

    def cancel(done: int, total: int) -> None:
        if done >= share * total:
            raise CancelledError

    model = build()
    expected = method(model, images[:1], TARGETS[:1])
    before = state(model)
    with pytest.raises(CancelledError):
        method.explain(model, images[0], int(TARGETS[0]), cancel)
    assert_same_state(before, state(model))
    assert torch.equal(method(model, images[:1], TARGETS[:1]), expected)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")
def test_a_gpu_gives_a_map_there_that_finds_the_planted_evidence(method: Explainer, planted: Tensor) -> None:
    model = CornerDetector().eval().cuda()
    before = state(model)
    maps = method(model, planted.cuda(), torch.tensor([1]).cuda())
    assert maps.is_cuda
    assert maps.dtype == torch.float32
    assert box_score(maps[0], PLANTED.cuda()) > 0.64
    assert_same_state(before, state(model))
