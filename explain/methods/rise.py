r"""RISE: randomized input sampling for explanation (Petsiuk et al., BMVC 2018).

The model is a black box: it is asked about copies of the image under masks drawn by lot, and a pixel is the more
important, the surer the model is of the copies in which the pixel can be seen:

$S(\lambda) = \frac{1}{\mathbb{E}[M] \cdot N} \sum_{i=1}^N \Psi(I \odot M_i) \, M_i(\lambda)$.

A mask is a grid of $h \times w$ cells, each open with the probability $p$, enlarged bilinearly to
$(h + 1) C_H \times (w + 1) C_W$ pixels, of which a window of the image's size is cut at a place drawn by lot,
up to $(C_H, C_W)$ (section 3.2).

**Deviation**: the cell's size $C_H$ is $H / h$ rounded up, not down: rounded down, the window does not fit.

$\mathbb{E}[M]$ is $p$ at every pixel, not the share of masks in which this pixel was open by lot: where the model
says much the same to all masks, the map shows the masks' own unevenness.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from explain.engines import Engine, EngineName, check_engine, choose_engine
from explain.explainer import explain_each
from explain.maps import rescale, resize
from explain.scoring import FirstMap, Milestones, Progress, Question, ask_about
from severstal_xai.errors import check_range

_ROUNDING = 1e-6
"""Answers that differ by less, as a share of the largest, differ by float32's rounding alone."""


@dataclass(frozen=True)
class RISE:
    r"""RISE's settings, and the method.

    Args:
        masks: $N$. 4000 is the paper's for VGG16, and SISE's paper's; RISE's takes 8000 for ResNet-50.
        cells: $h = w$, cells of a mask to each side; 7 is the paper's.
        probability: $p$, with which a cell lets the image through, in (0, 1]; 0.5 is the paper's.
        seed: Of the lot that draws the masks.
        engine: What answers for the model; `auto` is the fastest that answers as the model does.
    """

    masks: int = 4000
    cells: int = 7
    probability: float = 0.5
    seed: int = 0
    engine: EngineName = "auto"

    def __post_init__(self) -> None:
        check_range("masks", self.masks, 1)
        check_range("cells", self.cells, 1)
        check_range("probability", self.probability, 0, 1, above=True)
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
        """Explain several targets of one image: the masks are the same for all, and asked about once.

        Returns:
            A map for each target; all zero where the model gives the same answer to every mask.
        """
        engine = choose_engine(model, image, self.engine)
        *_, (_, maps) = self._sharpening(engine, image, targets, progress=progress)
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
        """Yield the maps of the first masks; last, the map that `explain` gives, to the byte."""
        engine = engine or choose_engine(model, image, self.engine)
        for asked, maps in self._sharpening(engine, image, [target], shares=shares, progress=progress):
            yield FirstMap(maps[0], asked)

    def _sharpening(
        self,
        engine: Engine,
        image: Float[Tensor, "channels height width"],
        targets: Sequence[int],
        *,
        shares: Sequence[float] = (),
        progress: Progress | None = None,
    ) -> Iterator[tuple[int, list[Float[Tensor, "height width"]]]]:
        """Yield how many masks were asked about and each target's map by them; last, by all."""
        size = (image.shape[1], image.shape[2])
        lots = draw(self.masks, self.cells, self.probability, size, self.seed)
        total = image.new_zeros((len(targets), *size), dtype=torch.float64)
        answers = []
        milestones = Milestones(shares, self.masks)

        def make_masks(begin: int, end: int) -> Tensor:
            return enlarge(lots.open_cells[begin:end].to(image.device), lots.indents[begin:end], size)

        for answer in ask_about(engine, [Question(image, make_masks, self.masks)], progress):
            answers.append(answer.confidences[:, list(targets)])
            masks = make_masks(answer.begin, answer.end).double()
            total += torch.einsum("mt,mhw->thw", answers[-1].double(), masks)
            if milestones.reached(answer.end):
                yield answer.end, self._maps(total, answers)
        yield self.masks, self._maps(total, answers)

    def _maps(
        self, total: Float[Tensor, "targets height width"], answers: Sequence[Float[Tensor, "_ targets"]]
    ) -> list[Float[Tensor, "height width"]]:
        every = torch.cat(list(answers))
        importance = total / (self.probability * len(every))
        return list((rescale(importance) * _differ(every)[:, None, None]).float())


@dataclass(frozen=True)
class Lots:
    """What was drawn for the masks: small enough to be drawn at once, whatever the size of a batch.

    Args:
        open_cells: Which cells of each mask's grid let the image through.
        indents: Where each mask's window is cut: rows from the top, columns from the left, in pixels.
    """

    open_cells: Bool[Tensor, "masks cells cells"]
    indents: Int[Tensor, "masks 2"]


def draw(masks: int, cells: int, probability: float, size: tuple[int, int], seed: int) -> Lots:
    """Draw masks by lot, on the CPU so that every device gets the same.

    Example: with the probability 1 all cells are open; the windows begin in the first cell, of 5 x 4 pixels.
        >>> lots = draw(masks=100, cells=2, probability=1.0, size=(9, 8), seed=0)
        >>> bool(lots.open_cells.all()), lots.indents.amax(dim=0).tolist()
        (True, [5, 4])
    """
    chance = torch.Generator().manual_seed(seed)
    open_cells = torch.rand(masks, cells, cells, generator=chance) < probability
    indents = [torch.randint(0, cell + 1, (masks,), generator=chance) for cell in _cell_size(cells, size)]
    return Lots(open_cells, torch.stack(indents, dim=1))


def enlarge(
    open_cells: Bool[Tensor, "masks cells cells"], indents: Int[Tensor, "masks 2"], size: tuple[int, int]
) -> Float[Tensor, "masks height width"]:
    """Make masks in [0, 1] of what was drawn: enlarge each grid bilinearly, a cell too large, and cut a window."""
    cells = open_cells.shape[1]
    height, width = _cell_size(cells, size)
    large = resize(open_cells.float(), ((cells + 1) * height, (cells + 1) * width))
    windows = [
        one[top : top + size[0], left : left + size[1]]
        for one, (top, left) in zip(large, indents.tolist(), strict=True)
    ]
    return torch.stack(windows)


def _cell_size(cells: int, size: tuple[int, int]) -> tuple[int, int]:
    return math.ceil(size[0] / cells), math.ceil(size[1] / cells)


def _differ(answers: Float[Tensor, "masks targets"]) -> Bool[Tensor, " targets"]:
    return answers.amax(dim=0) - answers.amin(dim=0) > _ROUNDING * answers.amax(dim=0)
