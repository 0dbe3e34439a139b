"""The VR of an element, whatever its encoding says of it: stated, looked up, or unknown."""

from dataclasses import dataclass, field

from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import dictionary_VR, private_dictionary_VR
from pydicom.valuerep import STANDARD_VR

_KNOWN = frozenset(str(vr) for vr in STANDARD_VR)


@dataclass(slots=True, kw_only=True)
class Known:
    """What earlier elements of a data set or item have said of the VRs of later ones.

    signed   : whether Pixel Representation says that pixels have a sign
    creators : of private blocks, by group << 8 | block
    """

    signed: bool = False
    creators: dict[int, str] = field(default_factory=dict)


def vr_of(tag: int, stated: str, known: Known) -> str:
    """What is stated, else what the dictionaries say, else UN.

    stated : empty in Implicit VR
    """
    if stated not in ("", "UN"):
        return stated if stated in _KNOWN else "UN"
    group, number = tag >> 16, tag & 0xFFFF
    if group % 2:
        return "LO" if is_creator(tag) else _private(tag, known)
    if number == 0:
        return "UL"
    try:
        entry = DicomDictionary.get(tag)
        return _unambiguous(entry[0] if entry else dictionary_VR(tag), known)
    except KeyError:
        return "UN"


def is_creator(tag: int) -> bool:
    """Whether it reserves a block of private elements (PS3.5 7.8.1)."""
    return tag >> 16 & 1 == 1 and 0x10 <= tag & 0xFFFF <= 0xFF


def _private(tag: int, known: Known) -> str:
    creator = known.creators.get(tag >> 8)
    try:
        return "UN" if creator is None else _unambiguous(private_dictionary_VR(tag, creator), known)
    except KeyError:
        return "UN"


def _unambiguous(vr: str, known: Known) -> str:
    """PS3.5 A.1: where the VR depends on something, OW, or the pixels' sign decides."""
    if vr in _KNOWN:
        return vr
    if "OW" in vr:
        return "OW"
    if vr == "US or SS":
        return "SS" if known.signed else "US"
    return "UN"
