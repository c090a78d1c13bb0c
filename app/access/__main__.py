"""The command `python -m app.access`: the file that says who may use the inspector, made and checked."""

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.access.roles import Role
from app.access.settings import CALLBACK, Access, read_access
from app.actions import Actions, act
from severstal_xai.command import DONE, run
from severstal_xai.errors import InputError

COMMAND = "python -m app.access"
SECRETS = Path("app/.streamlit/secrets.toml")
_MADE_OF = 48
"""Bytes of chance in the secret that signs cookies."""
_TEMPLATE = """# Who may use the inspector. Secret: readable by who runs it alone, and never to be committed.
# `python -m app.access check` says whether it is understood.

[auth]  # Streamlit's; start the inspector anew after a change
redirect_uri = "{address}{callback}"  # register this at the sign-in service
cookie_secret = "{secret}"  # of this installation alone; a new one signs everybody out
client_id = "{client_id}"
client_secret = ""  # as the sign-in service gave it
server_metadata_url = "{provider}"

[access]  # takes effect with the next click
others = "refused"  # whoever else the sign-in service knows: "viewer", or "refused"
hours = 12  # after which one signs in again
groups_claim = "groups"  # what the service calls a person's groups
unverified_emails = false  # true only for a service of your own that gives nobody another's address, and does not say email_verified

[access.viewer]  # looks
emails = []
groups = []

[access.inspector]  # looks, judges, exports
emails = []  # ["ida@mill.example"]
groups = []  # ["inspectors"]

[access.admin]  # all of it, and configures
emails = []
groups = []
"""


@dataclass(frozen=True)
class InitSettings:
    """What to write into a new file.

    Args:
        provider: The sign-in service's metadata: https://…/.well-known/openid-configuration.
        client_id: The name that the service knows the inspector by.
        address: The inspector's own, as people type it, without a path.
        output: The file; one that is there already stays as it is.
    """

    provider: str
    client_id: str
    address: str = "http://localhost:8501"
    output: Path = SECRETS

    def __post_init__(self) -> None:
        for name in ("provider", "client_id", "address"):
            value = getattr(self, name)
            if not value.isascii() or not value.isprintable() or set(value) & set("\"'\\ "):
                raise InputError(
                    f"--{name} {value!r}, expected plain signs, no blanks and no quotation marks"
                )


@dataclass(frozen=True)
class CheckSettings:
    """Which file to check.

    Args:
        file: The file that the inspector reads.
        port: The inspector's, where the file says {port}.
    """

    file: Path = SECRETS
    port: int = 8501


def init(settings: InitSettings) -> int:
    """Write a new file with a secret of its own, which its owner alone may read."""
    content = _TEMPLATE.format(
        address=settings.address.rstrip("/"),
        callback=CALLBACK,
        secret=secrets.token_urlsafe(_MADE_OF),
        client_id=settings.client_id,
        provider=settings.provider,
    )
    settings.output.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(settings.output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise InputError(f"--output {settings.output}: is there already, expected a new file") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
    print(
        f"{settings.output}: now write client_secret and who has which role into it, then `{COMMAND} check`"
    )
    return DONE


def check(settings: CheckSettings) -> int:
    """Say whether the file is understood, and what it says; exit status 1 where it is not."""
    if not settings.file.is_file():
        raise InputError(f"--file {settings.file}: no such file, expected one as `{COMMAND} init` makes it")
    access = read_access([settings.file], settings.port)
    if access is None:
        raise InputError(
            f"{settings.file}: no sections auth and access, so nobody need sign in; expected both"
        )
    mode = settings.file.stat().st_mode & 0o777
    if os.name == "posix" and mode & 0o077:
        raise InputError(
            f"{settings.file}: others may read it (mode {mode:o}), expected 600: chmod 600 {settings.file}"
        )
    print("\n".join(_in_words(access)))
    return DONE


def _in_words(access: Access) -> list[str]:
    rules = access.rules
    lines = [f"people sign in at {access.origin}, each time for {access.hours:g} hours"]
    for role in Role:
        members = rules.members.get(role)
        named = (len(members.emails), len(members.groups)) if members else (0, 0)
        rights = ", ".join(["looks", *sorted(f"may {right}" for right in role.rights)])
        lines.append(f"{role} ({rights}): {named[0]} e-mail addresses, {named[1]} groups")
    lines.append(f"everybody else: {rules.others or 'not let in'}")
    return lines


_ACTIONS: Actions = {
    "init": (InitSettings, init, "Write a new file, with a secret of its own."),
    "check": (CheckSettings, check, "Say whether the file is understood, and what it says."),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the first word says, with the settings after it."""
    return act(COMMAND, _ACTIONS, arguments)


if __name__ == "__main__":
    run(main)
