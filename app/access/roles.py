"""What a role may do, and which role a person has by what the sign-in service says of them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from app.verdicts.records import LONGEST_NAME, tidy_name

_EMAIL = re.compile(r"[^\s@:]+@[^\s@:]+")


class Right(StrEnum):
    """What not everybody may do."""

    JUDGE = "judge"
    EXPORT = "export"
    CONFIGURE = "configure"


class Role(StrEnum):
    """What a person is in the inspector; each may do what the ones before may, and more."""

    VIEWER = "viewer"
    INSPECTOR = "inspector"
    ADMIN = "admin"

    @property
    def rights(self) -> frozenset[Right]:
        """Return what the role may do besides looking.

        Example:
            >>> sorted(Role.INSPECTOR.rights)
            [<Right.EXPORT: 'export'>, <Right.JUDGE: 'judge'>]
        """
        return _RIGHTS[self]


_RIGHTS = {
    Role.VIEWER: frozenset[Right](),
    Role.INSPECTOR: frozenset({Right.JUDGE, Right.EXPORT}),
    Role.ADMIN: frozenset(Right),
}


@dataclass(frozen=True)
class Visitor:
    """Who has signed in.

    Args:
        name: What verdicts are signed with: nobody else has it, and nobody can choose it.
        role: What they are; None for who is not let in.
    """

    name: str
    role: Role | None

    def may(self, right: Right) -> bool:
        """Tell whether they may do it.

        Example:
            >>> Visitor("ada@mill.example", Role.VIEWER).may(Right.JUDGE)
            False
        """
        return self.role is not None and right in self.role.rights


@dataclass(frozen=True)
class Members:
    """Who has a role.

    Args:
        emails: E-mail addresses; capitals count for nothing.
        groups: Groups of the sign-in service's; every letter counts.
    """

    emails: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rules:
    """Who has which role.

    Args:
        members: By role.
        others: What whoever else the sign-in service knows is; None where they are not let in.
        groups_claim: What the sign-in service calls a person's groups.
        unverified_emails: Whether an e-mail address counts though the service does not say that it is the person's own.
    """

    members: Mapping[Role, Members] = field(default_factory=dict)
    others: Role | None = None
    groups_claim: str = "groups"
    unverified_emails: bool = False


def visitor_from(claims: Mapping[str, Any], rules: Rules) -> Visitor | None:
    """Return who has signed in, by what the sign-in service says of them.

    An e-mail address counts only where the service has verified it: at many a person may write any address at all. Who has several
    roles has the greatest.

    Args:
        claims: Of OpenID Connect: `sub`, `email`, `email_verified`, groups.
        rules: Who has which role.

    Returns:
        Who it is, by e-mail address, else by the service's own identifier, which is marked as one so that nobody has another's name
        by choosing theirs well; None where the service names nobody.

    Example:
        >>> rules = Rules({Role.INSPECTOR: Members(emails=("Ada@mill.example",))}, others=Role.VIEWER)
        >>> visitor_from({"sub": "7", "email": "ada@mill.example", "email_verified": True}, rules)
        Visitor(name='ada@mill.example', role=<Role.INSPECTOR: 'inspector'>)
        >>> visitor_from({"sub": "8", "email": "ada@mill.example"}, rules)
        Visitor(name='id:8', role=<Role.VIEWER: 'viewer'>)
    """
    email = _email(claims, rules)
    name = email or _identifier(claims)
    if not name:
        return None
    groups = _groups(claims.get(rules.groups_claim))
    has = [role for role, members in rules.members.items() if _is_member(email, groups, members)]
    return Visitor(name, max(has, key=list(Role).index, default=rules.others))


def _email(claims: Mapping[str, Any], rules: Rules) -> str:
    """Return the address in small letters, or nothing: where it does not count, or cannot stand beside a verdict."""
    email = claims.get("email")
    counts = claims.get("email_verified") is True or rules.unverified_emails
    if not counts or not isinstance(email, str) or not _EMAIL.fullmatch(email):
        return ""
    return _as_name(email.lower())


def _identifier(claims: Mapping[str, Any]) -> str:
    subject = claims.get("sub")
    name = _as_name(subject) if isinstance(subject, str) else ""
    return _as_name(f"id:{name}") if name else ""


def _as_name(text: str) -> str:
    """Return the text as it is, or nothing: a name that had to be cut or cleaned might be another's."""
    return text if text.isprintable() and text == tidy_name(text) and len(text) <= LONGEST_NAME else ""


def _groups(claim: object) -> frozenset[str]:
    if isinstance(claim, str):
        return frozenset({claim})
    several = claim if isinstance(claim, list | tuple) else ()
    return frozenset(one for one in several if isinstance(one, str))


def _is_member(email: str, groups: frozenset[str], members: Members) -> bool:
    return email in {one.lower() for one in members.emails} - {""} or not groups.isdisjoint(members.groups)
