"""Which patches are listed, and which one comes next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from severstal_xai.manifest import Patch, Split


@dataclass(frozen=True)
class Filter:
    """What the list is narrowed to.

    Args:
        split: What the patches are for.
        label: Their class by ground truth; None for any.
        only_mistakes: Only those that the model is known to have given another class.
    """

    split: Split
    label: int | None = None
    only_mistakes: bool = False


def matching(patches: Sequence[Patch], wanted: Filter, predicted: Mapping[str, int]) -> list[str]:
    """Return the names of the patches that match, in their order."""
    return [
        patch.patch
        for patch in patches
        if patch.split == wanted.split
        and wanted.label in {None, patch.label}
        and not (wanted.only_mistakes and predicted.get(patch.patch, patch.label) == patch.label)
    ]


def neighbour(names: Sequence[str], name: str, step: int) -> str | None:
    """Return the name that lies `step` further on; None past the ends.

    Example:
        >>> neighbour(["a", "b"], "a", 1), neighbour(["a", "b"], "a", -1)
        ('b', None)
    """
    place = names.index(name) + step
    return names[place] if 0 <= place < len(names) else None
