"""What the codes of an annotation say: whether the thing that it marks can be a lung nodule.

Codes are compared through pydicom, which knows that SRT M-03010 and SCT 27925004 are one concept.
Where an object uses a code that is not listed, the words of its meaning decide; what is then left
out is named in the report, so that nothing vanishes silently.
"""

import re

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
    r"nodul|lesion|\bmass\b|tumou?r|neoplas|malignan|cancer|carcinoma|metasta|\btarget\b|opacity",
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
"""Schemes whose meanings people type: such text decides, but is never repeated elsewhere."""


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
