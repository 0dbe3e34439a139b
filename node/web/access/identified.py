"""Who asks: by the token of a machine, a named proxy, a session, or since nobody has to say."""

import logging
from collections.abc import Collection
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network

from sqlalchemy.exc import OperationalError
from starlette.requests import HTTPConnection

from node.config import WebConfig
from node.core.people import Role
from node.credentials import SESSION_PURPOSE, TOKEN_PURPOSE, digest_of
from node.inbound.peers import is_allowed
from node.logs import event
from node.persistence.people import AccountRow
from node.web.access.cookies import csrf_of_session, session_cookie
from node.web.access.hosts import THIS_MACHINE, host_of
from node.web.access.person import Means, Person, local_person
from node.web.services import Services

BY_ITSELF = "x-by-itself"
_FORWARDED = (
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
)


class Identified:
    """Finds out who asks; any number of threads may share one."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._config = services.config.web
        self._store = services.store

    def person(self, request: HTTPConnection, *, visit_csrf: str) -> Person | None:
        """Who asks; None if that is not known.

        visit_csrf : the token of forms of a browser without a session
        """
        return (
            self._by_token(request)
            or self._by_proxy(request, visit_csrf)
            or self._by_session(request)
            or (local_person(visit_csrf) if self._is_local(request) else None)
        )

    def _by_token(self, request: HTTPConnection) -> Person | None:
        token = bearer_of(request)
        if not token:
            return None
        now = self._services.clock()
        row = self._store.holder_of_token(digest_of(token, purpose=TOKEN_PURPOSE), now=now)
        if row is None:
            return None
        try:
            self._store.token_used(row, now=now)
        except OperationalError as error:  # it is shown, whether or not that can be noted
            event("web.not_noted", level=logging.WARNING, error=error)
        return _person(row, Means.TOKEN, csrf_token="")

    def _by_proxy(self, request: HTTPConnection, csrf_token: str) -> Person | None:
        header = self._config.proxy_user_header
        if header is None or not _is_from_a_proxy(request, self._config):
            return None
        named = request.headers.getlist(header)
        if len(named) != 1 or not named[0]:
            return None
        row = self._store.user_of_name(_unquoted(named[0]))
        return None if row is None else _person(row, Means.PROXY, csrf_token=csrf_token)

    def _by_session(self, request: HTTPConnection) -> Person | None:
        token = session_cookie(request, self._config)
        if token is None:
            return None
        now = self._services.clock()
        digest = digest_of(token, purpose=SESSION_PURPOSE)
        idle = timedelta(seconds=self._config.session_idle_s)
        found = self._store.holder_of_session(digest, now=now, idle=idle)
        if found is None:
            return None
        row, seen_at = found
        if not _is_by_itself(request):
            try:
                self._store.session_seen(digest, before=seen_at, now=now)
            except OperationalError as error:  # a full disk is looked at too
                event("web.not_noted", level=logging.WARNING, error=error)
        return _person(row, Means.SESSION, csrf_token=csrf_of_session(token))

    def _is_local(self, request: HTTPConnection) -> bool:
        """Whether a person at this machine asks a node that has no users.

        A proxy on this machine brings others: what came through one, as far as that shows, did not.
        """
        return (
            self._config.is_loopback
            and self._config.is_reached_directly
            and host_of(request) in THIS_MACHINE
            and not any(name in request.headers for name in _FORWARDED)
            and is_from(request, self._config.allowed_peers)
            and not self._store.has_users()
        )

    def is_everybody_let_in(self) -> bool:
        """Whether DICOMweb asks nobody: this machine alone is answered, and there is no user."""
        return (
            self._config.allowed_peers is None
            and self._config.is_loopback
            and not self._store.has_users()
        )


def bearer_of(request: HTTPConnection) -> str | None:
    """The token that is shown; None if there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def is_from(
    request: HTTPConnection, networks: Collection[IPv4Network | IPv6Network] | None
) -> bool:
    """Whether the connection is from one of the networks, or there is no list of them."""
    peer = request.client.host if request.client else ""
    return bool(peer) and is_allowed(peer, networks)


def address_of(request: HTTPConnection, config: WebConfig) -> str:
    """From where it comes: of what a named proxy brings, the last address of none."""
    peer = request.client.host if request.client else ""
    if not _is_from_a_proxy(request, config):
        return peer
    said = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    for address in map(str.strip, reversed(said)):
        try:
            if not is_allowed(address, config.proxy_peers):
                return address
        except ValueError:
            break
    return peer


def _is_by_itself(request: HTTPConnection) -> bool:
    """Whether a page asks that stands on a screen, which says nothing of a person before it."""
    streams = request.headers.get("accept", "") == "text/event-stream"  # as browsers write it
    return streams or BY_ITSELF in request.headers


def _is_from_a_proxy(request: HTTPConnection, config: WebConfig) -> bool:
    return config.proxy_peers is not None and is_from(request, config.proxy_peers)


def _person(row: AccountRow, means: Means, *, csrf_token: str) -> Person:
    return Person(name=row.name, role=Role(row.role), means=means, csrf_token=csrf_token)


def _unquoted(name: str) -> str:
    """A header's bytes are UTF-8 where they are that."""
    try:
        return name.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return name
