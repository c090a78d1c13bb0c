r"""Score-CAM (Wang et al., CVPR workshops 2020).

Each feature map $A^k$ at the end of the last block becomes a mask $H^k = s(Up(A^k))$, resized to the image and
stretched to [0, 1] (Eq. 7 and 8). What the model says to the image under it, less what it says to a black one, is
the map's weight (Eq. 6), put through a softmax over the maps (Algorithm 1), and the map is

$L^c = \text{ReLU}(\sum_k \alpha_k^c A^k)$, $\alpha_k^c = \exp(S_k^c) / \sum_k \exp(S_k^c)$,
$S_k^c = f^c(X \circ H^k) - f^c(X_b)$.

The black image's share is the same for all maps and cancels in the softmax.

**Deviation**: Algorithm 1 calls $f^c$ the class's logit, section 3.2 asks for a value after softmax, without which
the map does not tell classes apart, and the authors' program weighs each map with the class's probability. All
three meet where $f^c = \log \Psi$, the logarithm of the probability: then $\alpha_k^c = \Psi_k / \sum_k \Psi_k$.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from explain.activations import activations
from explain.engines import Engine, EngineName, check_engine, choose_engine
from explain.explainer import explain_each
from explain.maps import rescale, resize
from explain.scoring import FirstMap, Milestones, Progress, Question, ask_about


@dataclass(frozen=True)
class ScoreCAM:
    """Score-CAM's settings, and the method.

    Args:
        layers: Names of modules, of whose outputs the last gives the feature maps; none takes the last block end of
            the network's graph.
        engine: What answers for the model; `auto` is the fastest that answers as the model does.
    """

    layers: tuple[str, ...] = ()
    engine: EngineName = "auto"

    def __post_init__(self) -> None:
        check_engine(self.engine)

    def __call__(
        self,
        model: nn.Module,
        images: Float[Tensor, "batch channels height width"],
        targets: Int[Tensor, " batch"],
    ) -> Float[Tensor, "batch height width"]:
        """Explain each image's target; float32 maps in [0, 1]."""
        return explain_each(self.explain, model, images, targets)

    def explain(
        self,
        model: nn.Module,
        image: Float[Tensor, "channels height width"],
        target: int,
        progress: Progress | None = None,
    ) -> Float[Tensor, "height width"]:
        """Explain one image's target with a network in eval mode."""
        return self.explain_targets(model, image, [target], progress)[0]

    def explain_targets(
        self,
        model: nn.Module,
        image: Float[Tensor, "channels height width"],
        targets: Sequence[int],
        progress: Progress | None = None,
    ) -> list[Float[Tensor, "height width"]]:
        """Explain several targets of one image: the masks are the same for all, and asked about once."""
        engine = choose_engine(model, image, self.engine)
        *_, (_, maps) = self._sharpening(engine, model, image, targets, progress=progress)
        return maps

    def explain_in_steps(
        self,
        model: nn.Module,
        image: Float[Tensor, "channels height width"],
        target: int,
        shares: Sequence[float] = (0.05, 0.25),
        *,
        progress: Progress | None = None,
        engine: Engine | None = None,
    ) -> Iterator[FirstMap]:
        """Yield the maps of the first features; last, the map that `explain` gives, to the byte."""
        engine = engine or choose_engine(model, image, self.engine)
        for asked, maps in self._sharpening(engine, model, image, [target], shares=shares, progress=progress):
            yield FirstMap(maps[0], asked)

    def _sharpening(
        self,
        engine: Engine,
        model: nn.Module,
        image: Float[Tensor, "channels height width"],
        targets: Sequence[int],
        *,
        shares: Sequence[float] = (),
        progress: Progress | None = None,
    ) -> Iterator[tuple[int, list[Float[Tensor, "height width"]]]]:
        """Yield how many features were asked about and each target's map by them; last, by all."""
        size = (image.shape[1], image.shape[2])
        features = varied(activations(model, image, self.layers).values()[-1].float())

        def make_masks(begin: int, end: int) -> Tensor:
            return rescale(resize(features[begin:end], size))

        def make_maps() -> list[Tensor]:
            confidences = torch.cat(answers)
            asked = features[: len(confidences)]
            coarse = torch.stack([class_activation_map(asked, confidences[:, target]) for target in targets])
            return list(rescale(resize(coarse, size)))

        answers: list[Tensor] = []
        milestones = Milestones(shares, len(features))
        for answer in ask_about(engine, [Question(image, make_masks, len(features))], progress):
            answers.append(answer.confidences)
            if milestones.reached(answer.end):
                yield answer.end, make_maps()
        nothing = [image.new_zeros(size, dtype=torch.float32) for _ in targets]
        yield len(features), make_maps() if answers else nothing


def varied(features: Float[Tensor, "maps height width"]) -> Float[Tensor, "varied height width"]:
    """Return the maps that are not constant: a constant one cannot be stretched to a mask.

    Example:
        >>> varied(torch.tensor([[[1.0, 1.0]], [[1.0, 2.0]]]))
        tensor([[[1., 2.]]])
    """
    return features[features.amax(dim=(1, 2)) > features.amin(dim=(1, 2))]


def class_activation_map(
    features: Float[Tensor, "maps height width"], confidences: Float[Tensor, " maps"]
) -> Float[Tensor, "height width"]:
    r"""Return $\text{ReLU}(\sum_k \alpha_k A^k)$ (Eq. 9 with Algorithm 1's weights), zero where no mask is answered to.

    Args:
        features: $A^k$.
        confidences: $\Psi_k$, the target's softmax probability in the image under each mask.

    Example: the second mask is answered to three times as surely as the first.
        >>> class_activation_map(torch.tensor([[[4.0, 0.0]], [[0.0, 4.0]]]), torch.tensor([0.2, 0.6]))
        tensor([[1., 3.]])
    """
    total = confidences.sum()
    weights = confidences / torch.where(total > 0, total, 1)
    return torch.einsum("k,khw->hw", weights, features).relu()
