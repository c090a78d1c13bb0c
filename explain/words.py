"""Words that the reports share."""

from explain.methods.sise import SISE

_PAPERS = SISE()


def counted(count: int, one: str, many: str = "") -> str:
    """Return how many of a thing there are.

    Args:
        count: How many.
        one: What one is called.
        many: What several are called; empty for `one` with an s.

    Example:
        >>> counted(1, "patch", "patches"), counted(1200, "strip")
        ('1 patch', '1,200 strips')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def patches_in_words(count: int) -> str:
    """Return how many patches there are.

    Example:
        >>> patches_in_words(1), patches_in_words(3)
        ('1 patch', '3 patches')
    """
    return counted(count, "patch", "patches")


def sise_in_words(sise: SISE) -> str:
    """Tell SISE's settings, and which are not the paper's.

    Example:
        >>> sise_in_words(SISE(gate="soft"))
        "mu 0, gate soft (the paper's: hard), budget 1"
        >>> sise_in_words(SISE())
        "mu 0, gate hard, budget 1: the paper's settings"
    """
    told = [
        ("mu", f"{sise.mu:g}", f"{_PAPERS.mu:g}"),
        ("gate", sise.gate, _PAPERS.gate),
        ("budget", f"{sise.budget:g}", f"{_PAPERS.budget:g}"),
    ]
    if sise.layers:
        told.append(("block ends", ", ".join(sise.layers), "the last layer of each block"))
    if all(ours == paper for _, ours, paper in told):
        return ", ".join(f"{name} {ours}" for name, ours, _ in told) + ": the paper's settings"
    return ", ".join(
        f"{name} {ours}" + f" (the paper's: {paper})" * (ours != paper) for name, ours, paper in told
    )
