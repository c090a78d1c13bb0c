"""The inspector as a process of its own, on a free port: for who measures it."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from app.verdicts.address import VARIABLE
from severstal_xai.command import CONFIGS
from severstal_xai.errors import InputError

_PATIENCE = 120
"""Seconds until it answers; a loaded machine takes long to import torch."""


@dataclass(frozen=True)
class Served:
    """A running inspector.

    Args:
        address: Where it answers.
        process: Its number.
    """

    address: str
    process: int

    def memory(self) -> float:
        """Return the memory that it holds, in MB."""
        return float(psutil.Process(self.process).memory_info().rss) / 2**20


@contextmanager
def served(data: Path, run: Path, folder: Path) -> Iterator[Served]:
    """Start the inspector, and end it afterwards; its log and its verdicts lie in `folder`.

    Raises:
        InputError: It does not start; the message says where its log lies.
    """
    log = folder / "inspector.log"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app/main.py", "--server.port", str(port)]
    arguments = ["--", "--data", str(data.resolve()), "--run", str(run.resolve())]
    environment = os.environ | {VARIABLE: str(folder.resolve() / "verdicts.sqlite")}
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, *arguments], cwd=CONFIGS.parent, env=environment, stdout=output, stderr=output
        )
        try:
            address = f"http://127.0.0.1:{port}"
            if not _answers(address, process):
                raise InputError(f"the inspector did not start: {log} says why")
            yield Served(address, process.pid)
        finally:
            process.terminate()
            process.wait()


def _answers(address: str, process: "subprocess.Popen[bytes]") -> bool:
    end = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < end:
        try:
            urllib.request.urlopen(f"{address}/_stcore/health", timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return True
    return False
