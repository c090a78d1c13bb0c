"""Features and gradients at a network's block ends, taken without a hook, so without trace.

The features come back as outputs of a second graph over the same weights: threads that share a model share
no state here, and a failure midway leaves nothing to clean up.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, fx, nn

from explain.block_ends import find_block_ends, trace

Score = Callable[[Float[Tensor, "1 classes"], int], Tensor]


@dataclass(frozen=True)
class BlockFeatures:
    r"""One block end's feature maps for one image, and the score's gradient there.

    Args:
        layer: The name of the value in the network's graph.
        features: $A_k$.
        gradients: $\partial score / \partial A_k$.
    """

    layer: str
    features: Float[Tensor, "maps height width"]
    gradients: Float[Tensor, "maps height width"]


def resting(model: nn.Module) -> nn.Module:
    """Return the model if it is in eval mode, else a copy that is: nobody's model changes its mode."""
    if any(module.training for module in model.modules()):
        return copy.deepcopy(model).eval()
    return model


def log_confidence(logits: Float[Tensor, "1 classes"], target: int) -> Tensor:
    r"""Return the logarithm of the target's softmax probability, in float64.

    **Deviation**: Eq. 4 of SISE takes the gradient of the probability itself, which in float32 is exactly 0
    where softmax saturates. The logarithm's is the same but for one positive factor, $1 / \Psi$.
    """
    return logits.double().log_softmax(dim=1)[0, target]


def logit(logits: Float[Tensor, "1 classes"], target: int) -> Tensor:
    """Return the target's logit, in float64."""
    return logits.double()[0, target]


def features_and_gradients(
    model: nn.Module, image: Float[Tensor, "channels height width"], target: int, scores: Sequence[Score]
) -> list[list[BlockFeatures]]:
    """Return every block end's features with each score's gradients: one forward, one backward pass a score.

    Args:
        model: A network in eval mode.
        image: The model-ready image.
        target: The class whose score is differentiated.
        scores: What to differentiate, functions of the logits.

    Returns:
        One list a score, of one record a block end, from the image to the output.
    """
    with torch.inference_mode(mode=False), torch.enable_grad():
        # The image requires a gradient so that the features do, also where the weights are frozen.
        batch = image.detach().clone()[None].requires_grad_()
        traced = trace(model)
        block_ends = find_block_ends(traced, batch.detach())
        logits, *features = _returning(traced, block_ends)(batch)
        return [
            _differentiate(score(logits, target), features, [node.name for node in block_ends])
            for score in scores
        ]


def _returning(traced: fx.GraphModule, nodes: Sequence[fx.Node]) -> fx.GraphModule:
    """Return a graph over the same weights whose outputs are the network's and the nodes' values."""
    output = next(node for node in traced.graph.nodes if node.op == "output")
    output.args = ((output.args[0], *nodes),)
    traced.recompile()
    return traced


def _differentiate(score: Tensor, features: Sequence[Tensor], layers: Sequence[str]) -> list[BlockFeatures]:
    gradients = torch.autograd.grad(score, features, retain_graph=True)
    return [
        BlockFeatures(layer, values.detach()[0], slopes[0])
        for layer, values, slopes in zip(layers, features, gradients, strict=True)
    ]
