"""The paper's figures for natural images: Tables 1 and 4, and the networks' accuracies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from explain.evaluation.summary import METRICS, Metric
from explain.natural.torchray import Architecture, Dataset

METHODS = (
    *("grad_cam", "grad_cam_plus_plus", "extremal_perturbation", "rise", "score_cam", "integrated_gradients"),
    *("full_grad", "sise"),
)
"""The tables' columns, in the order in which the paper prints them."""
_TABLES: Mapping[tuple[Dataset, Architecture], Mapping[str, Sequence[float]]] = {
    ("voc2007", "vgg16"): {
        "energy_pointing": (55.44, 46.29, 61.19, 33.44, 46.42, 36.87, 38.72, 60.54),
        "top_iou": (26.52, 28.1, 25.44, 27.11, 27.71, 14.11, 26.61, 27.79),
        "box_score": (51.7, 55.59, 51.2, 54.59, 54.98, 33.97, 54.17, 55.68),
        "drop": (49.47, 60.63, 43.90, 39.62, 39.79, 64.74, 60.78, 38.40),
        "increase": (31.08, 23.89, 32.65, 37.76, 36.42, 26.17, 22.73, 37.96),
    },
    ("voc2007", "resnet50"): {
        "energy_pointing": (60.08, 47.78, 63.24, 32.86, 35.56, 40.62, 39.55, 66.08),
        "top_iou": (32.16, 30.16, 26.29, 27.4, 31.0, 15.41, 20.2, 31.37),
        "box_score": (60.25, 58.66, 52.34, 55.55, 60.02, 34.79, 44.94, 61.59),
        "drop": (35.80, 41.77, 39.38, 39.77, 35.36, 66.12, 65.99, 30.92),
        "increase": (36.58, 32.15, 34.27, 37.08, 37.08, 24.24, 25.36, 40.22),
    },
    ("coco2014", "vgg16"): {
        "energy_pointing": (23.77, 18.11, 25.71, 11.5, 12.59, 14.01, 13.96, 28.16),
        "top_iou": (15.04, 15.69, 12.81, 14.94, 15.52, 7.13, 14.25, 15.57),
        "box_score": (28.98, 20.48, 24.93, 28.9, 27.8, 14.54, 27.52, 29.63),
        "drop": (44.46, 45.63, 41.86, 38.69, 33.73, 52.73, 52.39, 32.9),
        "increase": (40.28, 38.33, 41.30, 46.05, 49.26, 34.11, 32.68, 50.56),
    },
    ("coco2014", "resnet50"): {
        "energy_pointing": (25.3, 17.81, 27.54, 11.35, 12.6, 14.41, 14.39, 29.43),
        "top_iou": (17.89, 15.8, 13.61, 14.69, 16.36, 7.24, 10.14, 17.03),
        "box_score": (32.39, 28.28, 26.98, 29.43, 29.27, 14.54, 19.32, 33.34),
        "drop": (33.42, 41.71, 36.24, 37.93, 35.06, 55.38, 56.83, 31.41),
        "increase": (48.39, 40.54, 45.74, 45.44, 47.25, 32.18, 29.59, 49.76),
    },
}
"""SISE paper, Table 1 (VOC 2007) and Table 4 (COCO 2014), in per cent, in the order of `METHODS`."""

NAMES: Mapping[Dataset | Architecture, str] = {
    "voc2007": "PASCAL VOC 2007 (test)",
    "coco2014": "MS COCO 2014 (validation)",
    "vgg16": "VGG16",
    "resnet50": "ResNet-50",
}
TABLE_NUMBERS: Mapping[Dataset, int] = {"voc2007": 1, "coco2014": 4}


@dataclass(frozen=True)
class PaperAccuracy:
    """A network's accuracy over pairs of an image and a class of its ground truth, in per cent (SISE paper, appendix).

    Args:
        first: The share of pairs whose class is the network's first.
        first_most: The largest share that could be: an image has several classes, and one comes first.
        five: The share whose class is among the first five.
        five_most: The largest share that could be.
    """

    first: float
    first_most: float
    five: float
    five_most: float


ACCURACIES: Mapping[tuple[Dataset, Architecture], PaperAccuracy] = {
    ("voc2007", "vgg16"): PaperAccuracy(56.56, 64.88, 93.29, 99.99),
    ("voc2007", "resnet50"): PaperAccuracy(57.08, 64.88, 93.09, 99.99),
    ("coco2014", "vgg16"): PaperAccuracy(29.62, 34.43, 69.01, 93.28),
    ("coco2014", "resnet50"): PaperAccuracy(30.25, 34.43, 70.27, 93.28),
}


def metrics_of(dataset: Dataset, architecture: Architecture) -> list[Metric]:
    """Return the metrics, with the paper's figures for a data set and a network.

    Example:
        >>> metrics_of("voc2007", "resnet50")[0].paper["sise"]
        30.92
    """
    table = {
        column: dict(zip(METHODS, figures, strict=True))
        for column, figures in _TABLES[dataset, architecture].items()
    }
    return [Metric(one.column, one.title, one.more_is_better, table.get(one.column)) for one in METRICS]


def as_printed(dataset: Dataset, architecture: Architecture) -> list[Metric]:
    """Return the metrics of the paper's table, in the order of its lines.

    Example:
        >>> [metric.title for metric in as_printed("voc2007", "vgg16")]
        ['EBPG %', 'mIoU %', 'Bbox %', 'Drop %', 'Increase %']
    """
    metrics = {metric.column: metric for metric in metrics_of(dataset, architecture)}
    return [metrics[column] for column in _TABLES[dataset, architecture]]
