"""How a page opens another one: the pages know these doors, not each other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn

Address = Mapping[str, str]
"""What an address holds after its `?`."""
Open = Callable[[Address], NoReturn]


@dataclass(frozen=True)
class Links:
    """The doors; each ends the page that is drawn and opens another, with this in its address.

    Args:
        strip: One strip; `strip` names it, and the rest is a query.
        patch: One patch; `patch` names it, and the rest is a query.
        queue: The review queue, narrowed by a query.
    """

    strip: Open
    patch: Open
    queue: Open
