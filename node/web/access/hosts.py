"""By which name the server was asked: whoever keeps a name server can point a name at us.

A page of evil.example whose name is made to mean 127.0.0.1 is of the same origin as what it then
asks of this node (DNS rebinding), so its browser hands it every answer.  The name stands in Host.
"""

import re
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from node.config import WebConfig

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")
THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "[::1]"})
NOT_KNOWN = (
    "this node is not known by the name in Host; ask at localhost or 127.0.0.1, or name it in "
    "web.public_url or web.host_names"
)


def host_of(request: HTTPConnection) -> str | None:
    """The name in Host, without its port; None if there is not exactly one."""
    said = request.headers.getlist("host")
    found = _HOST.fullmatch(said[0]) if len(said) == 1 else None
    return None if found is None else found[1].lower()


def is_known(request: HTTPConnection, config: WebConfig) -> bool:
    """Whether the name is one of this node's; any is, where others reach it and none is listed."""
    if not (config.is_loopback or config.host_names):
        return True
    return host_of(request) in names_of(config)


def names_of(config: WebConfig) -> frozenset[str]:
    """Every name by which browsers may ask."""
    own = config.host.lower()
    public = urlsplit(config.public_url or "").netloc.rpartition("@")[2].lower()
    named = {own, f"[{own}]", public.rsplit(":", 1)[0], public, *map(str.lower, config.host_names)}
    return THIS_MACHINE | (named - {""})
