"""Explanations as jobs: a queue that all sessions share, with progress, first maps and a way to stop.

Who looks at a page says what it shows (`watch`), anew whenever that changes. A job that several watch is made once. One
that nobody watches any longer leaves the queue; where it has begun it goes on while nobody waits, for its map is kept, and
stops when somebody does. While a visitor's next page is drawn, what nobody else watches stands still: the page comes the sooner.

The computer's cores work for few jobs at once (`turns`). The turns go round from visitor to visitor, and a job that has
had its turn for a second hands it on between two of its steps to whom else waits: nobody's minutes stand before another's
first map. Within one visitor's jobs the first that is watched comes first.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from app.asking.explanations import Event, Failed, Finished, Found, Outcome, Passed, Request, Stage, Tell

_LOG = logging.getLogger(__name__)

SLICE = 1.0
"""Seconds that a job keeps its turn while others wait."""
BEGUN = 6
"""Jobs that are begun and not ended, at most: each holds the features that it asks about, tens of MB."""
LEASE = 90.0
"""Seconds after which a visitor who has not been seen is taken to be gone; a browser asks for a page in the background once a minute."""
TURNING = 1.0
"""Seconds that a visitor's jobs stand still for a page that is drawn, at most."""
_SURE_AFTER = 1.0
"""Seconds of steps before a time left is told."""
_FAULT = "Something went wrong inside the inspector. It is a fault of the program, not yours; the details are in the log."

Work = Callable[[Tell], Outcome]
"""Makes an explanation and tells how it goes; what `Tell` raises passes through it."""


class Stopped(Exception):  # noqa: N818 (a signal, no error)
    """Nobody wants this job any longer: it ends here."""


@dataclass(frozen=True)
class Wish:
    """What a visitor wants to see.

    Args:
        request: What it is.
        work: Makes it.
    """

    request: Request
    work: Work


@dataclass(frozen=True)
class Queued:
    """The job waits for its turn.

    Args:
        before: How many other jobs have a turn, or get one before.
    """

    before: int


@dataclass(frozen=True)
class Running:
    """The job has begun.

    Args:
        stage: What it is doing.
        passed: How many steps are done, of how many; None where that is not known.
        left: The seconds that it still takes at most, if it goes on as until now; None while nobody can tell.
        first: The best map so far; None before there is one.
    """

    stage: Stage
    passed: Passed | None
    left: float | None
    first: Found | None


@dataclass(frozen=True)
class Cancelled:
    """The visitor does not want it any longer.

    Args:
        first: The best map until then; None where there was none.
    """

    first: Found | None


State = Queued | Running | Found | Failed | Cancelled


@dataclass(eq=False)
class _Job:
    """A wish that is not fulfilled yet.

    Args:
        wish: What is wanted.
        running: What there is to tell of it.
        begun: Whether it has a thread.
        has_turn: Whether it works now.
        turn_began: When it got its turn.
        stopped: Whether it is to end at its next step.
        counted: When the first steps were told, how many they were, and when the last were.
    """

    wish: Wish
    running: Running = Running(Stage.LOOKING, None, None, None)
    begun: bool = False
    has_turn: bool = False
    turn_began: float = 0.0
    stopped: bool = False
    counted: tuple[float, int, float] | None = None


@dataclass
class _Visitor:
    seen: float
    wishes: list[Wish] = field(default_factory=list)
    last_turn: int = 0
    declined: dict[Request, Cancelled] = field(default_factory=dict)
    turning_until: float = -math.inf

    def wanted(self) -> list[Wish]:
        return [wish for wish in self.wishes if wish.request not in self.declined]


class Jobs:
    """The jobs of all sessions; safe to share between threads.

    Args:
        finished: Where results go, and where they are looked for first.
        turns: How many jobs work at the same time.
        begun: How many are begun and not ended at most, those that have handed on their turn among them.
        slice_seconds: How long a job keeps its turn while others wait.
        lease: Seconds after which who has not been seen is gone.
        clock: Seconds, from whenever.
    """

    def __init__(
        self,
        finished: Finished,
        *,
        turns: int = 1,
        begun: int = BEGUN,
        slice_seconds: float = SLICE,
        lease: float = LEASE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._finished, self._clock = finished, clock
        self._turns, self._most_begun, self._slice, self._lease = turns, begun, slice_seconds, lease
        self._jobs: dict[Request, _Job] = {}
        self._begun: set[_Job] = set()  # one that is being stopped may have a successor in `_jobs`
        self._visitors: dict[str, _Visitor] = {}
        self._turns_given = 0
        self._changed = threading.Condition()
        self._closed = False

    def watch(self, visitor: str, wishes: Sequence[Wish]) -> None:
        """Take what a visitor looks at now, the most urgent first; what is no longer among it, the visitor has left."""
        with self._changed:
            one = self._visitors.setdefault(visitor, _Visitor(self._clock()))
            one.seen, one.wishes, one.turning_until = self._clock(), list(wishes), -math.inf
            wanted = {wish.request for wish in wishes}
            one.declined = {request: state for request, state in one.declined.items() if request in wanted}
            self._queue(one)
            self._settle()

    def seen(self, visitor: str) -> None:
        """Note that a visitor is still there."""
        with self._changed:
            if visitor in self._visitors:
                self._visitors[visitor].seen = self._clock()
            self._settle()

    def turn(self, visitor: str) -> None:
        """Note that a page is being drawn for a visitor: what it shows, `watch` will say."""
        with self._changed:
            if visitor in self._visitors:
                self._visitors[visitor].turning_until = self._clock() + TURNING

    def cancel(self, visitor: str, request: Request) -> None:
        """Take a visitor's wish back; the job ends at its next step unless another watches it."""
        with self._changed:
            one, job = self._visitors.get(visitor), self._jobs.get(request)
            if one is None or job is None:
                return  # it is done, or was never wanted
            one.declined[request] = Cancelled(job.running.first)
            if not self._is_watched(job):
                self._stop(job)
            self._settle()

    def ask_again(self, visitor: str, *requests: Request) -> None:
        """Make after all what was cancelled or failed."""
        with self._changed:
            for request in requests:
                if isinstance(self._finished.get(request), Failed):
                    self._finished.forget(request)
            one = self._visitors.get(visitor)
            if one:
                for request in requests:
                    one.declined.pop(request, None)
                self._queue(one)
            self._settle()

    def state(self, visitor: str, request: Request) -> State:
        """Return what has become of a visitor's wish."""
        with self._changed:
            outcome = self._finished.get(request)
            if outcome is not None:
                return outcome
            one, job = self._visitors.get(visitor), self._jobs.get(request)
            if one and request in one.declined:
                return one.declined[request]
            if job is None or not job.begun:
                return Queued(self._before(request))
            return replace(job.running, left=self._left(job))

    def wait(self, requests: Sequence[Request], seconds: float) -> bool:
        """Wait until all are ready or have failed, at most so long; tell whether they are."""
        with self._changed:
            return self._changed.wait_for(
                lambda: all(self._finished.get(request) is not None for request in requests), seconds
            )

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait until there is no job, at most so long; tell whether it is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._jobs and not self._begun, seconds)

    def close(self, seconds: float = 5.0) -> None:
        """Stop all jobs and wait for them to end, at most so long; none is taken any more."""
        with self._changed:
            self._closed = True
            self._visitors.clear()
            for job in list(self._jobs.values()):
                self._stop(job)
            self._settle()
        self.wait_until_idle(seconds)

    # What follows, up to the door of a job's thread, is called with the lock held.

    def _queue(self, visitor: _Visitor) -> None:
        for wish in visitor.wanted():
            job = self._jobs.get(wish.request)
            if not self._closed and self._finished.get(wish.request) is None and (job is None or job.stopped):
                self._jobs[wish.request] = _Job(wish)

    def _settle(self) -> None:
        """Let go who is gone and what nobody wants, and give the free turns to who waits."""
        now = self._clock()
        for name in [name for name, one in self._visitors.items() if now - one.seen > self._lease]:
            del self._visitors[name]
        for job in list(self._jobs.values()):
            if not job.has_turn and not self._is_watched(job):
                self._stop(job)
        while sum(job.has_turn for job in self._begun) < self._turns and (following := self._next()):
            self._give_turn(*following)
        self._changed.notify_all()

    def _next(self) -> tuple[_Visitor, _Job] | None:
        """Return the visitor whose turn it is, and the job."""
        room = len(self._begun) < self._most_begun
        for visitor in self._in_turn():
            for job in self._waiting(visitor):
                if job.begun or room:
                    return visitor, job
        return None

    def _in_turn(self) -> list[_Visitor]:
        """Return who had no turn for the longest time first."""
        return sorted(self._visitors.values(), key=lambda one: one.last_turn)

    def _waiting(self, visitor: _Visitor) -> list[_Job]:
        jobs = [self._jobs.get(wish.request) for wish in visitor.wanted()]
        return [job for job in jobs if job and not (job.has_turn or job.stopped or self._stands_still(job))]

    def _give_turn(self, visitor: _Visitor, job: _Job) -> None:
        self._turns_given += 1
        visitor.last_turn = self._turns_given
        job.has_turn, job.turn_began = True, self._clock()
        if not job.begun:
            job.begun = True
            self._begun.add(job)
            threading.Thread(target=self._do, args=(job,), name="explanation", daemon=True).start()

    def _is_watched(self, job: _Job) -> bool:
        return bool(self._watching(job))

    def _watching(self, job: _Job) -> list[_Visitor]:
        return [
            one
            for one in self._visitors.values()
            if any(wish.request == job.wish.request for wish in one.wanted())
        ]

    def _stands_still(self, job: _Job) -> bool:
        """Tell whether all who watch a job are having a page drawn."""
        watching = self._watching(job)
        return bool(watching) and all(self._clock() < one.turning_until for one in watching)

    def _stop(self, job: _Job) -> None:
        job.stopped = True
        if not job.begun:
            self._forget(job)

    def _forget(self, job: _Job) -> None:
        if self._jobs.get(job.wish.request) is job:
            del self._jobs[job.wish.request]

    def _before(self, request: Request) -> int:
        queues = [[job.wish.request for job in self._waiting(one)] for one in self._in_turn()]
        order = turn_order(queues)
        return sum(job.has_turn for job in self._begun) + (order.index(request) if request in order else 0)

    def _left(self, job: _Job) -> float | None:
        if job.counted is None or job.running.passed is None:
            return None
        began, before, latest = job.counted
        passed = job.running.passed
        return time_left(
            passed.done - before, passed.total - passed.done, latest - began, self._clock() - latest
        )

    # A job's thread.

    def _do(self, job: _Job) -> None:
        outcome: Outcome | None = None
        try:
            outcome = job.wish.work(lambda event: self._tell(job, event))
        except Stopped:
            pass
        except Exception:  # the thread's end: beyond it nobody would hear of a fault
            _LOG.exception("%s broke off", job.wish.request)
            outcome = Failed(_FAULT)
        finally:
            with self._changed:
                job.has_turn = False
                self._begun.discard(job)
                self._forget(job)
                if outcome is not None:
                    self._finished.put(job.wish.request, outcome)
                self._settle()

    def _tell(self, job: _Job, event: Event) -> None:
        """Keep what a job tells; hand its turn on where it has had it and others wait."""
        with self._changed:
            now = self._clock()
            if isinstance(event, Passed):
                began, before, _ = job.counted or (now, event.done, now)
                job.counted = (began, before, now)
            job.running = _after(job.running, event)
            if not self._is_watched(job) and any(map(self._waiting, self._visitors.values())):
                self._stop(job)
            if not job.stopped and (now - job.turn_began >= self._slice or self._stands_still(job)):
                job.has_turn = False
                self._settle()  # where nobody else waits it gets the turn again
                while not (job.has_turn or job.stopped):
                    if not self._changed.wait(TURNING):  # who was turning may have gone without a word
                        self._settle()
            if job.stopped:
                raise Stopped


def _after(running: Running, event: Event) -> Running:
    if isinstance(event, Stage):
        return replace(running, stage=event)
    return replace(running, passed=event) if isinstance(event, Passed) else replace(running, first=event)


def turn_order(queues: Sequence[Sequence[Request]]) -> list[Request]:
    """Return what comes when, each once: the first of every queue, then the second of every one.

    Args:
        queues: What each visitor waits for, in the order of their turns.
    """
    rounds = [request for round_ in zip_longest(*queues) for request in round_ if request is not None]
    return list(dict.fromkeys(rounds))


def time_left(done: int, to_do: int, seconds: float, since: float) -> float | None:
    """Return the seconds that the steps to do take, at the pace of those done; None where that cannot be told yet.

    Args:
        done: Steps after the first ones that were told.
        to_do: Steps left.
        seconds: How long those done took, waiting for turns included.
        since: How long ago the last was done.

    Example: 10 steps took 5 s, the last a second ago; 10 more take 5 s, of which one is over.
        >>> time_left(10, 10, 5.0, 1.0), time_left(1, 10, 0.2, 0.0)
        (4.0, None)
    """
    if done <= 0 or seconds < _SURE_AFTER:
        return None
    return max(0.0, seconds / done * to_do - since)
