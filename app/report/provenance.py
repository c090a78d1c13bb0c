"""What a report was made from, in words: data and model by name and checksum, the thresholds, the heat, the verdicts."""

from app.words import percent
from severstal_xai.checkpoint import ModelCard
from severstal_xai.classes import CLASSES
from severstal_xai.manifest import Manifest
from severstal_xai.operating_point import OperatingPoint

Lines = tuple[tuple[str, str], ...]


def provenance(
    manifest: Manifest, run: str, card: ModelCard, point: OperatingPoint | None, *, trained_on_it: bool
) -> Lines:
    """Return the lines.

    Args:
        manifest: The data; of its folder the name alone is told.
        run: The name of the run's folder.
        card: The model's.
        point: The thresholds; None where there are none.
        trained_on_it: Whether the model was trained on this very data.
    """
    other = "" if trained_on_it else " (trained on other data than this)"
    return (
        ("Data", f"{manifest.root.resolve().name}, {len(manifest.patches):,} patches"),
        ("Data's SHA-256", manifest.checksum),
        ("Model", f"{run}, {card.architecture}, epoch {card.epoch}{other}"),
        ("Weights' SHA-256", card.weights_sha256),
        ("Flagged", thresholds(point)),
    )


def thresholds(point: OperatingPoint | None) -> str:
    """Return in words from which probability on a patch is flagged."""
    if point is None:
        return "no thresholds are set for this model, so nothing is called flagged"
    return "; ".join(
        f"{CLASSES[one.label].name} "
        + ("where it is the answer" if one.threshold is None else f"from {percent(one.threshold)} on")
        for one in point.classes
    )


def sight(reader: str, *, read: bool) -> str:
    """Return in words whose view of the verdicts a report shows, where they could be read."""
    if not read:
        return "they could not be read, so nothing is known of them"
    return f"those that {reader} may see" if reader else "those that anybody may see"
