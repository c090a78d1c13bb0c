"""The layers that SISE looks at, for any CNN: a question to its graph, answered without a table of names.

SISE (Sattarzadeh et al., AAAI 2021, section "Block-Wise Feature Explanation") visualises "the inputs of the
pooling layers", since a signal can skip a residual layer but not a pooling one. In a network's graph:

- the values that every path from the image to the output passes through are the output's dominators;
- where the spatial size falls from one of them to the next, by pooling, by stride or by a global pooling, the
  last one at the old size ends a block;
- a block convolves: where a size falls again with no convolution in between (VGG's adaptive pooling after its
  last max-pooling, for images other than 224 x 224), no further block has ended;
- a flatten is no pooling, and the image itself ends no block.
"""

import copy
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import networkx as nx
import torch
from torch import fx, nn

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d)


@dataclass(frozen=True)
class Traced:
    """A network as a graph.

    Args:
        module: What the graph's names mean: a stand-in for the network, over its own modules and weights.
        graph: What is computed.
    """

    module: nn.Module
    graph: fx.Graph


def trace(model: nn.Module) -> Traced:
    """Return the network as a graph; the network is left as it was.

    It is a stand-in that is traced: a tensor that the network's code makes becomes an attribute of it. No
    `GraphModule` is made of the graph: of each, Python would keep the source for ever.

    Raises:
        fx.proxy.TraceError: The network's flow depends on its data.
    """
    stand_in = copy.copy(model)
    with _TRACING:
        return Traced(stand_in, _OwnThread().trace(stand_in))


_TRACING = threading.Lock()
"""Two traces at once would undo each other's patches of `nn.Module` in the wrong order."""


class _OwnThread(fx.Tracer):
    """A tracer that sees its own thread alone.

    While it traces, torch.fx patches the calls of all modules in the process. Another thread that asks a model at
    that moment comes through here, and must get the model's answer, not a line in our graph.
    """

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        if threading.get_ident() != self._thread:
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        if threading.get_ident() != self._thread:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)


def find_block_ends(traced: Traced, shapes: Mapping[fx.Node, torch.Size]) -> list[fx.Node]:
    """Return the block ends' nodes of a traced network, from the image to the output.

    Args:
        traced: The network.
        shapes: The shapes that its unavoidable values have for an image; values that are no tensors have none.
    """
    block_ends: list[fx.Node] = []
    last = next(iter(traced.graph.nodes))
    for value, following in pairwise(unavoidable(traced.graph)):
        shrinks = _shrinks(shapes.get(value), shapes.get(following))
        if value.op != "placeholder" and shrinks and _convolves(traced, last, value):
            block_ends.append(value)
            last = value
    return block_ends


def unavoidable(graph: fx.Graph) -> list[fx.Node]:
    """Return the nodes on every path from the image to the output, in that order: the output's dominators."""
    flow = nx.DiGraph(
        (source, user) for source in graph.nodes if not _asks_size(source) for user in source.users
    )
    image = next(node for node in graph.nodes if node.op == "placeholder")
    node = next(node for node in graph.nodes if node.op == "output")
    dominators = nx.immediate_dominators(flow, image)
    chain = [node]
    while node is not image:
        node = dominators[node]
        chain.append(node)
    return chain[::-1]


def _asks_size(node: fx.Node) -> bool:
    """Whether a node is `x.size(0)` or `x.shape`: what flows on from there is a number, not the image."""
    if node.op == "call_method":
        return node.target in {"size", "dim", "numel"}
    return node.target is getattr and node.args[1] in {"shape", "ndim"}


def _shrinks(before: torch.Size | None, after: torch.Size | None) -> bool:
    if before is None or after is None or len(before) != 4:
        return False
    if len(after) == 4:
        return after[2] * after[3] < before[2] * before[3]
    return after.numel() < before.numel()  # a mean over the pixels; a flatten keeps them all


def _convolves(traced: Traced, begin: fx.Node, end: fx.Node) -> bool:
    """Whether a convolution lies after `begin` and not after `end`, in the order of execution."""
    order = list(traced.graph.nodes)
    return any(_is_convolution(traced, node) for node in order[order.index(begin) + 1 : order.index(end) + 1])


def _is_convolution(traced: Traced, node: fx.Node) -> bool:
    if node.op == "call_module":
        return isinstance(traced.module.get_submodule(str(node.target)), _CONVOLUTIONS)
    return node.target in {torch.conv2d, torch.nn.functional.conv2d}
