"""An element's value as numbers and texts, whatever its VR, without pydicom's guesses (PS3.5 6.2).

pydicom reads a whole object as unusable for one value that breaks the rules of its VR.  Here such a
value is handed on as it was written: a text where a number was expected, the bytes where there is
no text.
"""

import math
import re
import struct
from collections.abc import Sequence

from node.web.dicomweb.encoded_object import Element
from sr_templates.character_sets import TEXT_VRS, Undecodable, decode

BYTES = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
"""VRs whose value is a string of bytes."""
_NUMBERS = {
    "FD": "d", "FL": "f", "SL": "l", "SS": "h", "SV": "q", "UL": "L", "US": "H", "UV": "Q",
}  # fmt: skip
_WORD = {
    **{vr: struct.calcsize(f"<{code}") for vr, code in _NUMBERS.items()},
    "AT": 2,
    "OD": 8,
    "OF": 4,
    "OL": 4,
    "OV": 8,
    "OW": 2,
}
"""Of how many bytes one word is, where it is of more than one."""
_SINGLE_VALUED = frozenset({"LT", "ST", "UR", "UT"})
_LEADING_SPACES_COUNT = frozenset({"LT", "ST", "UT", "UC", "UR"})
_WHOLE = re.compile(r"[+-]?\d{1,12}")
_DECIMAL = re.compile(r"[+-]?(\d{1,32}\.?\d{0,32}|\.\d{1,32})([eE][+-]?\d{1,3})?")
_EXACT = 2**53
"""Beyond it readers that know floating point alone would lose digits."""

Value = str | int | float | None


class NoValue(ValueError):
    """The bytes are no value of the VR."""


def values(element: Element, raw: bytes, character_set: Sequence[str]) -> list[Value]:
    """The values of an element that is neither a sequence nor bytes; None where one is empty.

    A binary number that is not finite, or that JSON readers would round, is a text.  Decimal
    strings stay as they are written (`number_of`); person names are whole.

    Raises NoValue if the bytes are none.
    """
    vr = element.vr
    if vr in _NUMBERS:
        return [_number(each) for each in _unpacked(raw, _NUMBERS[vr], little=element.little)]
    if vr == "AT":
        pairs = _unpacked(raw, "H", little=element.little)
        if len(pairs) % 2:
            raise NoValue
        return [
            f"{group:04X}{number:04X}"
            for group, number in zip(pairs[::2], pairs[1::2], strict=True)
        ]
    text = _text(raw, vr, character_set)
    parts = [text] if vr in _SINGLE_VALUED else text.split("\\")
    return [_stripped(part, vr) or None for part in parts]


def number_of(value: Value, vr: str) -> Value:
    """The number that a decimal or integer string is; the string if it is none."""
    if isinstance(value, str) and vr in ("DS", "IS"):
        return _decimal(value, whole=vr == "IS")
    return value


def little_endian(element: Element, raw: bytes) -> bytes:
    """The bytes of such a VR, or of a part of them, in little endian (PS3.5 7.3)."""
    size = _WORD.get(element.vr, 1)
    if element.little or size == 1 or len(raw) % size:
        return raw
    swapped = bytearray(len(raw))
    for byte in range(size):
        swapped[byte::size] = raw[size - 1 - byte :: size]
    return bytes(swapped)


def _unpacked(raw: bytes, code: str, *, little: bool) -> tuple[float, ...]:
    order = "<" if little else ">"
    count, rest = divmod(len(raw), struct.calcsize(order + code))
    if rest:
        raise NoValue
    return struct.unpack(f"{order}{count}{code}", raw)


def _number(value: float) -> Value:
    if isinstance(value, int):
        return value if abs(value) <= _EXACT else str(value)
    return value if math.isfinite(value) else _not_finite(value)


def _not_finite(value: float) -> str:
    """As JavaScript and Python both read it back."""
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _text(raw: bytes, vr: str, character_set: Sequence[str]) -> str:
    raw = raw.rstrip(b"\0 ")
    if vr in TEXT_VRS:
        try:
            return decode(raw, tuple(character_set), vr=vr)
        except Undecodable:
            pass  # what cannot be read is seen as such, not guessed at
    return raw.decode("ascii", "replace")


def _stripped(part: str, vr: str) -> str:
    return part.rstrip("\0 ") if vr in _LEADING_SPACES_COUNT else part.strip("\0 ")


def _decimal(text: str, *, whole: bool) -> Value:
    """A number, or the text as it was written if it is none."""
    if _WHOLE.fullmatch(text):
        return int(text)
    if not _DECIMAL.fullmatch(text):
        return text
    number = float(text)
    if not math.isfinite(number):
        return text
    if whole:
        return int(number) if number.is_integer() and abs(number) <= _EXACT else text
    return number
