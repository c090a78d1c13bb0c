"""The sanity check by cascading randomisation: does a map change when what the network learnt is taken from it?

Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018; the SISE paper's Fig. 11 and 13. From the output to the image, the
trained parameters are replaced by those of an untrained network, part after part. A map that stays as it was shows the image
and not what the network learnt. At the end of the cascade stands the untrained network itself.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass

from jaxtyping import Float
from skimage.metrics import structural_similarity
from torch import Tensor, nn

from explain.budget import rank_correlation


@dataclass(frozen=True)
class Similarity:
    """How alike two maps are.

    Args:
        spearman: The rank correlation of their pixels, -1 to 1; 0 where one of them is constant.
        ssim: The structural similarity (Wang et al., IEEE Transactions on Image Processing 2004), 1 for equal maps.
    """

    spearman: float
    ssim: float


def similarity(first: Float[Tensor, "height width"], second: Float[Tensor, "height width"]) -> Similarity:
    """Tell how alike two maps in [0, 1] are."""
    return Similarity(
        spearman=rank_correlation(first, second),
        ssim=float(structural_similarity(first.double().numpy(), second.double().numpy(), data_range=1.0)),
    )


def parts_of(model: nn.Module) -> list[str]:
    """Return the names of a network's parts that have parameters, from the output to the image.

    A part is a module at the top; of a plain sequence of layers each layer is one.

    Example:
        >>> plain = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), nn.Conv2d(2, 2, 1))
        >>> parts_of(nn.ModuleDict({"features": plain, "head": nn.Linear(2, 5)}))
        ['head', 'features.2', 'features.0']
    """
    names = []
    for name, child in model.named_children():
        inner = list(child.named_children())
        if inner and not any(any(one.children()) for _, one in inner):
            names += [f"{name}.{place}" for place, one in inner if any(True for _ in one.parameters())]
        elif any(True for _ in child.parameters()):
            names.append(name)
    return names[::-1]


def cascade(trained: nn.Module, untrained: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield copies of a network in which ever more parts are those of an untrained one, each with the part that came last.

    Args:
        trained: The network; it is left as it is.
        untrained: One of the same architecture with random weights.
    """
    mixed = copy.deepcopy(trained)
    fresh = untrained.state_dict()
    for part in parts_of(trained):
        module = mixed.get_submodule(part)
        prefix = f"{part}."
        state = {name.removeprefix(prefix): value for name, value in fresh.items() if name.startswith(prefix)}
        module.load_state_dict(state)
        yield part, copy.deepcopy(mixed)
