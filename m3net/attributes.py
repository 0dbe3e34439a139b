"""One attribute of a stranger's object: what it says, or that it says nothing that can be read.

Whoever wrote the object may have broken the rules of its value: "1,25" for a thickness, two values
where one is allowed, a text in a number's place, bytes that are no number at all.  pydicom raises
a dozen kinds of exception on them.  Here they all mean the same: the attribute says nothing.
Whether that matters is the reader's to decide; `holds` tells it from an attribute that is absent.

No value is ever quoted in a message: what stands in the wrong place may be a patient's name.
"""

import math
import re
import struct
import zlib
from collections.abc import Iterable

from pydicom import Dataset
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.tag import Tag

from m3net import pydicom_fixes

pydicom_fixes.prepare()

_UID = re.compile(r"[0-9.]{1,64}")
_BINARY = frozenset({"AT", "FL", "FD", "SL", "SS", "SV", "UL", "US", "UV", "US or SS"})

PARSER_ERRORS: tuple[type[Exception], ...] = (
    ArithmeticError,
    InvalidDicomError,
    BytesLengthException,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What pydicom, its decoders, numpy and a reader raise on bytes that are no sound DICOM."""


def number(dataset: Dataset, keyword: str) -> float | None:
    """The attribute's one finite number; None if it is absent or holds anything else."""
    found = numbers(dataset, keyword)
    return found[0] if len(found) == 1 else None


def numbers(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """The attribute's numbers; none if it is absent or one of them is no finite number."""
    found = []
    for value in _values(dataset, keyword):
        try:
            # Through text: a DS may hold what its own type does not take.
            found.append(float(str(value)))
        except PARSER_ERRORS:
            return ()
    return tuple(found) if all(map(math.isfinite, found)) else ()


def whole(dataset: Dataset, keyword: str) -> int | None:
    """The attribute's one whole number, "512.0" too; None if it is absent or anything else."""
    found = number(dataset, keyword)
    return int(found) if found is not None and found.is_integer() else None


def text(dataset: Dataset, keyword: str) -> str:
    """The attribute as one text, several values with a backslash between; empty if it is absent."""
    return "\\".join(texts(dataset, keyword)).strip()


def texts(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """The attribute's values as texts, without padding; none if it is absent or unreadable."""
    found = []
    for value in _values(dataset, keyword):
        try:
            found.append(str(value).strip(" \0"))
        except PARSER_ERRORS:
            return ()
    return tuple(found)


def uid(dataset: Dataset, keyword: str) -> str:
    """The attribute's one UID; empty if it is absent or anything else."""
    found = text(dataset, keyword)
    return found if _UID.fullmatch(found) else ""


def items(dataset: Dataset, keyword: str) -> tuple[Dataset, ...]:
    """The items of a sequence; none if it is absent or no sequence."""
    found = _values(dataset, keyword)
    return tuple(item for item in found if isinstance(item, Dataset))


def holds(dataset: Dataset, keyword: str) -> bool:
    """Whether something stands there, readable or not."""
    tag = Tag(keyword)
    element = dataset.get_item(tag) if tag in dataset else None
    if element is None:
        return False
    if isinstance(element, RawDataElement):
        written = element.value or b""
        return bool(written if _is_binary(element) else written.strip(b" \0"))
    return not element.is_empty


def is_encapsulated(dataset: Dataset) -> bool:
    """Whether its pixels are in fragments; of a syntax that pydicom does not know, being newer."""
    syntax = getattr(getattr(dataset, "file_meta", None), "TransferSyntaxUID", None)
    return syntax is not None and (not syntax.is_transfer_syntax or bool(syntax.is_encapsulated))


def _is_binary(element: RawDataElement) -> bool:
    """Whether its bytes are numbers, of which a blank or a zero is one as good as any."""
    vr = element.VR or dictionary_VR(element.tag)
    return vr in _BINARY


def _values(dataset: Dataset, keyword: str) -> list[object]:
    try:
        value = dataset.get(keyword)
        if value is None or value == "" or value == b"":
            return []
        if isinstance(value, str | bytes) or not isinstance(value, Iterable):
            return [value]
        return list(value)
    except PARSER_ERRORS:
        return []
