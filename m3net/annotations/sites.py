"""Side and lobe that an annotation codes for a mark.

Of a code that our table lists, the table's own words count, not what the object calls it; of other
codes the meaning, if its scheme is public.  What a user typed is never read for this.
"""

import re
from collections.abc import Iterable

from pydicom.sr.coding import Code

from m3net.annotations.coding import Sort, is_typed, listed_codes, sort_of
from m3net.nodule import Lobe, Side, Site

LATERALITY = Code("272741003", "SCT", "Laterality")
_SIDES = {
    Code("7771000", "SCT", "Left"): Side.LEFT,
    Code("24028007", "SCT", "Right"): Side.RIGHT,
}
_SIDE = re.compile(r"\b(left|right)\b", re.IGNORECASE)
_LOBE = re.compile(r"\b(upper|middle|lower) lobe\b|\b(upper|middle|lower)\b.*\blobe\b", re.I)


def site_of(site: Code | None, modifiers: Iterable[Code] = ()) -> Site | None:
    """Where in the lungs the code says that the mark is; None if it says no more than lung.

    modifiers : of the code, such as its laterality
    """
    if site in _SIDES:
        return Site(side=_SIDES[site])
    if site is None or sort_of(site) is not Sort.LUNG:
        return None
    words = _words(site)
    sides = {Side(found.lower()) for found in _SIDE.findall(words)}
    sides |= {_SIDES[code] for code in modifiers if code in _SIDES}
    lobe = _LOBE.search(words)
    found = Site(
        side=sides.pop() if len(sides) == 1 else None,
        lobe=Lobe(f"{(lobe[1] or lobe[2]).lower()} lobe") if lobe else None,
    )
    return None if len(sides) > 1 or found == Site() else found


def agreed(*sites: Site | None) -> Site | None:
    """What several codes or marks of one nodule say together; None if they say different things."""
    said = {*sites} - {None}
    return said.pop() if len(said) == 1 else None


def _words(site: Code) -> str:
    listed = next((code for code in listed_codes(Sort.LUNG) if code == site), None)
    if listed is not None:
        return listed.meaning
    return "" if is_typed(site) else site.meaning
