"""Saved filters, put in order for a reader: what can be opened, what is the reader's own, and what cannot be read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from app.review.query import NO_VERDICT, Answer, Query, Sort, from_text
from app.verdicts.saved_filters import Damaged, SavedFilter
from explain.evaluation.evidence import Group
from severstal_xai.errors import InputError

BUILT_IN: Mapping[str, Query] = MappingProxyType(
    {
        "Right but elsewhere": Query(group=Group.RIGHT_ELSEWHERE),
        "Missed defects": Query(answer=Answer.MISSED, sort=Sort.DOUBT),
        "False alarms": Query(answer=Answer.FALSE_ALARM, sort=Sort.DOUBT),
        "Not judged yet, least sure first": Query(verdict=NO_VERDICT, sort=Sort.PROBABILITY),
    }
)
"""What every shift needs. The doubtful come first where the model was wrong: it was surest of the wrong class there."""


@dataclass(frozen=True)
class Openable:
    """A saved filter that can be opened.

    Args:
        id: Names it.
        title: What the list calls it.
        query: What it asks for.
    """

    id: str
    title: str
    query: Query


@dataclass(frozen=True)
class Shelf:
    """The saved filters that there are.

    Args:
        openable: Those that can be opened: the built-in, then the reader's own, then others'.
        own: The reader's own, be they damaged or not.
        trouble: What is wrong with the others, a line each.
    """

    openable: tuple[Openable, ...]
    own: tuple[SavedFilter | Damaged, ...]
    trouble: tuple[str, ...]


def shelf_of(found: Sequence[SavedFilter | Damaged], reader: str) -> Shelf:
    """Return what a reader finds; what cannot be opened is told, and leaves the others in the list.

    Args:
        found: What lies in the store.
        reader: Who looks; empty where nobody has given a name.
    """
    own = [one for one in found if reader and one.owner == reader]
    openable = [Openable(name, name, query) for name, query in BUILT_IN.items()]
    trouble = []
    for one in (*own, *(one for one in found if one not in own)):
        try:
            openable.append(Openable(one.id, _title(one, reader), _query_of(one)))
        except InputError as error:
            trouble.append(f"“{one.name}” of {one.owner} cannot be opened: {error}")
    return Shelf(tuple(openable), tuple(own), tuple(trouble))


def _title(one: SavedFilter | Damaged, reader: str) -> str:
    return one.name if one.owner == reader else f"{one.name} · by {one.owner}"


def _query_of(one: SavedFilter | Damaged) -> Query:
    if isinstance(one, Damaged):
        raise InputError(one.reason)
    return from_text(one.address)


def chosen_of(openable: Sequence[Openable], query: Query, opened: str | None) -> str | None:
    """Return the id of the saved filter that asks for just this query; of several the one that was opened last.

    Example:
        >>> chosen_of([Openable("a", "", Query()), Openable("b", "", Query())], Query(), "b")
        'b'
        >>> chosen_of([Openable("a", "", Query())], Query(label=1), "a") is None
        True
    """
    same = [one.id for one in openable if one.query == query]
    return opened if opened in same else next(iter(same), None)
