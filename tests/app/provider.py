"""A real OpenID Connect provider, as a process of its own on this machine."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from app.access.__main__ import main

ROLES = """
[access.viewer]
emails = ["vera@mill.example"]
[access.inspector]
emails = ["ida@mill.example"]
[access.admin]
emails = ["ada@mill.example"]
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def provider(people: Sequence[str], log: Path) -> Iterator[str]:
    """Start a provider that knows these people by their e-mail addresses; give where its metadata lies."""
    port = free_port()
    claims = [
        json.dumps({"sub": name.partition("@")[0], "email": name, "email_verified": True}) for name in people
    ]
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce"]
    known = [word for one in claims for word in ("--user-claims", one)]
    address = f"http://127.0.0.1:{port}/.well-known/openid-configuration"
    with log.open("w") as output:
        process = subprocess.Popen([*command, *known], stdout=output, stderr=output)
        try:
            _wait_for(address)
            yield address
        finally:
            process.terminate()
            process.wait()


def _wait_for(address: str) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the provider did not start")


def write_secrets(path: Path, metadata: str) -> None:
    """Write the file as who installs the inspector does: the command makes it, the rest is filled in."""
    made = ["--provider", metadata, "--client_id", "inspector", "--address", "http://127.0.0.1:{port}"]
    assert main(["init", *made, "--output", str(path)]) == 0
    head = path.read_text().partition("[access.viewer]")[0]
    path.write_text(head.replace('client_secret = ""', 'client_secret = "known to both"') + ROLES)
