"""Blind second readings: which patches a second inspector judges, and what of others' verdicts may be seen meanwhile.

Patches are drawn by lot, by a hash of their name: the same on every machine, and no patch's lot hangs on which others
there are or on what was said of it.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from app.verdicts.records import Entry, Kind
from app.verdicts.store import Store
from severstal_xai.errors import check_range


@dataclass(frozen=True)
class Lot:
    """How patches are drawn for a second reading.

    Args:
        share: Of all patches, 0 to 1.
        seed: Another seed draws others.
    """

    share: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        check_range("second_reading.share", self.share, 0, 1)
        check_range("second_reading.seed", self.seed, 0)


LOT = Lot()
"""Which patches are read twice: one for all pages, sessions and machines."""


@dataclass(frozen=True)
class Sight:
    """What a reader may see of a patch's verdicts.

    Args:
        entries: Those that may be shown, by number.
        blind: Whether the reader's next verdict is blind: nobody else's could be seen before it.
        hidden: How many records are kept back until the reader has judged.
    """

    entries: tuple[Entry, ...]
    blind: bool
    hidden: int


def is_drawn(patch: str, lot: Lot) -> bool:
    """Tell whether a patch is to be read twice.

    Example:
        >>> is_drawn("0002cc93b_3", Lot(share=1.0)), is_drawn("0002cc93b_3", Lot(share=0.0))
        (True, False)
    """
    return _place(patch, lot) < lot.share


def _place(patch: str, lot: Lot) -> float:
    """Return a patch's number in the lot, in [0, 1)."""
    drawn = hashlib.sha256(f"{lot.seed}:{patch}".encode()).digest()
    return (int.from_bytes(drawn[:8], "big") >> 11) / 2**53


def sight_of(reader: str, patch: str, history: Sequence[Entry], lot: Lot) -> Sight:
    """Return what a reader may see of a patch's history.

    A reader always sees their own. Others' are kept back from one who has not judged a patch that is drawn. Whoever has
    judged it once sees all from then on, and judges it no more blindly, also after taking the verdict back.
    """
    own = tuple(entry for entry in history if entry.verdict.reader == reader)
    others = len(history) - len(own)
    if not others:
        return Sight(own, blind=True, hidden=0)
    if not own and is_drawn(patch, lot):
        return Sight((), blind=True, hidden=others)
    return Sight(tuple(history), blind=False, hidden=0)


def records_in_sight(reader: str, entries: Iterable[Entry], lot: Lot) -> list[Entry]:
    """Return those of all records that a reader may see, by number: of each patch what `sight_of` says."""
    histories: dict[str, list[Entry]] = {}
    for entry in entries:
        histories.setdefault(entry.verdict.seen.patch, []).append(entry)
    sights = [sight_of(reader, patch, history, lot) for patch, history in histories.items()]
    return sorted((entry for sight in sights for entry in sight.entries), key=lambda entry: entry.number)


def visible_to(store: Store, reader: str, patch: str, lot: Lot) -> Sight:
    """Ask the store what a reader may see of a patch's verdicts: all that a page may show.

    Raises:
        StoreAway: The database cannot be reached.
    """
    return sight_of(reader, patch, store.history(patch), lot)


def second_readings(
    judged: Mapping[str, Set[str]], touched: Set[str], reader: str, lot: Lot
) -> tuple[str, ...]:
    """Return the patches that wait for a second reading by a reader, in the order of the lot.

    Args:
        judged: Who holds a verdict on each patch.
        touched: The patches that the reader ever judged: those they can no more judge blindly.
        reader: Who asks.
        lot: How patches are drawn.
    """
    waiting = [
        patch
        for patch, readers in judged.items()
        if len(readers) == 1 and reader not in readers and patch not in touched and is_drawn(patch, lot)
    ]
    return tuple(sorted(waiting, key=lambda patch: (_place(patch, lot), patch)))


def awaiting_second_reading(store: Store, reader: str, lot: Lot) -> tuple[str, ...]:
    """Ask the store which patches wait for a second reading by a reader: a page's queue.

    Raises:
        StoreAway: The database cannot be reached.
    """
    return second_readings(store.judged(), store.touched_by(reader), reader, lot)


def kinds_in_sight(
    standing: Mapping[str, Mapping[str, Kind]], touched: Set[str], reader: str, lot: Lot
) -> dict[str, tuple[Kind, ...]]:
    """Return what a reader may know of the verdicts on each patch: their kinds, the most often given first.

    Args:
        standing: What each reader says of each patch.
        touched: The patches that the reader ever judged.
        reader: Who asks; may be nobody.
        lot: How patches are drawn.

    Returns:
        By the patch's name; patches of whose verdicts nothing may be known are left out, as those without any are.
    """
    return {
        patch: tuple(kind for kind, _ in Counter(kinds.values()).most_common())
        for patch, kinds in standing.items()
        if patch in touched or not is_drawn(patch, lot) or not set(kinds) - {reader}
    }
