"""DICOM unique identifiers as distinct types: a series UID is never passed as a study UID."""

import re
from dataclasses import dataclass
from typing import NewType

StudyInstanceUID = NewType("StudyInstanceUID", str)
SeriesInstanceUID = NewType("SeriesInstanceUID", str)
SOPInstanceUID = NewType("SOPInstanceUID", str)
SOPClassUID = NewType("SOPClassUID", str)
FrameOfReferenceUID = NewType("FrameOfReferenceUID", str)


def is_uid(text: str) -> bool:
    """Whether the text can be a UID: numbers parted by dots, 64 characters at most (PS3.5 9.1)."""
    return len(text) <= 64 and re.fullmatch(r"[0-9]+(\.[0-9]+)*", text) is not None


def uid_in_words(text: str) -> str:
    """The UID; what is none is not repeated, for it may be a name in the wrong place."""
    return text if is_uid(text) else "(no UID)"


@dataclass(frozen=True, slots=True, order=True)
class FrameKey:
    """What one image plane is known by: its object and the number of its frame, from 1.

    An object of a single-frame class has one plane, frame 1.
    """

    sop_instance_uid: SOPInstanceUID
    frame: int = 1


@dataclass(frozen=True, slots=True, order=True)
class FrameReference:
    """What an object says of the image it was drawn on (PS3.3 Table 10-3).

    frame : Referenced Frame Number; 0 where none is named, which means every frame of the image,
            and the only one of a single-frame image
    """

    sop_instance_uid: SOPInstanceUID
    frame: int = 0

    def names(self, key: FrameKey) -> bool:
        """Whether the frame is among those that are referred to."""
        return self.sop_instance_uid == key.sop_instance_uid and self.frame in (0, key.frame)
