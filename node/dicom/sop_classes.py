"""Which SOP classes are accepted, and which of them mean something to this node.

Two sets, kept apart.  A PACS that routes whole studies must never meet a class that is refused
for ever, so everything that is storage is accepted; only CT images and annotations are read.
"""

from typing import Literal

from pydicom._uid_dict import UID_dictionary
from pydicom.uid import UID

from m3net.annotations.kinds import READABLE, UNSUPPORTED
from m3net.ct.enhanced import ENHANCED_CT

CT_IMAGE_STORAGE = UID("1.2.840.10008.5.1.4.1.1.2")
VERIFICATION = UID("1.2.840.10008.1.1")

_NOT_OF_A_STUDY = frozenset(
    {
        "1.2.840.10008.1.3.10",  # Media Storage Directory
        "1.2.840.10008.1.20.1",  # Storage Commitment Push Model
        "1.2.840.10008.1.20.2",  # Storage Commitment Pull Model
        "1.2.840.10008.5.1.4.1.1.200.1",  # CT Defined Procedure Protocol
        "1.2.840.10008.5.1.4.1.1.200.3",  # Protocol Approval
        "1.2.840.10008.5.1.4.1.1.200.7",  # XA Defined Procedure Protocol
        "1.2.840.10008.5.1.4.1.1.201.1",  # Inventory
        "1.2.840.10008.5.1.4.38.1",  # Hanging Protocol
        "1.2.840.10008.5.1.4.39.1",  # Color Palette
        "1.2.840.10008.5.1.4.43.1",  # Generic Implant Template
        "1.2.840.10008.5.1.4.44.1",  # Implant Assembly Template
        "1.2.840.10008.5.1.4.45.1",  # Implant Template Group
    }
)
"""Named storage, but of no patient's study: nothing to file them under."""
_NEWER = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.9.100.1",  # Waveform Presentation State Storage
        "1.2.840.10008.5.1.4.1.1.9.100.2",  # Waveform Acquisition Presentation State Storage
        "1.2.840.10008.5.1.4.1.1.66.7",  # Label Map Segmentation Storage
        "1.2.840.10008.5.1.4.1.1.66.8",  # Height Map Segmentation Storage
    }
)
"""Storage of the Standard that pydicom's dictionary does not have yet (PS3.6 Table A-1)."""


def names_study(sop_class_uid: str) -> bool:
    """Whether what such an object says of patient and study counts more than what others say.

    A scanner's does; a stray annotation's does not.
    """
    return sop_class_uid == CT_IMAGE_STORAGE or sop_class_uid in ENHANCED_CT


def standard_storage() -> frozenset[UID]:
    """The Standard's storage SOP classes, retired ones too, that belong to a study."""
    named = {
        uid
        for uid, (name, kind, *_) in UID_dictionary.items()
        if kind == "SOP Class" and "Storage" in name
    }
    return frozenset(UID(uid) for uid in (named | _NEWER) - _NOT_OF_A_STUDY)


def interpreted() -> frozenset[UID]:
    """The SOP classes whose content this node reads."""
    return frozenset({CT_IMAGE_STORAGE, *(UID(uid) for uid in (*ENHANCED_CT, *READABLE))})


def recognised() -> frozenset[UID]:
    """Those that this version cannot read, and says so: "not supported yet", never "no nodule"."""
    return frozenset(UID(uid) for uid in UNSUPPORTED)


_STANDARD_STORAGE = standard_storage()


def is_accepted(abstract_syntax: UID, accept: Literal["all", "listed"]) -> bool:
    """Whether a presentation context of this class is accepted for storage.

    "all" takes private classes as well, and public ones newer than the dictionaries here.
    """
    if accept == "listed":
        return abstract_syntax in interpreted() or abstract_syntax in recognised()
    if abstract_syntax in _STANDARD_STORAGE:
        return True
    unknown_here = abstract_syntax not in UID_dictionary
    return unknown_here and abstract_syntax not in _NOT_OF_A_STUDY
