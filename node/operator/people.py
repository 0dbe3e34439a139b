"""Who may come in over the web: what `m3node check` says of it, and where `serve` refuses."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from node.config import WebConfig
from node.core.errors import ConfigError
from node.core.people import Role
from node.operator.findings import Finding, fail, ok, warn
from node.persistence.people import AccountKind
from node.persistence.store import Store

_WHAT = "users"
_SOON = timedelta(days=30)


def require_users(config: WebConfig, store: Store) -> None:
    """Raises ConfigError if others than this machine would reach a page that asks nobody."""
    if config.enabled and not config.is_loopback and not store.has_users():
        raise ConfigError(_open(config))


def _open(config: WebConfig) -> str:
    return (
        f"web.host = {config.host!r} lets others than this machine reach the node, and there is no "
        "user; make one with `m3node user add NAME --role operator`, or leave web.host at "
        "127.0.0.1, or do without the web (web.enabled = false)"
    )


def people(config: WebConfig, store: Store | None, *, now: datetime) -> Iterator[Finding]:
    """Nothing where there is no web server.

    store : None if it has never been made
    """
    if not config.enabled:
        return
    users = [] if store is None else store.accounts(AccountKind.USER)
    if users:
        operators = sum(user.role is Role.OPERATOR for user in users)
        yield ok(_WHAT, f"{len(users)} may log in, {operators} of them as operator")
        if not operators:
            yield warn(_WHAT, "none is an operator: nobody can act on the page")
    elif not config.is_loopback:
        yield fail(_WHAT, _open(config))
    elif not config.is_reached_directly:
        yield warn(
            _WHAT,
            "there is none: behind a proxy the page lets nobody in, and DICOMweb whomever the "
            "proxy lets through; `m3node user add NAME --role operator` makes the first",
        )
    else:
        yield ok(_WHAT, "there is none: whoever is at this machine is the operator")
    for token in [] if store is None else store.accounts(AccountKind.TOKEN):
        if token.ends_at is not None and token.ends_at <= now + _SOON:
            verb = "ended" if token.ends_at <= now else "ends"
            yield warn(
                "tokens",
                f"that of {token.name} {verb} on {token.ends_at.astimezone():%Y-%m-%d}: make "
                "another with `m3node token add`, then `m3node token remove` this",
            )
