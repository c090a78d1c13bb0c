"""What an epoch's steps came to, summed up."""

import dataclasses
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor
from torchmetrics import Metric

from severstal_xai.errors import InputError


@dataclass(frozen=True)
class Fit:
    """How well a network fits patches.

    Args:
        loss: Mean loss, in nats.
        top1: Share of patches, 0 to 1, whose class is the most probable one.
        count: Patches.
    """

    loss: float
    top1: float
    count: int


@dataclass(frozen=True)
class Tally:
    """Sums over the patches of an epoch's steps so far.

    Args:
        sums: Of the losses, of the patches that were classified right, and of the patches; on the loss's device.
        steps: How many steps.
    """

    sums: Float64[Tensor, "3"] = dataclasses.field(
        default_factory=lambda: torch.zeros(3, dtype=torch.float64)
    )
    steps: int = 0

    def plus(self, loss: Tensor, right: Tensor, patches: int) -> "Tally":
        """Add a step: its mean loss, how many of its patches were right, and how many it had."""
        step = torch.stack(
            [loss.detach().double() * patches, right.double(), torch.full_like(right, patches)]
        )
        return Tally(self.sums.to(step.device) + step, self.steps + 1)

    @property
    def count(self) -> int:
        """Patches so far."""
        return int(self.sums[2])

    def of_all(self) -> "Tally":
        """Return the sums of all processes that train together; they all must ask for it."""
        counted = _Counted(self.sums)
        return dataclasses.replace(self, sums=counted.compute())

    def check_finite(self) -> None:
        """Refuse sums that are no finite numbers; steps count from 1."""
        if not self.sums.isfinite().all():
            raise InputError(
                f"step {self.steps}: the loss is {self.sums[0].item()}, expected a finite number; "
                "try a lower learning_rate"
            )

    def fit(self) -> Fit:
        """Return the means.

        Example:
            >>> Tally(torch.tensor([10.0, 3.0, 4.0], dtype=torch.float64), steps=2).fit()
            Fit(loss=2.5, top1=0.75, count=4)
        """
        loss, right, patches = self.sums.tolist()
        return Fit(loss / patches, right / patches, int(patches))


class _Counted(Metric):
    """Sums that torchmetrics adds up over the processes when they are asked for.

    Args:
        sums: This process's.
    """

    full_state_update = False
    sums: Tensor

    def __init__(self, sums: Float64[Tensor, "3"]) -> None:
        super().__init__()
        self.add_state("sums", default=torch.zeros_like(sums), dist_reduce_fx="sum")
        self.update(sums)

    def update(self, sums: Float64[Tensor, "3"]) -> None:
        """Count more."""
        self.sums = self.sums + sums

    def compute(self) -> Float64[Tensor, "3"]:
        """Return the sums."""
        return self.sums
