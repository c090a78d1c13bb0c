"""What training makes small: the paper's cross-entropy, or a loss that minds uneven classes."""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor
from torch.nn.functional import cross_entropy

from training.settings import Loss

Objective = Callable[[Float32[Tensor, "patches classes"], Int64[Tensor, " patches"]], Float[Tensor, ""]]


def objective(settings: Loss, counts: Mapping[int, int], classes: int) -> Objective:
    r"""Return the mean over a batch's patches of $w_y \, (1 - p_y)^\gamma \, H$.

    $H$ is the cross-entropy in nats, with smoothed labels where they are wanted (Szegedy et al., CVPR 2016, section 7);
    $p_y$ the probability of the patch's class $y$, $\gamma$ the focal loss's (Lin et al., ICCV 2017, Eq. 4), $w_y$ the
    weight of the class. It is a mean over patches, not over weights, so that the parts of a batch which several
    processes have add up to the whole's.

    Args:
        settings: The loss's.
        counts: The training patches of each class.
        classes: How many classes there are.
    """
    weights = class_weights(settings, counts, classes)

    def loss(
        logits: Float32[Tensor, "patches classes"], labels: Int64[Tensor, " patches"]
    ) -> Float[Tensor, ""]:
        each = cross_entropy(logits, labels, label_smoothing=settings.label_smoothing, reduction="none")
        if settings.focal_gamma:
            sure = logits.softmax(dim=1).gather(1, labels[:, None])[:, 0]
            each = (1 - sure) ** settings.focal_gamma * each
        return (weights.to(each.device)[labels] * each).mean()

    return loss


def class_weights(settings: Loss, counts: Mapping[int, int], classes: int) -> Float32[Tensor, " classes"]:
    """Return the weight of each class.

    `balanced` gives every class the same share of the loss: a patch's weight is one over its class's share of the
    training patches, divided by the number of classes that occur; over the training patches the mean weight is 1.

    Example:
        >>> class_weights(Loss("balanced", 0.0, 0.0), {0: 6, 1: 2}, 3)
        tensor([0.6667, 2.0000, 0.0000])
    """
    if settings.class_weights == "none":
        return torch.ones(classes)
    if settings.class_weights == "balanced":
        occurring = {label: count for label, count in counts.items() if count}
        total = sum(occurring.values())
        balanced = [
            total / (len(occurring) * occurring[label]) if label in occurring else 0.0
            for label in range(classes)
        ]
        return torch.tensor(balanced)
    return torch.tensor(settings.class_weights)
