"""Who asks, as the endpoints see it."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import cast

from starlette.requests import HTTPConnection

from node.core.people import LOCAL, Role

SCOPE_KEY = "m3node.person"
VISIT_CSRF_KEY = "m3node.visit_csrf"


class Means(StrEnum):
    """How it is known who asks."""

    SESSION = "session"
    """By the cookie that logging in has set."""
    TOKEN = "token"  # a word, not a secret
    """By the bearer token of a machine."""
    PROXY = "proxy"
    """By the header of a named proxy, which has asked for a log-in."""
    LOCAL = "local"
    """It reaches a node that has no users and answers this machine alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who asks.

    csrf_token : what every changing form carries in the field `csrf_token`, and every other
                 changing request in the header `X-CSRF-Token`; empty of a token, which needs none
    """

    name: str
    role: Role
    means: Means
    csrf_token: str = field(repr=False)

    @property
    def signature(self) -> str:
        """Who did it, for the diary: "anna (operator)"."""
        return f"{self.name} ({self.role})"

    @property
    def can_log_out(self) -> bool:
        """Whether a log-in of this node is what lets this person in."""
        return self.means is Means.SESSION

    def may(self, needed: Role) -> bool:
        """Whether this person may do what needs that role."""
        return self.role.includes(needed)


def local_person(csrf_token: str) -> Person:
    """Whoever reaches a node that has no users."""
    return Person(name=LOCAL, role=Role.OPERATOR, means=Means.LOCAL, csrf_token=csrf_token)


def person_of(request: HTTPConnection) -> Person | None:
    """Who asks; None if that is not known.  Waits for nothing: it was found before the route."""
    return cast(Person | None, request.scope.get(SCOPE_KEY))


def is_let_in_as(request: HTTPConnection, role: Role) -> bool:
    """Whether somebody who has said who it is may do what needs the role, whatever the address."""
    person = person_of(request)
    return person is not None and person.means is not Means.LOCAL and person.may(role)
