"""The inspector as a process of its own, on a free port: for who measures or tests it."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from app.verdicts.address import VARIABLE
from severstal_xai.command import CONFIGS
from severstal_xai.errors import InputError

_PATIENCE = 180
"""Seconds until it answers; a loaded machine takes long to import torch."""
_TAIL = 500
"""Letters of a log that are told."""


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
def served(
    data: Path,
    run: Path,
    log: Path,
    *options: str,
    arguments: Sequence[str | Path] = (),
    environment: Mapping[str, str] | None = None,
    folder: Path = CONFIGS.parent,
) -> Iterator[Served]:
    """Start the inspector, and end it afterwards.

    Args:
        data: The data folder.
        run: The run folder.
        log: Where its log goes; its verdicts go beside it.
        options: Further ones of Streamlit's.
        arguments: Further ones of the inspector's.
        environment: Further variables.
        folder: The folder that it is started in.

    Raises:
        InputError: It does not start; the message holds what it last said.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    main = str(CONFIGS.parent / "app/main.py")
    command = [sys.executable, "-m", "streamlit", "run", main, "--server.port", str(port), *options]
    inspector = ["--data", data.resolve(), "--run", run.resolve(), *arguments]
    verdicts = {VARIABLE: str(log.resolve().with_name("verdicts.sqlite"))}
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, "--", *inspector],
            cwd=folder,
            env={**os.environ, **verdicts, **(environment or {})},
            stdout=output,
            stderr=output,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            if not _answers(address, process):
                said = log.read_text(encoding="utf-8", errors="replace").strip()[-_TAIL:]
                raise InputError(f"the inspector did not start; it last said: {said}")
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
