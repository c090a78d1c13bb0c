"""Python runs this before the inspector: it notes each call to another machine, and each look-up of a name that is not this one's."""

import os
import sys
from pathlib import Path
from typing import Any

_CALLS = os.environ.get("CALLS")
_OWN = {"localhost", "127.0.0.1", "::1", "0.0.0.0", "", None}
_CALLED = {"socket.connect", "socket.sendto", "socket.sendmsg"}
_LOOKED_UP = {"socket.getaddrinfo", "socket.gethostbyname"}


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _CALLED:
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else ""  # else a socket in the file system
    elif event in _LOOKED_UP:
        host = arguments[0]
    else:
        return
    if host not in _OWN:
        with Path(str(_CALLS)).open("a") as calls:
            calls.write(f"{event} {host!r}\n")


if _CALLS:
    if not Path(_CALLS).exists():  # a process that the inspector started has the same
        Path(_CALLS).write_text("watching\n")
    sys.addaudithook(_note)
