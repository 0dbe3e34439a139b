"""What an ROI of a structure set is: its name's dialect, then the words that all readers know.

Radiotherapy names follow AAPM TG-263 more or less: a target's letters, then what it is of.  "GTVp2"
is the gross volume of the second primary tumour, "GTVn" of lymph nodes; CTV, PTV and ITV are grown
from it by margins and so are no outline of what is seen.  "zGTV-PTV" is made for planning.
"""

import re

from pydicom.sr.coding import Code

from m3net.annotations.meaning import Meaning, Reading, Said, meaning_of

NO_NODULE_TYPES = frozenset(
    {
        "AVOIDANCE",
        "BOLUS",
        "BRACHY_ACCESSORY",
        "BRACHY_CHANNEL",
        "BRACHY_CHNL_SHLD",
        "BRACHY_SRC_APP",
        "CAVITY",
        "CONTRAST_AGENT",
        "CONTROL",
        "CTV",
        "DOSE_MEASUREMENT",
        "DOSE_REGION",
        "EXTERNAL",
        "FIXATION",
        "IRRAD_VOLUME",
        "ISOCENTER",
        "MARKER",
        "PTV",
        "REGISTRATION",
        "SUPPORT",
        "TREATED_VOLUME",
    }
)
"""RT ROI Interpreted Types (PS3.3 C.8.8.8) that exclude; GTV supports, ORGAN says nothing."""

_TREATMENT_VOLUME = re.compile(r"(^|[^a-z]|z)((p|c|i|ic|ig|ip)tv|i gtv)")
_DERIVED = re.compile(
    r"(^|[^a-z])(ring|shell|rind|opt|mip|expanded|prv|avoid|isodose|dose|bed|gtv *sb|margins?"
    r"|exp *\d+|fiducials?|seeds?|markers?|clips?|coils?)([^a-z]|$)"
    r"|(tumou?r|gtv) *bed"
    r"|[a-z0-9 ]\+ *\d|gtv.*\d *[mc]m([^a-z]|$)|\d *%"
)
_WITHOUT = re.compile(
    r"[a-z0-9)] *- *i?gtv|(^|[^a-z])lungs *-"
    r"|(^|[^a-z])(minus|ex(cl[a-z]*)?|sub|w[/_]?o|without|ohne|sans|senza|sin|not|less)([^a-z].*)?"
    r"(gtv|tumou?r|nod|les|mass)",
    re.IGNORECASE,
)
"""An organ without its tumour; in TG-263 the sign is a minus: "Lungs-GTV"."""
_NODES = re.compile(
    r"gtv *(p|t)? *[+&]? *n(?![a-z])"
    r"|gtv *l?n(d|ods?|odes?|odal)?[ \d]*(?![a-z])|(^|[^a-z])lns?([^a-z]|$)"
    r"|gtv *([248]|9|1[0-4]) *[rl]([^a-z]|$)|gtv *st(ation|at)? *\d"
)
"""Stations too: "GTV_4R", "GTV_St7"."""
_VERTEBRA = re.compile(r"gtv *(th *\d|t *([5-9]|1[12])(?!\d))")
"""Not T1 to T4, which are targets or stages, nor T0, T10, ..., which are phases of breathing."""
_GROSS_TUMOUR = re.compile(r"(^|[^a-z])gtv *(p|t|primary|tumou?r)?[ \d]*(?![a-z])")
_WHOLE_LUNG = re.compile(r"(^|[^a-z])lungs?([^a-z]|$)")
_IN_LUNG = re.compile(
    r"(^|(?<=[^a-z]))(lungs?|rul|rml|rll|lul|lll|lobe|upper|lower|middle|left|right|[lr]t?)(?![a-z])"
)


def meaning_of_roi(
    name: str,
    *,
    code: Code | None = None,
    interpreted_type: str = "",
    others: tuple[str, ...] = (),
) -> Reading:
    """What the ROI is.

    code             : RT ROI Identification Code
    interpreted_type : RT ROI Interpreted Type
    others           : label and description; they count where the name says nothing
    """
    kind = interpreted_type.strip().upper()
    if kind in NO_NODULE_TYPES:
        return Reading(meaning=Meaning.OTHER, says=f"of type {kind}")
    spoken = _spoken(name)
    if _TREATMENT_VOLUME.search(spoken) or _DERIVED.search(spoken):
        return Reading(meaning=Meaning.OTHER, says="a treatment volume")
    if _WITHOUT.search(name):
        return Reading(meaning=Meaning.OTHER, says="a structure without its tumour")
    if _NODES.search(spoken):
        return Reading(meaning=Meaning.OTHER, says="lymph nodes")
    if _VERTEBRA.search(spoken):
        return Reading(meaning=Meaning.OTHER, says="vertebra")
    gross = _GROSS_TUMOUR.search(spoken) is not None
    rest = _IN_LUNG.sub(" ", _GROSS_TUMOUR.sub(" ", spoken)) if gross else spoken
    named = meaning_of(Said(kind=code, texts=(rest,)))
    if named.meaning is Meaning.UNSAID and not gross:
        named = meaning_of(Said(texts=tuple(_spoken(other) for other in others)))
    typed = kind == "GTV" and not _WHOLE_LUNG.search(spoken)
    if named.meaning is Meaning.UNSAID and (gross or typed):
        return Reading(meaning=Meaning.NODULE, says="gross tumour volume")
    return named


def _spoken(name: str) -> str:
    """In small letters, with what joins its words as spaces: "GTV_Lung-L1" is "gtv lung-l1"."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return re.sub(r"[_.,;:/()\[\]^|-]+", " ", parted).lower().strip()
