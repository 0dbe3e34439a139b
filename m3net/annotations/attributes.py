"""Attributes as strangers write them: the value, nothing, or one reason that names the attribute.

No reason repeats a value, which may be a user's word or a patient's name in the wrong place.
"""

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.datadict import dictionary_description, dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from m3net.attributes import PARSER_ERRORS
from m3net.errors import AnnotationUnusable
from m3net.uids import is_uid

_LONGEST_BYTES = 16_000_000
"""Of one list of numbers: a million points of a structure set's contour."""


def items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence; none if it is absent or empty.

    Raises AnnotationUnusable if the attribute holds something else.
    """
    found = _value(dataset, keyword)
    if found is None or found == "":
        return []
    if not isinstance(found, list | tuple) and not hasattr(found, "__iter__"):
        raise AnnotationUnusable(f"{_name(keyword)} is no sequence")
    inside = list(found)
    if not all(isinstance(item, Dataset) for item in inside):
        raise AnnotationUnusable(f"{_name(keyword)} is no sequence")
    return inside


def text(dataset: Dataset, keyword: str) -> str:
    """The value as one line, several joined by spaces; empty if absent."""
    found = _value(dataset, keyword)
    if found is None:
        return ""
    if not isinstance(found, str) and hasattr(found, "__iter__"):
        found = " ".join(str(value) for value in found)
    return " ".join(str(found).replace("\0", " ").split())


def uid(dataset: Dataset, keyword: str) -> str:
    """The UID; empty if absent.

    Raises AnnotationUnusable if it is none.
    """
    found = text(dataset, keyword)
    if found and not is_uid(found):
        raise AnnotationUnusable(f"{_name(keyword)} is no UID")
    return found


def integer(dataset: Dataset, keyword: str) -> int | None:
    """The whole number; None if absent.

    Raises AnnotationUnusable if it is none.
    """
    found = text(dataset, keyword)
    try:
        return int(found) if found else None
    except ValueError:
        raise AnnotationUnusable(f"{_name(keyword)} is no whole number") from None


def points(dataset: Dataset, keyword: str, *, width: int) -> NDArray[np.float64]:
    """A list of coordinates, (N, width); (0, width) if absent.

    Decimal strings may be longer than the Standard's 16 characters.

    Raises AnnotationUnusable if they are no finite numbers, do not part into points, or are so many
    that no nodule can need them.
    """
    try:
        values = _numbers(dataset, keyword)
    except PARSER_ERRORS:
        raise AnnotationUnusable(f"{_name(keyword)} is no list of numbers") from None
    if len(values) % width:
        raise AnnotationUnusable(
            f"{_name(keyword)} has {len(values)} numbers, expected {width} for each point"
        )
    if not np.all(np.isfinite(values)):
        raise AnnotationUnusable(f"{_name(keyword)} holds something that is no finite number")
    return values.reshape(-1, width)


def _numbers(dataset: Dataset, keyword: str) -> NDArray[np.float64]:
    """Straight from the bytes where they are still there; pydicom makes an object of each."""
    tag = Tag(keyword)
    element = dataset.get_item(tag) if tag in dataset else None
    if element is None or element.value is None:
        return np.zeros(0)
    raw = element.value
    if isinstance(element, RawDataElement) and _vr(element) == "DS":
        if len(raw) > _LONGEST_BYTES:
            raise AnnotationUnusable(f"{_name(keyword)} is {len(raw)} bytes long")
        written = raw.strip(b" \0\\")
        return np.array([float(number) for number in written.split(b"\\")] if written else [])
    found = _value(dataset, keyword)
    return np.asarray([] if found in (None, "") else found, dtype=np.float64).ravel()


def _vr(element: RawDataElement) -> str:
    """As written; where it is not (implicit VR, UN), as the Standard has it."""
    return dictionary_VR(element.tag) if element.VR in (None, "UN") else element.VR


def _value(dataset: Dataset, keyword: str) -> object:
    try:
        return dataset.get(keyword)
    except PARSER_ERRORS:
        raise AnnotationUnusable(f"{_name(keyword)} cannot be read") from None


def _name(keyword: str) -> str:
    """As the Standard names it: "Contour Data"."""
    return dictionary_description(keyword)
