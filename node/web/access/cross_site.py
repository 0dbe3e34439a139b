"""What another site made a browser send is turned away.

A browser sends cookies, and reaches loopback, whoever's page made it ask; but it says of every
changing request from where it comes.  And it does not tell another site the token.
"""

import hmac
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from node.config import WebConfig

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
HEADER = "x-csrf-token"
FIELD = "csrf_token"
FOREIGN = "this was sent from a page of another site"
NO_TOKEN = "the page that this was sent from is too old; load it again and repeat"
_OF_BROWSERS = frozenset({"accept-language", "cookie", "origin", "referer", "sec-fetch-site"})
_DEFAULT_PORTS = (":80", ":443")


def is_foreign(
    request: HTTPConnection,
    config: WebConfig,
    *,
    origins: Collection[str] = (),
    token_follows: bool = False,
) -> bool:
    """Whether a browser sent it from a page that is neither ours nor of the origins.

    token_follows : a token has to be shown too; then the origin may be hidden, as it is where a
                    page has the Referrer-Policy no-referrer, which ours have (Fetch, "append a
                    request Origin header")
    """
    said = request.headers.getlist("origin")
    if token_follows and said == ["null"]:
        said = []
    if len(said) > 1:
        return True
    if said and said[0] in origins:
        return False
    site = request.headers.get("sec-fetch-site", "none").lower()
    return site not in ("none", "same-origin") or bool(
        said and not _is_ours(said[0], request, config)
    )


def browser_sent(request: HTTPConnection) -> bool:
    """Whether it has one of the headers that a browser always sends, and programs do not."""
    return not _OF_BROWSERS.isdisjoint(request.headers.keys())


def shows_token(shown: str, expected: Collection[str]) -> bool:
    """Whether it is one of those; none is shown by an empty text."""
    return any(each and hmac.compare_digest(shown.encode(), each.encode()) for each in expected)


def _is_ours(origin: str, request: HTTPConnection, config: WebConfig) -> bool:
    try:
        asked = urlsplit(origin)
    except ValueError:
        return False
    if asked.scheme not in ("http", "https"):
        return False
    own = {_without_default(host) for host in request.headers.getlist("host")}
    if config.public_url is not None:
        own.add(_without_default(urlsplit(config.public_url).netloc))
    return _without_default(asked.netloc) in own


def _without_default(netloc: str) -> str:
    netloc = netloc.lower()
    for port in _DEFAULT_PORTS:
        netloc = netloc.removesuffix(port)
    return netloc
