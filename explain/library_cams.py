"""pytorch-grad-cam's methods, asked about a copy of the network that is ours alone; the one module that knows it.

The library hooks modules, switches modes and calls `backward`. In anybody's model that would leave hooks, a mode
and gradients behind, and mix up threads. So each map has a copy of its own:

- its modules are its own, one for each call, in the order of the calls. Whatever the library leaves on them, also
  after a failure, is thrown away with them. FullGrad pairs the biases, in the modules' order, with the gradients, in
  the calls' order: here the two are the same, also where a module is called twice.
- its weights are the model's own memory, so that a copy of ResNet-101 costs no 170 MB, but require no gradient:
  no weight gets a `.grad`, and `backward` goes no farther than to what the method asks for.
"""

import copy
import operator
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, fx, nn

from explain.activations import activations, at_least_single, block_ends, graph_of, logit
from explain.maps import rescale

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
    last = block_ends(model, image)[-1]
    with torch.inference_mode(mode=False), torch.enable_grad():
        network = own_copy(model)
        network.watch(last, _FEATURES_UNIT[method])
        return _answer(getattr(_import(), method)(network, [network.watched]), image, target, 1.0)


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
        return _answer(_import().FullGrad(own_copy(at_least_single(model)), []), image, target, _SCORE_UNIT)


def _answer(cam: Any, image: Tensor, target: int, unit: float) -> Tensor:
    score = logit(target)
    saliency = cam(image.detach().clone()[None], [lambda logits: unit * score(logits[None])])[0]
    return rescale(torch.from_numpy(saliency)).to(image.device)


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
    seen = activations(model, image)
    network = own_copy(model)
    network.watch(seen.layers[-1], 1.0)
    cam = _import().ScoreCAM(network, [network.watched])
    cam.batch_size = batch
    score = logit(target)
    cam.get_cam_weights(
        image[None],
        network.watched,
        [lambda logits: score(logits[None])],
        seen.values()[-1][None, :maps].cpu().numpy(),
        None,
    )


class Copy(nn.Module):
    """A network's graph, walked node by node, over modules of its own."""

    def __init__(self, graph: fx.Graph) -> None:
        super().__init__()
        self.graph = graph
        self.watched = nn.Identity()

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Answer as the network does."""
        walk = fx.Interpreter(self, graph=self.graph)
        walk.extra_traceback = False  # an exception of the model passes as it is
        logits: Tensor = walk.run(images)
        return logits

    def watch(self, name: str, unit: float) -> None:
        """Let the value of a node pass through the module `watched`, in a unit; gradients go back to there alone."""
        node = next(node for node in self.graph.nodes if node.name == name)
        with self.graph.inserting_after(node):
            shown = self.graph.call_function(_begin_gradients, (node, unit))
        with self.graph.inserting_after(shown):
            watched = self.graph.call_module("watched", (shown,))
        with self.graph.inserting_after(watched):
            back = self.graph.call_function(operator.mul, (watched, unit))
        node.replace_all_uses_with(back, delete_user_cb=lambda user: user is not shown)


def _begin_gradients(features: Tensor, unit: float) -> Tensor:
    return (features.detach() / unit).requires_grad_()


def own_copy(model: nn.Module) -> Copy:
    """Copy a network's graph and modules, over the same weights, which require no gradient in the copy.

    Raises:
        InputError: The network has no graph.
    """
    traced = graph_of(model)
    shared: dict[int, Any] = {id(one): one.detach() for one in traced.module.buffers()}
    shared |= {id(one): nn.Parameter(one.detach(), requires_grad=False) for one in traced.module.parameters()}
    graph = fx.Graph()
    graph.output(graph.graph_copy(traced.graph, {}))
    copied = Copy(graph)
    for node in graph.nodes:
        if node.op in {"call_module", "get_attr"}:
            original = operator.attrgetter(str(node.target))(traced.module)
            node.target = f"at_{node.name}"
            # What stands in deepcopy's memo counts as copied; a fresh one for each call makes fresh modules.
            setattr(copied, node.target, copy.deepcopy(original, dict(shared)))
    return copied
