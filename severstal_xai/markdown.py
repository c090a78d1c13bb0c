"""Tables in the reports."""

from collections.abc import Iterable, Sequence


def table(header: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; whole numbers with their thousands set apart, `|` as `/`.

    Example:
        >>> print(table(["class", "patches"], [["3", 11666]]))
        | class | patches |
        | --- | --- |
        | 3 | 11,666 |
    """
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_shown(cell) for cell in line) + " |" for line in lines)


def _shown(cell: object) -> str:
    return f"{cell:,}" if isinstance(cell, int) else str(cell).replace("|", "/")
