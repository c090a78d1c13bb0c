import numpy as np
import torch
from torch import nn

from explain.methods.grad_cam import GradCAM
from severstal_xai.model import build_classifier


def test_grad_cam_equals_its_definition_on_resnet() -> None:
    """Eq. 1 and 2, written out in float64: the last layer's gradients of a linear head are its weights."""
    model = build_classifier("resnet18", 5, seed=0).eval()
    image = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    ours = GradCAM()(model, image, torch.tensor([3]))[0].numpy()

    body = nn.Sequential(*list(model.double().children())[:-2])
    features = body(image.double())[0].detach().numpy()
    pixels = features.shape[1] * features.shape[2]
    weights = model.get_parameter("fc.weight")[3].detach().numpy() / pixels  # of the mean over the pixels
    coarse = np.maximum(np.tensordot(weights, features, axes=1), 0)
    large = nn.functional.interpolate(torch.from_numpy(coarse)[None, None], size=(64, 96), mode="bilinear")[
        0, 0
    ].numpy()
    expected = (large - large.min()) / (large.max() - large.min())
    np.testing.assert_allclose(ours, expected, atol=1e-5)
