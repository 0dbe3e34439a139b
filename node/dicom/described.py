"""What an object says of its study, its series and itself, as far as searches ask for it."""

import re
from collections.abc import Callable, Mapping

from pydicom import Dataset

from m3net.attributes import PARSER_ERRORS
from node.dicom.header_text import text_of
from node.dicom.searchable import READ, Attribute, Described, Level, Value

_GREATEST = (1 << 31) - 1
_TIME = re.compile(r"[0-9]{2}(?:[0-9]{2}(?:[0-9]{2}(?:\.[0-9]{1,6})?)?)?")


def described(header: Dataset) -> Described:
    """What it says; of a value that breaks the rules of its VR nothing."""
    found = {level: {each.column: _value(header, each) for each in READ[level]} for level in Level}
    return Described(
        study=found[Level.STUDY], series=found[Level.SERIES], instance=found[Level.INSTANCE]
    )


def _value(header: Dataset, attribute: Attribute) -> Value:
    stands_in = header
    if attribute.inside:
        item = _first_item(header, attribute.inside)
        if item is None:
            return ""
        stands_in = item
    text = text_of(stands_in, attribute.keyword)
    read = _OF_VR.get(attribute.vr)
    return text if read is None else read(text)


def _first_item(header: Dataset, keyword: str) -> Dataset | None:
    try:
        items = header.get(keyword)
        return items[0] if items else None
    except PARSER_ERRORS:
        return None


def date_of(text: str) -> str:
    """YYYYMMDD; empty if it is no date.  What the Standard wrote before 1993 is understood."""
    digits = text.replace(".", "")
    return digits if re.fullmatch(r"[0-9]{8}", digits) else ""


def time_of(text: str) -> str:
    """HHMMSS.FFFFFF or the beginning of it; empty if it is no time."""
    plain = text.replace(":", "")
    return plain if _TIME.fullmatch(plain) else ""


def _number(text: str) -> int | None:
    first = text.partition("\\")[0].strip()
    if not re.fullmatch(r"[+-]?[0-9]{1,12}", first) or abs(int(first)) > _GREATEST:
        return None
    return int(first)


_OF_VR: Mapping[str, Callable[[str], Value]] = {
    "DA": date_of,
    "TM": time_of,
    "IS": _number,
    "US": _number,
}
