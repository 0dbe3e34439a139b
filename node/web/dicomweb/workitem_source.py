"""Which of the configured sources a new work item's inputs are to come from.

Clients only choose among those: no address that a client names is ever called.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import assert_never

from node.config import DicomwebSource, DimseSource, SourceConfig
from node.web.dicomweb.workitem_asked import Retrieval
from node.web.problems import Problem

_URL = re.compile(r"(https?)://([^/?#\\@\s]+)(/[^?#\\\s]*)?", re.IGNORECASE)
_UID = "[0-9.]{1,64}"
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who gives objects.

    source : None is this node itself: what it has need not be fetched
    """

    source: str | None
    url: str | None = None
    title: str | None = None


def holder(source: SourceConfig) -> Holder:
    """The source, as a client names it."""
    match source:
        case DicomwebSource():
            return Holder(source=source.name, url=source.url)
        case DimseSource():
            return Holder(source=source.name, title=source.ae_title)
        case _:
            assert_never(source)


def chosen(retrievals: Sequence[Retrieval], holders: Sequence[Holder], *, study: str) -> str | None:
    """The first that all of the inputs can be had from; None if that is this node itself.

    Raises Problem(409) if there is none.
    """
    for each in holders:
        if all(_gives(each, retrieval, study) for retrieval in retrievals):
            return each.source
    if all(any(_gives(each, one, study) for each in holders) for one in retrievals):
        raise Problem(HTTPStatus.CONFLICT, "the inputs are at several sources; one is asked")
    raise Problem(
        HTTPStatus.CONFLICT,
        "an input is at no source of this node, or its Retrieve URL is none of this study; the "
        "URL or AE title has to be that of one of [[sources]] in the configuration",
    )


def _gives(holder: Holder, retrieval: Retrieval, study: str) -> bool:
    return holder.title in retrieval.titles or (
        holder.url is not None and any(_is_below(url, holder.url, study) for url in retrieval.urls)
    )


def _is_below(url: str, base: str, study: str) -> bool:
    """Whether it is the service's address, or one of the study there.

    Compared letter by letter, but for the case of scheme and host, and the default port: what is
    written in any other way (an encoded character, a dot segment, a query) is another address.
    """
    asked, known = _parts(url), _parts(base)
    if asked is None or known is None or asked[0] != known[0]:
        return False
    path, root = asked[1], known[1]
    below = rf"(?:/studies/{re.escape(study)}(?:/series/{_UID}(?:/instances/{_UID})?)?)?/?"
    return path.startswith(root) and re.fullmatch(below, path[len(root) :]) is not None


def _parts(url: str) -> tuple[str, str] | None:
    """Scheme with host and port, and the path without its last slash."""
    found = _URL.fullmatch(url)
    if found is None:
        return None
    scheme = found[1].lower()
    host = found[2].lower().removesuffix(_DEFAULT_PORTS[scheme])
    return f"{scheme}://{host}", (found[3] or "").rstrip("/")
