"""How values become HTML: escaped always, and never able to disguise what stands beside them.

Texts come from headers that anyone may have written.  Jinja escapes markup; control characters and
those that turn the direction of writing are shown as what they are, and long texts are cut.
"""

import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from node.listed.studies import CUT

LONGEST = 1000
"""Characters of one text that are shown; reports say less in a sentence."""
_REPLACED = "\N{REPLACEMENT CHARACTER}"
_KEPT = frozenset("\n\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}")
"""Persian and Hindi names are not written without them."""


def shown(value: object) -> object:
    """The value as a template may print it; every expression of a template passes through here."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return "" if value is None else value
    if value.isascii() and value.isprintable() and len(value) <= LONGEST:
        return value
    if len(value) > LONGEST:
        value = f"{value[:LONGEST]}{CUT} ({len(value)} characters)"
    return "".join(letter if _is_harmless(letter) else _REPLACED for letter in value)


def _is_harmless(letter: str) -> bool:
    """No control, no mark of direction, nothing unassigned, no separator of lines."""
    return letter in _KEPT or unicodedata.category(letter) not in {
        "Cc",
        "Cf",
        "Cn",
        "Co",
        "Cs",
        "Zl",
        "Zp",
    }


def when(value: datetime | None) -> Markup:
    """Date and time on this machine's clock, as an element that programs can read."""
    if value is None:
        return Markup("")
    return Markup('<time class="when" datetime="{}">{}</time>').format(
        value.astimezone(UTC).isoformat(timespec="seconds"),
        value.astimezone().strftime("%Y-%m-%d %H:%M:%S"),
    )


def clock(value: datetime) -> Markup:
    """The time of day alone."""
    return Markup('<time datetime="{}">{}</time>').format(
        value.astimezone(UTC).isoformat(timespec="seconds"),
        value.astimezone().strftime("%H:%M:%S"),
    )


def uid_end(uid: str, ends: Mapping[str, str]) -> Markup:
    """Its end, as `node.listed.studies.uid_ends` has it; whole where one points at it."""
    return Markup('<span title="{}">{}</span>').format(uid, ends[uid])


def da(date: str) -> str:
    """A DICOM date (PS3.5 6.2) as people read it; anything else as it is."""
    is_date = len(date) == 8 and date.isascii() and date.isdigit()
    return f"{date[:4]}-{date[4:6]}-{date[6:]}" if is_date else date


def capitalize_first(text: str) -> str:
    """As a sentence begins; the rest stays as it is."""
    return text[:1].upper() + text[1:]


def megabytes(number: float) -> str:
    """ "526 MB", "1.4 GB"."""
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.0f} MB"


def environment() -> Environment:
    """What renders the templates; a name that a template misspells is an error."""
    made = Environment(
        loader=PackageLoader("node.web.page"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {
        "when": when,
        "clock": clock,
        "capitalize_first": capitalize_first,
        "da": da,
        "uid_end": uid_end,
        "megabytes": megabytes,
    }
    made.filters.update(filters)
    return made
