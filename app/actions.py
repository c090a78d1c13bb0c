"""Commands that do one of several things: the first word says which, and each has settings of its own."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from severstal_xai.command import parse_settings
from severstal_xai.usage import OneLineParser

Actions = Mapping[str, tuple[type[Any], Callable[[Any], int], str]]
"""By their words: the settings' dataclass, what is done with them, and that in a sentence."""


def act(command: str, actions: Actions, arguments: Sequence[str] | None) -> int:
    """Do what the first word says, with the settings after it; wrong usage ends the process with status 2.

    Args:
        command: As the user calls it.
        actions: What it can do.
        arguments: The words; those of the process where None.

    Returns:
        The action's status.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    if not given or given[0] not in actions:
        parser = OneLineParser(
            prog=command,
            description=" ".join(f"{name}: {words}" for name, (_, _, words) in actions.items()),
            usage=f"{command} {{{','.join(actions)}}} [--help] ...",
        )
        parser.add_argument("action", choices=list(actions), help="what to do; each says with --help how")
        if given and given[0] in {"-h", "--help"}:
            parser.parse_args(given[:1])
        what = repr(given[0]) if given else "missing"
        parser.error(f"action {what}, expected one of {', '.join(actions)}")
    schema, action, description = actions[given[0]]
    return action(
        parse_settings(schema, command=f"{command} {given[0]}", description=description, arguments=given[1:])
    )
