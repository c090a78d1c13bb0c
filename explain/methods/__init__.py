"""The methods, by name. One paper is one module; the modules know nothing of each other."""

from collections.abc import Callable

from explain.explainer import Explainer
from explain.methods.ada_sise import AdaSISE
from explain.methods.extremal_perturbation import ExtremalPerturbation
from explain.methods.full_grad import FullGrad
from explain.methods.grad_cam import GradCAM
from explain.methods.grad_cam_plus_plus import GradCAMPlusPlus
from explain.methods.integrated_gradients import IntegratedGradients
from explain.methods.layer_cam import LayerCAM
from explain.methods.rise import RISE
from explain.methods.score_cam import ScoreCAM
from explain.methods.sise import SISE
from explain.methods.smooth_grad import SmoothGrad
from explain.methods.xgrad_cam import XGradCAM

METHODS: dict[str, Callable[..., Explainer]] = {
    "sise": SISE,
    "ada_sise": AdaSISE,
    "grad_cam": GradCAM,
    "grad_cam_plus_plus": GradCAMPlusPlus,
    "score_cam": ScoreCAM,
    "rise": RISE,
    "extremal_perturbation": ExtremalPerturbation,
    "integrated_gradients": IntegratedGradients,
    "full_grad": FullGrad,
    "xgrad_cam": XGradCAM,
    "layer_cam": LayerCAM,
    "smooth_grad": SmoothGrad,
}
"""Every method that can be asked for: its name, and the class of its settings."""
