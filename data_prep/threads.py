"""Many small tasks on a few threads, with memory for a few of them only."""

import os
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


def run_bounded(
    work: Callable[[Task], Result], tasks: Iterable[Task], workers: int
) -> Generator[Result, None, None]:
    """Yield the results of the tasks, as they come, from threads; only a few tasks are under way at once.

    Threads, since decoding, encoding and hashing release the interpreter; they end with their process.

    Args:
        work: What to do with a task.
        tasks: The tasks.
        workers: How many threads; 0 is one for each core.
    """
    count = workers or os.cpu_count() or 1
    waiting = iter(tasks)
    with ThreadPoolExecutor(count) as pool:
        try:
            running = {pool.submit(work, task) for task in islice(waiting, 4 * count)}
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                running |= {pool.submit(work, task) for task in islice(waiting, len(done))}
                yield from (future.result() for future in done)
        finally:
            pool.shutdown(cancel_futures=True)
