"""The masks of Fig. 4 are those of the highest gradient scores: against a slow copy."""

import numpy as np
import torch
from torch import Tensor, nn

from explain.evaluation.attribution_masks import SHOWN, examine
from explain.methods.sise import SISE
from explain.subjects import Subject
from severstal_xai.imaging import model_input


class Small(nn.Module):
    """A plain CNN of one block, with more maps than are shown."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 24, 3, padding=1)
        self.head = nn.Linear(24, 5)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.first(images).relu().mean(dim=(2, 3)))
        return logits


def test_the_masks_that_are_shown_are_those_of_the_highest_gradient_scores_in_their_order() -> None:
    torch.manual_seed(3)
    model = Small().eval()
    grey = np.random.default_rng(0).integers(0, 255, (256, 256)).astype(np.uint8)
    found, masks = examine(model, Subject("a", grey, 3, None), SISE(engine="reference"))
    features = model.first(torch.from_numpy(model_input(grey))[None]).relu()
    logits = model.head(features.mean(dim=(2, 3))).double()
    (slopes,) = torch.autograd.grad(logits.log_softmax(dim=1)[0, 3], features)
    scores = slopes[0].double().sum(dim=(1, 2))
    strongest = [int(place) for place in scores.argsort(descending=True)[:SHOWN] if scores[place] > 0]
    assert len(strongest) == SHOWN
    assert (found.patch, found.label, found.kept) == ("a", 3, [int((scores > 0).sum())])
    assert masks.shape == (2, SHOWN, 256, 256)
    for place, mask in zip(strongest, masks[0], strict=True):
        values = features[0, place].detach().numpy()
        expected = (values - values.min()) / (values.max() - values.min())
        np.testing.assert_allclose(mask, expected, atol=1e-6)
    assert all(0 <= mask.min() < mask.max() <= 1 for mask in masks[1])  # RISE's
    assert not np.array_equal(masks[1, 0], masks[1, 1])
