"""What can be asked for: the methods by readable names, with what each does and costs, and how thoroughly SISE works."""

from dataclasses import dataclass

from app.asking.explanations import Request


@dataclass(frozen=True)
class Method:
    """A method, for its reader.

    Args:
        title: Its name in the papers.
        does: What it does, in a sentence.
        costs: How long it takes, and whether it can be stopped midway, in a sentence.
        quick: Whether it is made before a slower one that is wanted as well.
        efforts: Whether the user chooses how thoroughly it works.
    """

    title: str
    does: str
    costs: str
    quick: bool = False
    efforts: bool = False


_AT_ONCE = "One look at the patch: a second or so."
_SECONDS = "Some hundred questions to the model or more: seconds."
_UNCOUNTED = "Fifty looks at the patch, some ten seconds; it tells no progress, and a cancelled one ends only when it is through."

CATALOGUE: dict[str, Method] = {
    "sise": Method(
        "SISE",
        "Covers the patch except where a feature of the network responds, and watches how sure the model stays; all blocks of the network.",
        "By the effort: seconds to a minute, with a first map soon.",
        efforts=True,
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
        "A question for each of up to two thousand features: seconds to a minute.",
    ),
    "rise": Method(
        "RISE",
        "Covers the patch by lot, thousands of times, and knows nothing of the network's inside.",
        "4,000 questions: a minute on a fast computer, several on others.",
    ),
    "extremal_perturbation": Method(
        "Extremal perturbation",
        "Seeks the tenth of the patch that keeps the model surest while the rest is blurred.",
        "800 steps of a search: minutes.",
    ),
    "integrated_gradients": Method(
        "Integrated gradients",
        "What each single pixel adds to the class, on the way from a grey patch to this one: fine, and grainy.",
        _UNCOUNTED,
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
        _UNCOUNTED,
    ),
}
"""All of `explain.methods.METHODS`, in the order in which they are offered."""


@dataclass(frozen=True)
class Effort:
    """How much work SISE may make of a patch.

    Args:
        name: As the user chooses it.
        words: What it means, in a line.
        budget: The largest share of SISE's questions to the model that may be asked; 1 asks all.
    """

    name: str
    words: str
    budget: float


EFFORTS: dict[str, Effort] = {
    "fast": Effort("Fast", "At most a fifth of the questions; the other answers are predicted.", 0.2),
    "balanced": Effort(
        "Balanced", "Asks until the map hardly changes, at most four fifths, and says how sure that is.", 0.8
    ),
    "paper": Effort("The paper's", "Asks about every feature that speaks for the class: the slowest.", 1.0),
}
"""By the word that stands in the address."""


def request_for(method: str, effort: str, target: int, weights: str, image: str) -> Request:
    """Return the request for a method's map; the effort counts where the method has one.

    Example:
        >>> request_for("sise", "fast", 3, "w", "i").settings, request_for("rise", "fast", 3, "w", "i").settings
        ((('budget', 0.2),), ())
    """
    settings = (("budget", EFFORTS[effort].budget),) if CATALOGUE[method].efforts else ()
    return Request(method, settings, target, weights, image)
