"""The queue of explanations: fairness, sharing, stopping, progress, and that no map is mixed up."""

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from app.asking.catalogue import CATALOGUE, EFFORTS, request_for
from app.asking.explanations import (
    Event,
    Failed,
    Finished,
    Found,
    Outcome,
    Passed,
    Request,
    Stage,
    Tell,
    explain,
)
from app.jobs import Cancelled, Jobs, Queued, Running, Wish, turn_order
from explain.engines import choose_engine
from explain.methods import METHODS
from severstal_xai.imaging import model_input
from severstal_xai.model import build_classifier

PATIENCE = 60.0
"""Seconds after which a test that waits has failed."""
FOUND = Found(np.ones((2, 2), dtype=np.float32))


def request(name: str) -> Request:
    return Request("sise", (), 0, "weights", name)


@dataclass
class Workshop:
    """Jobs that go a step when they are told to, and a list of who worked."""

    done: list[str] = field(default_factory=list)
    steps: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def wish(self, name: str, steps: int = 1) -> Wish:
        """A job of so many steps; each waits until the workshop lets it be done."""

        def work(tell: Tell) -> Outcome:
            for step in range(steps):
                assert self.steps.acquire(timeout=PATIENCE)
                self.done.append(name)
                tell(Passed(step + 1, steps))
            return FOUND

        return Wish(request(name), work)

    def allow(self, steps: int) -> None:
        for _ in range(steps):
            self.steps.release()


@pytest.fixture
def workshop() -> Workshop:
    return Workshop()


@pytest.fixture
def open_jobs(workshop: Workshop) -> Iterator[Callable[..., Jobs]]:
    opened: list[Jobs] = []

    def start(finished: Finished | None = None, **settings: float) -> Jobs:
        opened.append(Jobs(finished or Finished(max_entries=400), **settings))  # type: ignore[arg-type]
        return opened[-1]

    yield start
    workshop.allow(10_000)
    for jobs in opened:
        jobs.close()
        assert jobs.wait_until_idle(PATIENCE)


def eventually(true: Callable[[], bool]) -> None:
    deadline = threading.Event()
    for _ in range(int(PATIENCE * 100)):
        if true():
            return
        deadline.wait(0.01)
    raise AssertionError("it did not become true")


def test_a_queue_of_fifty_does_not_stand_before_another_visitor_s_first(
    open_jobs: Callable[..., Jobs], workshop: Workshop
) -> None:
    jobs = open_jobs()
    jobs.watch("many", [workshop.wish(f"many {number}") for number in range(50)])
    jobs.watch("one", [workshop.wish("one")])
    assert jobs.state("one", request("one")) == Queued(before=1)
    assert jobs.state("many", request("many 2")) == Queued(before=3)
    workshop.allow(51)
    assert jobs.wait_until_idle(PATIENCE)
    assert workshop.done[:3] == ["many 0", "one", "many 1"]
    assert jobs.state("many", request("many 49")) is FOUND


def test_a_long_job_hands_its_turn_on_between_two_steps_and_goes_on_after(
    open_jobs: Callable[..., Jobs], workshop: Workshop
) -> None:
    jobs = open_jobs(slice_seconds=0.0)
    jobs.watch("first", [workshop.wish("long", steps=4)])
    jobs.watch("second", [workshop.wish("short", steps=2)])
    workshop.allow(6)
    assert jobs.wait_until_idle(PATIENCE)
    assert workshop.done == ["long", "short", "long", "short", "long", "long"]


def test_one_visitor_s_jobs_are_made_one_after_the_other(
    open_jobs: Callable[..., Jobs], workshop: Workshop
) -> None:
    jobs = open_jobs(slice_seconds=0.0)
    jobs.watch("one", [workshop.wish("quick", steps=2), workshop.wish("slow", steps=2)])
    workshop.allow(4)
    assert jobs.wait_until_idle(PATIENCE)
    assert workshop.done == ["quick", "quick", "slow", "slow"]


def test_what_two_visitors_want_is_made_once(open_jobs: Callable[..., Jobs], workshop: Workshop) -> None:
    jobs = open_jobs()
    for visitor in ("one", "other"):
        jobs.watch(visitor, [workshop.wish("shared", steps=2)])
    workshop.allow(2)
    assert jobs.wait_until_idle(PATIENCE)
    assert workshop.done == ["shared", "shared"]
    assert jobs.state("one", request("shared")) is jobs.state("other", request("shared")) is FOUND


def test_one_of_two_who_cancels_only_leaves_and_the_last_ends_it(
    open_jobs: Callable[..., Jobs], workshop: Workshop
) -> None:
    jobs = open_jobs()
    for visitor in ("one", "other"):
        jobs.watch(visitor, [workshop.wish("shared", steps=3)])
    jobs.cancel("one", request("shared"))
    assert jobs.state("one", request("shared")) == Cancelled(None)
    workshop.allow(1)
    eventually(lambda: workshop.done == ["shared"])
    assert isinstance(jobs.state("other", request("shared")), Running)
    jobs.cancel("other", request("shared"))
    workshop.allow(2)
    assert jobs.wait_until_idle(PATIENCE)
    assert workshop.done == ["shared", "shared"], "it ended at the step at which it was told so"
    assert jobs.state("other", request("shared")) == Cancelled(None)


def test_what_was_cancelled_can_be_asked_for_again_also_before_it_has_ended(
    open_jobs: Callable[..., Jobs], workshop: Workshop
) -> None:
    jobs = open_jobs()
    jobs.watch("one", [workshop.wish("a", steps=2)])
    eventually(lambda: isinstance(jobs.state("one", request("a")), Running))
    jobs.cancel("one", request("a"))
    jobs.ask_again("one", request("a"))
    assert isinstance(jobs.state("one", request("a")), Queued), "a new one waits for the end of the old"
    workshop.allow(3)
    assert jobs.wait_until_idle(PATIENCE)
    assert workshop.done == ["a", "a", "a"]
    assert jobs.state("one", request("a")) is FOUND


def test_who_clicks_next_quickly_leaves_no_queue_behind(
    open_jobs: Callable[..., Jobs], workshop: Workshop
) -> None:
    jobs = open_jobs()
    for number in range(5):
        jobs.watch("one", [workshop.wish(f"patch {number}", steps=3)])
    workshop.allow(100)
    assert jobs.wait_until_idle(PATIENCE)
    assert set(workshop.done) == {"patch 0", "patch 4"}
    assert workshop.done.count("patch 0") == 1, "begun, it went to the end of its step"


def test_a_job_that_nobody_watches_goes_on_while_nobody_waits(
    open_jobs: Callable[..., Jobs], workshop: Workshop
) -> None:
    jobs = open_jobs()
    jobs.watch("one", [workshop.wish("left", steps=2)])
    jobs.watch("one", [])
    workshop.allow(2)
    assert jobs.wait_until_idle(PATIENCE)
    assert jobs.state("one", request("left")) is FOUND


def test_what_a_visitor_alone_watches_stands_still_while_a_page_is_drawn_for_him(
    open_jobs: Callable[..., Jobs], workshop: Workshop
) -> None:
    jobs = open_jobs(clock=lambda: 0.0)
    jobs.watch("one", [workshop.wish("his own", steps=3), workshop.wish("not begun")])
    jobs.watch("other", [workshop.wish("another's", steps=2)])
    eventually(lambda: isinstance(jobs.state("one", request("his own")), Running))
    jobs.turn("one")
    workshop.allow(3)
    eventually(lambda: jobs.state("other", request("another's")) is FOUND)
    assert workshop.done == ["his own", "another's", "another's"]
    jobs.watch("one", [workshop.wish("his own", steps=3)])
    workshop.allow(2)
    assert jobs.wait_until_idle(PATIENCE)
    assert workshop.done[3:] == ["his own", "his own"]


def test_what_two_watch_goes_on_while_a_page_is_drawn_for_one(
    open_jobs: Callable[..., Jobs], workshop: Workshop
) -> None:
    jobs = open_jobs(clock=lambda: 0.0)
    for visitor in ("one", "other"):
        jobs.watch(visitor, [workshop.wish("shared", steps=2)])
    jobs.turn("one")
    workshop.allow(2)
    assert jobs.wait_until_idle(PATIENCE)


def test_a_page_that_never_says_what_it_shows_holds_nothing_up_for_long(
    open_jobs: Callable[..., Jobs], workshop: Workshop
) -> None:
    jobs = open_jobs()
    jobs.watch("one", [workshop.wish("his own", steps=2)])
    jobs.turn("one")
    workshop.allow(2)
    assert jobs.wait_until_idle(PATIENCE)
    assert workshop.done == ["his own", "his own"]


def test_who_is_gone_wants_nothing_any_more(open_jobs: Callable[..., Jobs], workshop: Workshop) -> None:
    now = [0.0]
    jobs = open_jobs(lease=90.0, clock=lambda: now[0])
    jobs.watch("gone", [workshop.wish("begun"), workshop.wish("queued")])
    now[0] = 60.0
    jobs.watch("there", [workshop.wish("wanted")])
    now[0] = 100.0
    jobs.seen("there")
    workshop.allow(10)
    assert jobs.wait_until_idle(PATIENCE)
    assert "queued" not in workshop.done
    assert jobs.state("there", request("wanted")) is FOUND


def test_no_more_jobs_are_begun_than_may_be_at_a_time(
    open_jobs: Callable[..., Jobs], workshop: Workshop
) -> None:
    jobs = open_jobs(begun=2, slice_seconds=0.0)
    names = [f"job {number}" for number in range(6)]
    for name in names:
        jobs.watch(name, [workshop.wish(name, steps=3)])
    workshop.allow(4)
    eventually(lambda: len(workshop.done) == 4)
    assert set(workshop.done) == {"job 0", "job 1"}
    workshop.allow(100)
    assert jobs.wait_until_idle(PATIENCE)
    assert sorted(workshop.done) == sorted(names * 3)


def test_progress_is_told_and_the_time_left_when_it_is_known(open_jobs: Callable[..., Jobs]) -> None:
    now, told, go_on = [0.0], threading.Semaphore(0), threading.Semaphore(0)
    first = Found(np.zeros((2, 2), dtype=np.float32), asked=8)

    def work(tell: Tell) -> Outcome:
        for event in (Stage.PREPARING, Passed(8, 80), first, Passed(16, 80)):
            tell(event)
            told.release()
            assert go_on.acquire(timeout=PATIENCE)
        return FOUND

    jobs = open_jobs(clock=lambda: now[0])
    jobs.watch("one", [Wish(request("a"), work)])
    expected = [
        Running(Stage.PREPARING, None, None, None),
        Running(Stage.PREPARING, Passed(8, 80), None, None),
        Running(Stage.PREPARING, Passed(8, 80), None, first),
        # 8 steps more took 2 s after the first eight, so the 64 to come take 16 s
        Running(Stage.PREPARING, Passed(16, 80), 16.0, first),
    ]
    for place, state in enumerate(expected):
        assert told.acquire(timeout=PATIENCE)
        assert jobs.state("one", request("a")) == state
        if place == 2:
            now[0] += 2
        go_on.release()
    assert jobs.wait_until_idle(PATIENCE)


def test_a_cancelled_job_leaves_its_first_map(open_jobs: Callable[..., Jobs]) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work(tell: Tell) -> Outcome:
        tell(FOUND)
        begun.set()
        assert go_on.wait(PATIENCE)
        tell(Passed(1, 2))
        raise AssertionError("it was to end before")

    jobs = open_jobs()
    jobs.watch("one", [Wish(request("a"), work)])
    assert begun.wait(PATIENCE)
    jobs.cancel("one", request("a"))
    go_on.set()
    assert jobs.wait_until_idle(PATIENCE)
    assert jobs.state("one", request("a")) == Cancelled(FOUND)


def test_a_fault_of_ours_fails_its_job_alone_and_can_be_tried_again(
    open_jobs: Callable[..., Jobs], workshop: Workshop
) -> None:
    def broken(_: Tell) -> Outcome:
        raise KeyError("secret detail")

    jobs = open_jobs()
    workshop.allow(10)
    jobs.watch("one", [Wish(request("a"), broken), workshop.wish("b")])
    assert jobs.wait_until_idle(PATIENCE)
    failed = jobs.state("one", request("a"))
    assert isinstance(failed, Failed)
    assert "secret detail" not in failed.reason
    assert jobs.state("one", request("b")) is FOUND
    jobs.watch("one", [workshop.wish("a")])
    assert jobs.wait_until_idle(PATIENCE)
    assert jobs.state("one", request("a")) is failed
    jobs.ask_again("one", request("a"))
    assert jobs.wait_until_idle(PATIENCE)
    assert jobs.state("one", request("a")) is FOUND


@given(st.lists(st.lists(st.integers(0, 9), unique=True, max_size=6), max_size=5))
def test_every_visitor_s_first_comes_before_any_one_s_second(numbers: list[list[int]]) -> None:
    queues = [[request(str(number)) for number in queue] for queue in numbers]
    order = turn_order(queues)
    assert sorted(order, key=repr) == sorted({one for queue in queues for one in queue}, key=repr)
    firsts = {queue[0] for queue in queues if queue}
    assert set(order[: len(firsts)]) == firsts


# With a real network.

GREY = np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint8)


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return build_classifier("resnet18", 5, seed=0).eval()


def traces(model: nn.Module) -> list[object]:
    """All that an explanation might leave in a model."""
    return [
        (name, module.training, len(module._forward_hooks), sorted(vars(module)))
        for name, module in model.named_modules()
    ] + [(value.grad is None, value.sum().item()) for value in model.parameters()]


def test_every_method_is_in_the_catalogue_and_can_be_asked_for() -> None:
    assert CATALOGUE.keys() == METHODS.keys()
    for name, method in METHODS.items():
        made = [
            method(**dict(request_for(name, effort, 1, "weights", "image").settings)) for effort in EFFORTS
        ]
        assert made[-1] == method(), "the paper's effort is the method as it is"
        assert len(set(made)) in {1, len(EFFORTS)}


@pytest.mark.parametrize("effort", list(EFFORTS))
def test_the_map_that_sharpens_ends_in_the_bytes_of_the_one_made_at_once(
    model: nn.Module, effort: str
) -> None:
    events: list[object] = []
    made = explain(request_for("sise", effort, 2, "weights", "image"), model, GREY, events.append)
    alone = METHODS["sise"](budget={"fast": 0.2, "balanced": 0.8, "paper": 1.0}[effort])
    image = torch.from_numpy(model_input(GREY))
    expected = alone(model, image[None], torch.tensor([2]))[0].numpy()
    assert isinstance(made, Found)
    assert made.saliency.tobytes() == expected.tobytes()
    firsts = [event for event in events if isinstance(event, Found)]
    batch = choose_engine(model, image).batch
    assert firsts[0].asked == batch, "the first map comes after the first batch"
    assert len(firsts) >= 3
    counted = [event for event in events if isinstance(event, Passed)]
    assert counted[-1].done <= counted[-1].total


def test_twenty_sessions_at_once_each_get_the_bytes_that_they_get_alone(
    model: nn.Module, open_jobs: Callable[..., Jobs]
) -> None:
    chance = np.random.default_rng(1)
    patches = [chance.integers(0, 255, (64, 64)).astype(np.uint8) for _ in range(5)]
    methods = ["sise", "ada_sise", "grad_cam", "layer_cam"]
    wishes = []
    for place, grey in enumerate(patches):
        for method in methods:
            one = request_for(method, "fast", place, "weights", str(place))
            wishes.append(Wish(one, partial(explain, one, model, grey)))
    before = traces(model)
    jobs = open_jobs(turns=4, slice_seconds=0.0)
    with ThreadPoolExecutor(len(wishes)) as sessions:
        list(sessions.map(lambda pair: jobs.watch(str(pair[0]), [pair[1]]), enumerate(wishes)))
    assert jobs.wait_until_idle(PATIENCE)
    for session, wish in enumerate(wishes):
        found, alone = jobs.state(str(session), wish.request), wish.work(lambda _: None)
        assert isinstance(found, Found)
        assert isinstance(alone, Found)
        assert found.saliency.tobytes() == alone.saliency.tobytes()
    assert traces(model) == before


@pytest.mark.parametrize("method", ["sise", "rise", "extremal_perturbation"])
def test_a_cancelled_explanation_leaves_no_trace_in_the_model(
    model: nn.Module, open_jobs: Callable[..., Jobs], method: str
) -> None:
    one = request_for(method, "paper", 1, "weights", "image")
    before = traces(model)
    jobs = open_jobs()
    jobs.watch("one", [Wish(one, partial(explain, one, model, GREY))])

    def counting() -> bool:
        state = jobs.state("one", one)
        return isinstance(state, Running) and state.passed is not None

    eventually(counting)
    jobs.cancel("one", one)
    assert jobs.wait_until_idle(PATIENCE)
    assert isinstance(jobs.state("one", one), Cancelled)
    assert traces(model) == before


BATCHES = [Passed(done, 50) for done in (8, 16, 24, 32, 40, 48, 50)]
"""What integrated gradients and SmoothGrad tell."""


@pytest.mark.parametrize("method", ["integrated_gradients", "smooth_grad"])
def test_another_visitor_s_quick_question_gets_through_between_two_batches_of_gradients(
    model: nn.Module, open_jobs: Callable[..., Jobs], method: str
) -> None:
    jobs = open_jobs(slice_seconds=0.0)
    ended: list[str] = []

    events: list[object] = []
    quick, slow = (request_for(name, "paper", 1, "weights", "image") for name in ("grad_cam", method))

    def work_quickly(tell: Tell) -> Outcome:
        outcome = explain(quick, model, GREY, tell)
        ended.append("grad_cam")
        return outcome

    def work(tell: Tell) -> Outcome:
        def told(event: Event) -> None:
            events.append(event)
            if event == BATCHES[1]:
                jobs.watch("other", [Wish(quick, work_quickly)])
            tell(event)

        outcome = explain(slow, model, GREY, told)
        ended.append(method)
        return outcome

    jobs.watch("one", [Wish(slow, work)])
    assert jobs.wait_until_idle(PATIENCE)
    assert ended == ["grad_cam", method]
    assert events == [Stage.LOOKING, *BATCHES]
    image = torch.from_numpy(model_input(GREY))[None]
    found = jobs.state("one", slow)
    assert isinstance(found, Found)
    assert found.saliency.tobytes() == METHODS[method]()(model, image, torch.tensor([1]))[0].numpy().tobytes()


@pytest.mark.parametrize("method", ["integrated_gradients", "smooth_grad"])
def test_gradients_that_are_cancelled_end_with_their_batch_and_leave_no_trace_in_the_model(
    model: nn.Module, open_jobs: Callable[..., Jobs], method: str
) -> None:
    one = request_for(method, "paper", 1, "weights", "image")
    before = traces(model)
    jobs = open_jobs()
    events: list[object] = []

    def work(tell: Tell) -> Outcome:
        def told(event: Event) -> None:
            events.append(event)
            if event == BATCHES[2]:
                jobs.cancel("one", one)
            tell(event)

        return explain(one, model, GREY, told)

    jobs.watch("one", [Wish(one, work)])
    assert jobs.wait_until_idle(PATIENCE)
    assert jobs.state("one", one) == Cancelled(None)
    assert events == [Stage.LOOKING, *BATCHES[:3]]
    assert traces(model) == before


class Raising(nn.Module):
    """Fails when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = build_classifier("resnet18", 5, seed=0)
        self.begun, self.go_on = threading.Event(), threading.Event()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.begun.set()
        self.go_on.wait(PATIENCE)
        raise RuntimeError("no memory")


def test_a_job_that_is_cancelled_while_its_model_raises_ends_and_leaves_no_trace(
    open_jobs: Callable[..., Jobs],
) -> None:
    model = Raising().eval()
    before = traces(model)
    one = request_for("smooth_grad", "fast", 1, "weights", "image")
    jobs = open_jobs()
    jobs.watch("one", [Wish(one, partial(explain, one, model, GREY))])
    assert model.begun.wait(PATIENCE)
    jobs.cancel("one", one)
    model.go_on.set()
    assert jobs.wait_until_idle(PATIENCE)
    assert isinstance(jobs.state("one", one), Failed)
    assert traces(model) == before


def test_what_is_done_or_cancelled_holds_no_memory_but_the_map(open_jobs: Callable[..., Jobs]) -> None:
    finished = Finished(max_entries=3)
    jobs = open_jobs(finished)
    held: list[weakref.ref[np.ndarray]] = []
    for number in range(20):
        large = np.zeros(1000)
        held.append(weakref.ref(large))

        def work(tell: Tell, large: np.ndarray = large) -> Outcome:
            tell(Passed(1, 1))
            return Found(large)

        one = request(str(number))
        jobs.watch("one", [Wish(one, work)])
        del large, work
        if number % 2:
            jobs.cancel("one", one)
        assert jobs.wait_until_idle(PATIENCE)
    jobs.watch("one", [])
    gc.collect()
    assert sum(one() is not None for one in held) <= 3, "as many as the cache keeps"
