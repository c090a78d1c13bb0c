"""What can be asked for: the methods by readable names, with what each does and costs, and how thoroughly it works."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.asking.explanations import Request

EFFORTS: Mapping[str, str] = {"fast": "Fast", "balanced": "Balanced", "paper": "The paper's"}
"""How thoroughly a method may work, as the user chooses it, by the word that stands in the address."""


@dataclass(frozen=True)
class Effort:
    """What an effort means for a method.

    Args:
        words: What is done, in a line.
        setting: The method's setting that says so, a name and a value.
    """

    words: str
    setting: tuple[str, float]


@dataclass(frozen=True)
class Method:
    """A method, for its reader.

    Args:
        title: Its name in the papers.
        does: What it does, in a sentence.
        costs: How long it takes, in a sentence.
        quick: Whether it is made before a slower one that is wanted as well.
        efforts: What the efforts mean, by their words in `EFFORTS`; empty where the method has but one.
    """

    title: str
    does: str
    costs: str
    quick: bool = False
    efforts: Mapping[str, Effort] = field(default_factory=dict)


def _counted(setting: str, what: str, fast: int, balanced: int, paper: int) -> Mapping[str, Effort]:
    """Return the efforts of a method that does the same thing again and again."""
    counts = zip(EFFORTS, (fast, balanced, paper), strict=True)
    return {name: Effort(f"{count:,} {what}.", (setting, count)) for name, count in counts}


_AT_ONCE = "One look at the patch: a second or so."
_SECONDS = "Some hundred questions to the model or more: seconds."
_LOOKS = "By the effort: some seconds."

CATALOGUE: dict[str, Method] = {
    "sise": Method(
        "SISE",
        "Covers the patch except where a feature of the network responds, and watches how sure the model stays; all blocks of the network.",
        "By the effort: seconds to a minute, with a first map soon.",
        efforts={
            "fast": Effort(
                "At most a fifth of the questions to the model; the other answers are predicted.",
                ("budget", 0.2),
            ),
            "balanced": Effort(
                "Asks until the map hardly changes, at most four fifths, and says how sure that is.",
                ("budget", 0.8),
            ),
            "paper": Effort(
                "Asks about every feature that speaks for the class: the slowest.", ("budget", 1.0)
            ),
        },
    ),
    "ada_sise": Method(
        "Ada-SISE",
        "SISE with the most telling features of each block alone: coarser, and often quite another map.",
        _SECONDS,
    ),
    "grad_cam": Method(
        "Grad-CAM",
        "Where the network's last features that speak for the class respond: coarse and quick.",
        _AT_ONCE,
        quick=True,
    ),
    "grad_cam_plus_plus": Method(
        "Grad-CAM++",
        "Grad-CAM, weighted so that several defects on a patch all show.",
        _AT_ONCE,
        quick=True,
    ),
    "score_cam": Method(
        "Score-CAM",
        "Covers the patch by the network's last features alone, and weighs each by how sure the model stays.",
        "A question for each of up to two thousand features: seconds to a minute, with a first map soon.",
    ),
    "rise": Method(
        "RISE",
        "Covers the patch by lot, thousands of times, and knows nothing of the network's inside.",
        "By the effort: from a quarter of a minute on a fast computer to several minutes on others; a first map soon.",
        efforts=_counted("masks", "questions to the model", 1000, 2000, 4000),
    ),
    "extremal_perturbation": Method(
        "Extremal perturbation",
        "Seeks the tenth of the patch that keeps the model surest while the rest is blurred.",
        "By the effort: half a minute to minutes.",
        efforts=_counted("steps", "steps of a search", 200, 400, 800),
    ),
    "integrated_gradients": Method(
        "Integrated gradients",
        "What each single pixel adds to the class, on the way from a grey patch to this one: fine, and grainy.",
        _LOOKS,
        efforts=_counted("n_steps", "looks on that way", 10, 25, 50),
    ),
    "full_grad": Method(
        "FullGrad",
        "What each pixel and each layer's bias adds to the class, all layers together.",
        _AT_ONCE,
        quick=True,
    ),
    "xgrad_cam": Method(
        "XGrad-CAM",
        "Grad-CAM with weights that follow from two axioms; much the same map.",
        _AT_ONCE,
        quick=True,
    ),
    "layer_cam": Method(
        "LayerCAM",
        "Grad-CAM with a weight for each pixel of a feature: a little finer.",
        _AT_ONCE,
        quick=True,
    ),
    "smooth_grad": Method(
        "SmoothGrad",
        "How strongly each pixel sways the answer, averaged over noisy copies of the patch: fine, and grainy.",
        _LOOKS,
        efforts=_counted("samples", "noisy copies", 10, 25, 50),
    ),
}
"""All of `explain.methods.METHODS`, in the order in which they are offered."""


def request_for(method: str, effort: str, target: int, weights: str, image: str) -> Request:
    """Return the request for a method's map; the effort counts where the method has one.

    Example:
        >>> request_for("sise", "fast", 3, "w", "i").settings, request_for("grad_cam", "fast", 3, "w", "i").settings
        ((('budget', 0.2),), ())
    """
    efforts = CATALOGUE[method].efforts
    settings = (efforts[effort].setting,) if efforts else ()
    return Request(method, settings, target, weights, image)
