"""Codes: reading them, what each says of a mark (`codes.tsv`), and how they are spoken.

Codes are compared through pydicom, which knows that SRT M-03010 and SCT 27925004 are one concept.
A code that the table lacks is read by the words of its meaning, if its scheme is one of the public
ones: then a person chose it from a list.  Other schemes hold what somebody typed.
"""

import re
from collections.abc import Iterable
from enum import StrEnum
from functools import cache
from importlib import resources

from pydicom import Dataset
from pydicom.sr.coding import Code

from m3net.annotations.labels import Verdict, names_lung, names_position, read_label

_PUBLIC = frozenset(
    {"SCT", "SRT", "SNM3", "FMA", "RADLEX", "DCM", "LN", "UMLS", "NCIT", "UBERON", "NEU", "RO"}
    | {"I9", "I10", "I10P", "ICDO", "I9C", "MSH", "ITIS_TSN", "BARI"}
)
_SCHEMES = {
    **dict.fromkeys(("SNM3", "99SDM", "SRT"), "SRT"),
    **dict.fromkeys(("SNOMED", "SNOMED-CT", "SNOMEDCT", "SCT"), "SCT"),
    "RADLEX": "RADLEX",
    "FMA": "FMA",
}
"""The designator of schemes that objects name in several ways: older ones, and small letters."""
_TYPED = re.compile(r"FREE_?TE?XE?T", re.IGNORECASE)
"""Cornerstone's code values for what a user types, its own spelling included."""


class Sort(StrEnum):
    """What a code says of the mark that it is given to."""

    NODULE = "nodule"
    LESION = "lesion"
    GENERIC = "generic"
    """Nothing: tissue, organ, region of interest."""
    LUNG = "lung"
    """The lung or a part of it: the site of a nodule, and no nodule itself."""
    OTHER = "other"


def read_code(item: Dataset | None) -> Code | None:
    """The code of one item of a code sequence; None if it holds none."""
    if item is None:
        return None
    value = item.get("CodeValue") or item.get("LongCodeValue") or item.get("URNCodeValue")
    if not value:
        return None
    scheme = str(item.get("CodingSchemeDesignator") or "")
    meaning = str(item.get("CodeMeaning") or "")
    return Code(str(value), _SCHEMES.get(scheme.upper(), scheme), meaning)


def first_code(dataset: Dataset, keyword: str) -> Code | None:
    """The code in the first item of a code sequence; None if the sequence is absent or empty."""
    items = dataset.get(keyword)
    return read_code(items[0]) if items else None


def is_typed(code: Code) -> bool:
    """Whether the meaning may be somebody's own words."""
    return code.scheme_designator.upper() not in _PUBLIC or bool(_TYPED.search(code.value))


def sort_of(code: Code) -> Sort:
    """What the code says of a mark, by the table, else by the words of its meaning."""
    listed = _listed(code)
    if listed is not None:
        return listed
    if names_lung(code.meaning):
        return Sort.LUNG
    match read_label(code.meaning).verdict:
        case Verdict.NODULE:
            return Sort.NODULE
        case Verdict.LESION:
            return Sort.LESION
        case Verdict.ELSEWHERE | Verdict.OTHER:
            return Sort.OTHER
        case Verdict.NOTHING:
            plain = read_label(code.meaning).plain
            return Sort.GENERIC if plain or is_typed(code) else Sort.OTHER


def decisive_finding(findings: Iterable[Code]) -> Code | None:
    """The first that says nodule, else one that says something else, else a lesion, else any."""
    weight = (Sort.NODULE, Sort.OTHER, Sort.LUNG, Sort.LESION, Sort.GENERIC)
    return min(findings, key=lambda code: weight.index(sort_of(code)), default=None)


def decisive_site(sites: Iterable[Code]) -> Code | None:
    """The first site that is not in the lung, else the first; None if there is none.

    "Left" and "peripheral" (PS3.16 CID 244, CID 6125) are sites in some reports, and name none.
    """
    named = [site for site in sites if not _is_position(site)]
    elsewhere = (site for site in named if sort_of(site) is not Sort.LUNG)
    return next(elsewhere, named[0] if named else None)


def _is_position(code: Code) -> bool:
    """Whether the code says where within an organ, and not of which."""
    listed = _listed(code)
    return names_position(code.meaning) if listed is None else listed is Sort.GENERIC


def spoken(code: Code) -> str:
    """The code for people: its meaning, or of typed words what the table makes of them."""
    if not is_typed(code) and code.meaning:
        return " ".join(code.meaning.split())
    return read_label(code.meaning).says or "something else"


def listed_codes(sort: Sort) -> tuple[Code, ...]:
    """The codes that the table says this of."""
    return tuple(code for code, of in _table() if of is sort)


def _listed(code: Code) -> Sort | None:
    if code.scheme_designator.upper() == "FMA":
        code = Code(re.sub(r"^FMA:?", "", code.value), "FMA", code.meaning)
    return next((sort for other, sort in _table() if other == code), None)


@cache
def _table() -> tuple[tuple[Code, Sort], ...]:
    text = resources.files("m3net.annotations").joinpath("codes.tsv").read_text("utf-8")
    _, *rows = (line.split("\t") for line in text.splitlines())
    return tuple(
        (Code(value, scheme, meaning), Sort(sort)) for sort, scheme, value, meaning in rows
    )
