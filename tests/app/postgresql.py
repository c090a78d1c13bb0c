"""A PostgreSQL server of the tests' own: in a folder of its own, on a Unix socket, gone afterwards."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_DEBIAN = "/usr/lib/postgresql"


def binaries() -> Path | None:
    """Where the server's programs are: on the PATH, or where Debian puts them."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    versions = sorted(Path(_DEBIAN).glob("*/bin/initdb"))
    return versions[-1].parent if versions else None


@dataclass(frozen=True)
class Server:
    """A server: `address` names its database; `start` and `stop` it as often as is wanted."""

    programs: Path
    folder: Path
    user: str

    @property
    def address(self) -> str:
        return f"postgresql://{self.user}@/postgres?host={self.folder}"

    def start(self) -> None:
        options = f"-k {self.folder} -c listen_addresses='' -c fsync=off"
        self._run(
            "pg_ctl", "-D", f"{self.folder}/data", "-o", options, "-l", f"{self.folder}/log", "-w", "start"
        )

    def stop(self) -> None:
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "-w", "stop")

    def make(self) -> None:
        self._run(
            "initdb", "-D", f"{self.folder}/data", "-U", self.user, "-A", "trust", "-E", "UTF8", "--no-sync"
        )

    def _run(self, program: str, *arguments: str) -> None:
        # The server keeps the output open, so it goes to no pipe.
        with (self.folder / "said").open("w") as said:
            done = subprocess.run(
                [*_as_nobody(), str(self.programs / program), *arguments],
                cwd=self.folder,
                stdout=said,
                stderr=said,
                check=False,
                timeout=60,
            )
        assert done.returncode == 0, (self.folder / "said").read_text()


def _as_nobody() -> Sequence[str]:
    """The server refuses to run as root."""
    if os.getuid() != 0:
        return ()
    return ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")


@contextmanager
def running(programs: Path) -> Iterator[Server]:
    """Make a server, start it, and take all of it away in the end."""
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # short: a socket's path has room for 107 letters
    try:
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        server = Server(programs, folder, "inspector")
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
