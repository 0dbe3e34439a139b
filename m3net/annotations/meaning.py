"""What an annotation says of one mark: that it is a nodule, something else, or nothing at all.

Codes go before words, and what an object says elsewhere of the mark (its site) can only take away.
A user's own words (labels, comments, tracking identifiers, ROI names) are read and never repeated:
they may hold a patient's name.  So a `Reading` speaks in the words of the Standard's codes or ours.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

_NODULES = (
    codes.SCT.Nodule,
    codes.SCT.Mass,
    codes.SCT.Lesion,
    codes.SCT.Neoplasm,
    Code("86049000", "SCT", "Neoplasm, Primary"),
    Code("14799000", "SCT", "Neoplasm, Secondary"),
    Code("427359005", "SCT", "Solitary nodule of lung"),
    Code("786838002", "SCT", "Pulmonary nodule"),
    Code("RID3875", "RADLEX", "nodule"),
    Code("RID50149", "RADLEX", "pulmonary nodule"),
)
_NODULE_WORDS = re.compile(
    r"nodul|lesion|\bmass\b|tumou?r|neoplas|malignan|cancer|carcinoma|metasta|\bgtv|opacity",
    re.IGNORECASE,
)
_ALTERED = Code("49755003", "SCT", "Morphologically Altered Structure")
_ALTERED_BUT_NO_NODULE = re.compile(
    r"emphysema|edema|oedema|effusion|atelecta|fibrosis|pneumothorax|h(a)?emorrhage|necrosis"
    r"|calcification|consolidation|thrombus|embol",
    re.IGNORECASE,
)
_OTHER_ORGAN = re.compile(
    r"liver|hepat|kidney|renal|adrenal|brain|cerebr|\bbone|vertebra|spine|\brib\b|breast|thyroid"
    r"|spleen|pancrea|lymph|heart|cardiac|aort|muscle|skin|colon|stomach|oesophag|esophag",
    re.IGNORECASE,
)
_FREE_TEXT = ("CORNERSTONE", "99")
"""Schemes whose meanings people type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What an annotation says of one mark.

    kind     : Segmented Property Type, Finding, ROI observation: what it is
    category : of what sort that is
    site     : Anatomic Region, Finding Site: where it is
    texts    : labels, comments, tracking identifiers, ROI names; read, never repeated
    """

    kind: Code | None = None
    category: Code | None = None
    site: Code | None = None
    texts: tuple[str, ...] = ()


class Meaning(StrEnum):
    """What a mark is, as far as the node is concerned."""

    NODULE = "nodule"
    OTHER = "other"
    """It is said to be something else, or to be elsewhere than in the lung."""
    UNSAID = "unsaid"
    """Nothing says what it is: a ruler, "ROI-1"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was understood.

    says : for people, from codes or our own table, never a user's words: "Liver", "nodule"
    """

    meaning: Meaning
    says: str


def meaning_of(said: Said) -> Reading:
    """What the mark is, by everything that is said of it."""
    other = why_no_nodule(category=said.category, kind=said.kind, site=said.site)
    if other is not None:
        return Reading(meaning=Meaning.OTHER, says=other)
    named = [code.meaning for code in (said.kind, said.category) if code is not None]
    if (said.kind is not None and said.kind in _NODULES) or any(
        map(_NODULE_WORDS.search, (*named, *said.texts))
    ):
        return Reading(meaning=Meaning.NODULE, says="nodule")
    if any(map(_OTHER_ORGAN.search, said.texts)):
        return Reading(meaning=Meaning.OTHER, says="something else")
    return Reading(meaning=Meaning.UNSAID, says="nothing says what it is")


def read_code(item: Dataset | None) -> Code | None:
    """The code of one item of a code sequence; None if it holds none."""
    if item is None:
        return None
    value = item.get("CodeValue") or item.get("LongCodeValue") or item.get("URNCodeValue")
    if not value:
        return None
    return Code(
        str(value),
        str(item.get("CodingSchemeDesignator") or ""),
        str(item.get("CodeMeaning") or ""),
    )


def first_code(dataset: Dataset, keyword: str) -> Code | None:
    """The code in the first item of a code sequence; None if the sequence is absent or empty."""
    items = dataset.get(keyword)
    return read_code(items[0]) if items else None


def why_no_nodule(
    *, category: Code | None, kind: Code | None, site: Code | None = None
) -> str | None:
    """None if this may be a lung nodule, else what it is instead, for people.

    category : Segmented Property Category, or Finding Category
    kind     : Segmented Property Type, or Finding
    site     : Anatomic Region, or Finding Site
    """
    if site is not None and _OTHER_ORGAN.search(site.meaning):
        return f"a finding in: {_spoken(site)}"
    if kind is not None and (kind in _NODULES or _NODULE_WORDS.search(kind.meaning)):
        return f"{_spoken(kind)}" if _OTHER_ORGAN.search(kind.meaning) else None
    if category is not None:
        altered = category == _ALTERED
        if altered and (kind is None or not _ALTERED_BUT_NO_NODULE.search(kind.meaning)):
            return None
        return _spoken(kind or category)
    if kind is None or (_is_free_text(kind) and not _OTHER_ORGAN.search(kind.meaning)):
        return None
    return _spoken(kind)


def _is_free_text(code: Code) -> bool:
    return code.scheme_designator.upper().startswith(_FREE_TEXT)


def _spoken(code: Code) -> str:
    if _is_free_text(code) or not code.meaning:
        return "something else"
    return code.meaning
