"""Environment variables that look like ours and set nothing: a mistyped one is not passed over.

Who sets M3NODE_DATABASE_ULR believes that the node writes into that database.  Values are never
said: they may hold a password.
"""

import difflib
import re
from collections.abc import Iterator, Mapping

from node.config.source import LISTS, PORT_OF_A_SERVICE, PREFIX, keys_of, settable

_TYPED = ("M3NODE_CONFIG", "M3NODE_TRACEBACK")
"""What is no key: the file of them, and more words."""
_OF_PROCESSES = ("M3NODE_FAMILY", "M3NODE_PARENT")
"""By what the node knows its own (`node.process.orphans`)."""
_OF_SERVICES = re.compile(
    r"\w*_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?)"
)
"""What Kubernetes sets for a service that is named m3node, or m3node-web."""
_ALIKE = 0.75
_PREFIX_ALIKE = 0.85
"""NODE_PATH is of somebody else; M3NOD_ and MNODE_ are slips."""


def unknown_variables(environ: Mapping[str, str]) -> dict[str, str | None]:
    """Variables that are meant for this node and set nothing, each with the nearest name, if any.

    What sets a key, rightly or wrongly, is judged by `load_config`.
    """
    return {
        name: _nearest(name)
        for name in sorted(environ)
        if _is_meant(name) and not _is_known(name, environ[name])
    }


def sets_nothing(name: str, nearest: str | None) -> str:
    """What is wrong with one of them, and what to write instead."""
    if nearest is not None:
        return f"{name} sets nothing; did you mean {nearest}?"
    return f"{name} sets nothing; a key is set by {PREFIX}SECTION__KEY"


def _is_meant(name: str) -> bool:
    begins = re.match(r"m3[-_.]?node[-_.]", name, re.IGNORECASE)
    return begins is not None or _alike(name.partition("_")[0].upper(), "M3NODE") > _PREFIX_ALIKE


def _is_known(name: str, value: str) -> bool:
    of_a_service = _OF_SERVICES.fullmatch(name) or PORT_OF_A_SERVICE.match(value)
    return name in (*_TYPED, *_OF_PROCESSES) or bool(keys_of(name)) or of_a_service is not None


def _nearest(name: str) -> str | None:
    typed = re.sub(r"[-_.]+", "_", name).lower()
    known = {_flat(each): each for each in _names(typed)}
    rest = typed.partition("_")[2]
    found = [flat for flat in known if rest and flat.endswith(f"_{rest}")]  # without its section
    found += difflib.get_close_matches(rest, known, n=1, cutoff=_ALIKE)
    return known[found[0]] if found else None


def _names(typed: str) -> Iterator[str]:
    """What can be set; of a list the entries whose numbers were typed."""
    paths = [*settable(), *((name,) for name in LISTS)]
    for number in re.findall(r"\d+", typed.partition("_")[2]):
        paths += [
            (name, number, key)
            for name, kinds in LISTS.items()
            for kind in kinds.values()
            for key in kind.model_fields
        ]
    yield from (PREFIX + "__".join(path).upper() for path in paths)
    yield from _TYPED


def _flat(name: str) -> str:
    return name.removeprefix(PREFIX).replace("__", "_").lower()


def _alike(name: str, other: str) -> float:
    return difflib.SequenceMatcher(None, name, other).ratio()
