"""The processes that explain together: `accelerate launch -m explain …` starts several, on one machine or more.

Each takes every n-th image and writes its maps into the common folder; one alone, started without `accelerate`, is
a company of one and pays nothing for it. On CPUs several want the launcher's `--multi_gpu`: with `--cpu` it starts one.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import torch

from severstal_xai.errors import InputError

if TYPE_CHECKING:
    from accelerate import PartialState

Item = TypeVar("Item")


@dataclass(frozen=True)
class Company:
    """This process among those that were launched together.

    Args:
        index: Its place, from 0.
        count: How many there are.
        device: Where its model runs.
        state: What connects them; None for one alone.
    """

    index: int
    count: int
    device: torch.device
    state: "PartialState | None" = None

    @property
    def leads(self) -> bool:
        """Whether this process does what is done once."""
        return self.index == 0

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return this process's part of the work.

        Example:
            >>> Company(1, 3, torch.device("cpu")).share("abcdefg")
            'be'
        """
        return items[self.index :: self.count]

    def wait(self) -> None:
        """Wait until all processes have come here."""
        if self.state:
            self.state.wait_for_everyone()

    def gather(self, items: Sequence[Item]) -> list[Item]:
        """Return the items of all processes, to all of them."""
        if not self.state:
            return list(items)
        from accelerate.utils import gather_object  # noqa: PLC0415

        gathered: list[Item] = gather_object(list(items))
        return gathered


def join(wanted: str) -> Company:
    """Return this process's company.

    Args:
        wanted: The device: `cpu`, `cuda`, or `auto`, which takes a CUDA GPU where there is one; in company each
            process takes its own.

    Raises:
        InputError: A GPU is wanted where there is none.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise InputError("device is cuda, expected cpu or auto: there is no usable CUDA GPU")
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        cuda = wanted != "cpu" and torch.cuda.is_available()
        return Company(0, 1, torch.device("cuda" if cuda else "cpu"))
    from accelerate import PartialState  # noqa: PLC0415 -- seconds of start-up that one alone need not pay

    state = PartialState(cpu=wanted == "cpu" or not torch.cuda.is_available())
    return Company(state.process_index, state.num_processes, state.device, state)
