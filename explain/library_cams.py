"""pytorch-grad-cam's methods, asked about a copy of the network that is ours alone; the one module that knows it.

The library hooks modules, switches modes and calls `backward`. In anybody's model that would leave hooks, a mode
and gradients behind, and mix up threads. So each map has a copy of its own:

- its modules are its own, one for each call, in the order of the calls. Whatever the library leaves on them, also
  after a failure, is thrown away with them. FullGrad pairs the biases, in the modules' order, with the gradients, in
  the calls' order: here the two are the same, also where a module is called twice.
- its weights are the model's own memory, so that a copy of ResNet-101 costs no 170 MB, but require no gradient:
  no weight gets a `.grad`.

A method that looks at the last block is shown the network's tail alone, what it does with that block's features: its
gradients are there, and the way to it need not be gone a second time.
"""

import copy
import operator
from collections.abc import Iterable
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, fx, nn

from explain.activations import activations_alone, at_least_single, graph_of, logit
from explain.maps import rescale, resize

LastBlockMethod = Literal["GradCAM", "GradCAMPlusPlus", "XGradCAM", "LayerCAM"]
"""Methods that weigh the feature maps at the end of the last block, by the library's names."""

_FEATURES_UNIT: dict[LastBlockMethod, float] = {
    "GradCAM": 1.0,
    "GradCAMPlusPlus": 2.0**20,
    "XGradCAM": 2.0**-20,
    "LayerCAM": 1.0,
}
_SCORE_UNIT = 2.0**40
"""The units in which the library is shown features or scores; powers of two, so that no digit is lost.

The library guards its divisions by adding 1e-6 or 1e-7 to the divisor. Beside the gradients of a mean over many
pixels, or their squares, that is not small: in our own units it changes a Grad-CAM++ of a trained network by up to
0.07. The features' unit is the smaller, since Grad-CAM++ takes third powers of the gradients, in float32. XGrad-CAM
divides by the sum of a feature map, which its unit makes large.
"""


def last_block_map(
    method: LastBlockMethod, model: nn.Module, image: Float[Tensor, "channels height width"], target: int
) -> Float[Tensor, "height width"]:
    r"""Explain the target's logit $y$ by the features $A$ at the end of the last block.

    The library sees $A / u$ and $u \, \partial y / \partial A$, $u$ the unit: the same map, by all of its methods.

    Args:
        method: The library's method.
        model: A network in eval mode that torch.fx can trace.
        image: The model-ready image.
        target: The class.

    Returns:
        The positive part, resized bilinearly to the image's size, in [0, 1]; zeros where it is constant.

    Raises:
        InputError: The network has no graph, or no block in it.
    """
    model = at_least_single(model)
    seen = activations_alone(model, image)
    with torch.inference_mode(mode=False), torch.enable_grad():
        unit = torch.tensor(_FEATURES_UNIT[method], device=image.device)
        network = own_tail(model, seen.layers[-1], unit)
        cam = getattr(_import(), method)(network, [network.watched])
        saliency = _answer(cam, (seen.features[-1] / unit).requires_grad_(), target, 1.0)
        return rescale(resize(saliency[None], (image.shape[1], image.shape[2]))[0])


def full_gradient_map(
    model: nn.Module, image: Float[Tensor, "channels height width"], target: int
) -> Float[Tensor, "height width"]:
    """Explain the target's logit by the gradients of the image and of all biases that have a place in it.

    Args:
        model: A network in eval mode that torch.fx can trace.
        image: The model-ready image.
        target: The class.

    Returns:
        The map, in [0, 1]; zeros where it is constant.

    Raises:
        InputError: The network has no graph.
    """
    with torch.inference_mode(mode=False), torch.enable_grad():
        cam = _import().FullGrad(own_copy(at_least_single(model)), [])
        return rescale(_answer(cam, image.detach().clone()[None], target, _SCORE_UNIT))


def _answer(cam: Any, batch: Tensor, target: int, unit: float) -> Tensor:
    """Return the library's map, at the size of what its network is given."""
    score = logit(target)
    saliency = cam(batch, [lambda logits: unit * score(logits[None])])[0]
    return torch.from_numpy(saliency).to(batch.device)


def _import() -> Any:
    import pytorch_grad_cam  # noqa: PLC0415 -- it brings scikit-learn and pyplot, seconds that not everyone needs

    return pytorch_grad_cam


def ask_about_masks(
    model: nn.Module, image: Float[Tensor, "channels height width"], target: int, maps: int, batch: int
) -> None:
    """Let the library's own Score-CAM ask the network about the first masks of the last block: for its speed.

    Args:
        model: A network in eval mode that torch.fx can trace.
        image: The model-ready image.
        target: The class.
        maps: How many masks.
        batch: How many of them in a forward pass.
    """
    features = activations_alone(model, image).values()[-1][None, :maps]
    cam = _import().ScoreCAM(own_copy(model), [])
    cam.batch_size = batch
    score = logit(target)
    cam.get_cam_weights(image[None], None, [lambda logits: score(logits[None])], features.cpu().numpy(), None)


class Copy(nn.Module):
    """A network's graph, walked node by node, over modules of its own."""

    def __init__(self, graph: fx.Graph) -> None:
        super().__init__()
        self.graph = graph

    def forward(self, values: Float[Tensor, "batch _ _ _"]) -> Float[Tensor, "batch classes"]:
        """Answer as the network does, to images or to features."""
        walk = fx.Interpreter(self, graph=self.graph)
        walk.extra_traceback = False  # an exception of the model passes as it is
        logits: Tensor = walk.run(values)
        return logits


def own_copy(model: nn.Module) -> Copy:
    """Copy a network's graph and modules, over the same weights, which require no gradient in the copy.

    Raises:
        InputError: The network has no graph.
    """
    traced = graph_of(model)
    graph = fx.Graph()
    graph.output(graph.graph_copy(traced.graph, {}))
    return _over_own_modules(graph, traced.module)


def own_tail(model: nn.Module, layer: str, unit: Float[Tensor, ""]) -> Copy:
    """Copy what a network does with the features at a block's end; they pass through the module `watched` first.

    Args:
        model: A network in eval mode.
        layer: The block end's name in the network's graph.
        unit: The one in which the copy is given the features. It is a parameter of the copy: the library asks one for its device,
            and a tail need have no other.

    Raises:
        InputError: The network has no graph.
    """
    traced = graph_of(model)
    nodes = list(traced.graph.nodes)
    begin = next(node for node in nodes if node.name == layer)
    graph = fx.Graph()
    watched = graph.call_module("watched", (graph.placeholder("features"),))
    copies = {begin: graph.call_function(operator.mul, (watched, graph.get_attr("unit")))}
    needed = _needed(nodes[-1].all_input_nodes, begin)
    for node in nodes:
        if node in needed:
            copies[node] = graph.node_copy(node, copies.__getitem__)
    graph.output(fx.map_arg(nodes[-1].args[0], copies.__getitem__))
    tail = _over_own_modules(graph, traced.module)
    tail.watched, tail.unit = nn.Identity(), nn.Parameter(unit, requires_grad=False)
    return tail


def _needed(wanted: Iterable[fx.Node], begin: fx.Node) -> set[fx.Node]:
    """Return the nodes whose values are needed for those that are wanted where that of one node is known."""
    needed: set[fx.Node] = set()
    left = list(wanted)
    while left:
        node = left.pop()
        if node is not begin and node not in needed:
            needed.add(node)
            left += node.all_input_nodes
    return needed


def _over_own_modules(graph: fx.Graph, module: nn.Module) -> Copy:
    shared: dict[int, Any] = {id(one): one.detach() for one in module.buffers()}
    shared |= {id(one): nn.Parameter(one.detach(), requires_grad=False) for one in module.parameters()}
    copied = Copy(graph)
    for node in graph.nodes:
        if node.op in {"call_module", "get_attr"} and node.target not in {"watched", "unit"}:
            original = operator.attrgetter(str(node.target))(module)
            node.target = f"at_{node.name}"
            # What stands in deepcopy's memo counts as copied; a fresh one for each call makes fresh modules.
            setattr(copied, node.target, copy.deepcopy(original, dict(shared)))
    return copied
