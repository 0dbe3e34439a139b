"""The Native DICOM Model (PS3.19 A.1)."""

import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape, quoteattr

from pydicom.datadict import keyword_for_tag

from node.web.dicomweb.element_values import Value
from node.web.dicomweb.metadata_model import Attribute

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_COMPONENTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")


def as_xml(attributes: Sequence[Attribute]) -> bytes:
    """One document in UTF-8; a character that XML 1.0 has not is U+FFFD."""
    return "".join(
        (
            '<?xml version="1.0" encoding="UTF-8"?>\n',
            '<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">',
            *_data_set(attributes),
            "</NativeDicomModel>\n",
        )
    ).encode()


def _data_set(attributes: Sequence[Attribute]) -> Iterator[str]:
    creators: dict[int, str] = {}
    for each in attributes:
        group, number = each.tag >> 16, each.tag & 0xFFFF
        yield f'<DicomAttribute tag="{_tag(each.tag)}" vr="{each.vr}"'
        if keyword := keyword_for_tag(each.tag):
            yield f' keyword="{keyword}"'
        if group % 2 and number > 0xFF and (creator := creators.get(group << 8 | number >> 8)):
            yield f" privateCreator={quoteattr(creator)}"
        elif group % 2 and 0x10 <= number <= 0xFF and each.values:
            creators[group << 8 | number] = _clean(each.values[0])
        yield ">"
        yield from _content(each)
        yield "</DicomAttribute>"


def _tag(tag: int) -> str:
    """Of a private element as if its creator had the first block (PS3.19 A.1.5.2)."""
    if tag >> 16 & 1 and tag & 0xFFFF > 0xFF:
        return f"{tag >> 16:04X}00{tag & 0xFF:02X}"
    return f"{tag:08X}"


def _content(each: Attribute) -> Iterator[str]:
    if each.items is not None:
        for number, item in enumerate(each.items, start=1):
            yield f'<Item number="{number}">'
            yield from _data_set(item)
            yield "</Item>"
    elif each.bulk is not None:
        yield f"<BulkData uri={quoteattr(each.bulk)}/>"
    elif each.inline is not None:
        yield f"<InlineBinary>{b64encode(each.inline).decode('ascii')}</InlineBinary>"
    elif each.vr == "PN":
        for number, value in enumerate(each.values or (), start=1):
            yield f'<PersonName number="{number}">'
            yield from _person_name(value)
            yield "</PersonName>"
    else:
        for number, value in enumerate(each.values or (), start=1):
            yield f'<Value number="{number}">{escape(_clean(value))}</Value>'


def _person_name(value: Value) -> Iterator[str]:
    for group, name in zip(_GROUPS, str(value or "").split("="), strict=False):
        parts = name.split("^")
        if not any(parts):
            continue
        yield f"<{group}>"
        for component, part in zip(_COMPONENTS, parts, strict=False):
            if part:
                yield f"<{component}>{escape(_clean(part))}</{component}>"
        yield f"</{group}>"


def _clean(value: Value) -> str:
    return _NO_XML.sub("\ufffd", "" if value is None else str(value))
