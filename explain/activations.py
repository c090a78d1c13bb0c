"""Features and gradients at a network's block ends, taken without trace: nobody's model keeps a hook of ours.

The features come from an interpreter that walks the network's own graph and keeps what it computes there: threads
that share a model share no state here, and a failure midway leaves nothing to clean up. Where a network has no
graph, the layers are named by hand and hooked on a copy of it.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, fx, nn

from explain.block_ends import Traced, find_block_ends, trace, unavoidable
from severstal_xai.errors import InputError

Score = Callable[[Float[Tensor, "1 classes"]], Tensor]
Gradients = tuple[Float[Tensor, "_ _ _"], ...]


@dataclass(frozen=True)
class Activations:
    """One image's way through a network: the features at its block ends, and what their gradients need.

    Args:
        layers: The names of the block ends, from the image to the output.
        features: $A_k$ of each; still part of the computation that gradients go back through.
        logits: The network's answer.
    """

    layers: tuple[str, ...]
    features: tuple[Float[Tensor, "1 _ _ _"], ...]
    logits: Float[Tensor, "1 classes"]

    def gradients(self, score: Score) -> Gradients:
        r"""Return $\partial score / \partial A_k$ at each block end: one backward pass for all of them.

        Like the features they come in float32 or better, also where the network's own format is a half.
        """
        with torch.inference_mode(mode=False), torch.enable_grad():
            slopes = torch.autograd.grad(score(self.logits), self.features, retain_graph=True)
        return tuple(_precise(one[0]) for one in slopes)

    def values(self) -> tuple[Float[Tensor, "_ _ _"], ...]:
        """Return the features alone, in float32 or better."""
        return tuple(_precise(one.detach()[0]) for one in self.features)


def _precise(values: Tensor) -> Tensor:
    return values.to(torch.promote_types(values.dtype, torch.float32))


def number_format(model: nn.Module) -> torch.dtype:
    """Return the format of the model's weights, which its images must have; float32 where it has none."""
    return next((value.dtype for value in model.parameters() if value.is_floating_point()), torch.float32)


def resting(model: nn.Module) -> nn.Module:
    """Return the model if it is in eval mode, else a copy that is: nobody's model changes its mode."""
    if any(module.training for module in model.modules()):
        return copy.deepcopy(model).eval()
    return model


def at_least_single(model: nn.Module) -> nn.Module:
    """Return the model if its weights are in float32 or better, else a copy in float32: libraries know no bfloat16."""
    if torch.finfo(number_format(model)).bits < torch.finfo(torch.float32).bits:
        return copy.deepcopy(model).float()
    return model


def log_confidence(target: int) -> Score:
    r"""Return the score $\log \Psi$: the logarithm of the target's softmax probability, in float64.

    **Deviation**: Eq. 4 of SISE takes the gradient of the probability itself, which in float32 is exactly 0
    where softmax saturates. The logarithm's is the same but for one positive factor, $1 / \Psi$.
    """
    return lambda logits: logits.double().log_softmax(dim=1)[0, target]


def logit(target: int) -> Score:
    """Return the score that is the target's logit, in float64."""
    return lambda logits: logits.double()[0, target]


def activations(
    model: nn.Module, image: Float[Tensor, "channels height width"], layers: Sequence[str] = ()
) -> Activations:
    """Send an image through a network and keep its block ends' features.

    Args:
        model: A network in eval mode.
        image: The model-ready image.
        layers: The names of the modules whose outputs are the block ends; none lets the network's graph tell.

    Raises:
        InputError: The network has no graph and no layers are named, or a name is no module's.
    """
    with torch.inference_mode(mode=False), torch.enable_grad():
        # The image requires a gradient so that the features do, also where the weights are frozen.
        batch = _batch_of(model, image).requires_grad_()
        return _named(model, batch, layers) if layers else _traced(model, batch)


def activations_alone(model: nn.Module, image: Float[Tensor, "channels height width"]) -> Activations:
    """Do as `activations`, and keep nothing that gradients need: a third less work.

    Args:
        model: A network in eval mode.
        image: The model-ready image.

    Raises:
        InputError: The network has no graph, or no block in it.
    """
    with torch.inference_mode(mode=False), torch.no_grad():
        return _traced(model, _batch_of(model, image))


def _batch_of(model: nn.Module, image: Tensor) -> Tensor:
    return image.detach().to(number_format(model), copy=True)[None]


def _traced(model: nn.Module, batch: Tensor) -> Activations:
    traced = graph_of(model)
    walk = _Walk(traced)
    logits = walk.run(batch)
    block_ends = find_block_ends(traced, {node: value.shape for node, value in walk.kept.items()})
    if not block_ends:
        raise InputError(
            f"{type(model).__name__} has no block end, expected a convolution and a pooling after it, "
            "or layers=('NAME', ...)"
        )
    return Activations(
        tuple(node.name for node in block_ends), tuple(walk.kept[node] for node in block_ends), logits
    )


def graph_of(model: nn.Module) -> Traced:
    """Return the network as a graph, over its own weights.

    Raises:
        InputError: torch.fx cannot trace it.
    """
    try:
        return trace(model)
    except Exception as error:  # whatever its code does to a value that is not there yet
        raise InputError(
            f"{type(model).__name__}: its block ends cannot be found ({_in_a_line(error)}), "
            "expected a network that torch.fx can trace, or layers=('NAME', ...) for SISE and Ada-SISE"
        ) from error


class _Walk(fx.Interpreter):
    """Runs a graph and keeps the tensors that block ends can be."""

    def __init__(self, traced: Traced) -> None:
        super().__init__(traced.module, graph=traced.graph)
        self.kept: dict[fx.Node, Tensor] = {}
        self._looked_at = set(unavoidable(traced.graph))
        self.extra_traceback = False  # an exception of the model passes as it is

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if n in self._looked_at and isinstance(value, Tensor):
            self.kept[n] = value
        return value


def _some_of(names: Sequence[str]) -> str:
    """Name a few of many.

    Example:
        >>> _some_of(["conv1", "bn1"]), _some_of([f"layer{place}" for place in range(62)])
        ('conv1, bn1', 'layer0, layer1, layer2, layer3, layer4, layer5 … 62 names')
    """
    shown = ", ".join(names[:_SHOWN_NAMES])
    return shown if len(names) <= _SHOWN_NAMES else f"{shown} … {len(names)} names"


_SHOWN_NAMES = 6


def _named(model: nn.Module, batch: Tensor, layers: Sequence[str]) -> Activations:
    """Hook the named modules of a copy: the model itself may be in use elsewhere."""
    copied = copy.deepcopy(model)
    modules = dict(copied.named_modules())
    kept: dict[str, Tensor] = {}
    for name in layers:
        if name not in modules or not name:
            raise InputError(
                f"layers: {name!r} is no module of {type(model).__name__}, expected one of {_some_of(list(filter(None, modules)))}"
            )
        modules[name].register_forward_hook(_keep_in(kept, name))
    logits = copied(batch)
    for name in layers:
        if name not in kept or kept[name].ndim != 4:
            raise InputError(f"layers: {name!r} gives no feature maps, expected a module that does")
    return Activations(tuple(layers), tuple(kept[name] for name in layers), logits)


def _keep_in(kept: dict[str, Tensor], name: str) -> Callable[[nn.Module, Any, Any], None]:
    def keep(_module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            kept[name] = output

    return keep


def _in_a_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
