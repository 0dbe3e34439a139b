r"""Text in DICOM's character sets (PS3.3 C.12.1.1.2, PS3.5 6.1): decoded exactly, or left alone.

What is not text of the declared character set raises Undecodable and is never guessed at, since a
replacement character can make two patients one.  pydicom's own decoding replaces, takes 8-bit text
of senders that declare nothing for Latin-1, and leaves the escape sequences of ISO-IR 58 in place.

Code extensions (PS3.5 6.1.2.5) are a state: which set is designated to G0 (bytes below 128) and
which to G1 (the others).  An escape sequence changes one of them; control characters, backslashes
and, in person names, ``^`` and ``=`` bring back the sets of the first value.
"""

import re
import struct
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from pydicom import DataElement, Dataset
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.errors import BytesLengthException
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag
from pydicom.valuerep import PersonName

TEXT_VRS = frozenset({"SH", "LO", "ST", "LT", "UC", "UT", "PN"})
"""The VRs that Specific Character Set governs (PS3.5 6.1.2.2)."""

_SINGLE_VALUED = frozenset({"ST", "LT", "UT"})
SPECIFIC_CHARACTER_SET = BaseTag(0x00080005)
UNICODE = "ISO_IR 192"

Terms = tuple[str, ...]
"""The values of Specific Character Set; () where none is declared."""


class Undecodable(ValueError):
    """The bytes are no text of their character set."""


UNREADABLE: tuple[type[Exception], ...] = (
    AttributeError,
    BytesLengthException,
    LookupError,
    NotImplementedError,
    OSError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)
"""What pydicom raises when it is asked for a value that breaks the rules of its VR."""


_STAND_ALONE = {"ISO IR 192": "utf-8", "GB18030": "gb18030", "GBK": "gbk"}
"""PS3.3 table C.12-5: without code extensions; Python's codecs by the terms that `_plain` makes."""

_RIGHT_HALVES = {  # PS3.3 tables C.12-2 and C.12-3: Python's codec, and the final byte of ESC -
    "100": ("iso8859_1", b"A"),
    "101": ("iso8859_2", b"B"),
    "109": ("iso8859_3", b"C"),
    "110": ("iso8859_4", b"D"),
    "126": ("iso8859_7", b"F"),
    "127": ("iso8859_6", b"G"),
    "138": ("iso8859_8", b"H"),
    "144": ("iso8859_5", b"L"),
    "148": ("iso8859_9", b"M"),
    "166": ("iso8859_11", b"T"),
    "203": ("iso8859_15", b"b"),
}


@dataclass(frozen=True, slots=True)
class _Set:
    """A coded character set: how many bytes a character has, and how one is decoded."""

    width: int
    character: Callable[[bytes], str]


def _by(codec: str) -> Callable[[bytes], str]:
    return lambda code: code.decode(codec)


def _jis(prefix: bytes) -> Callable[[bytes], str]:
    return lambda code: (prefix + bytes(byte | 0x80 for byte in code)).decode("euc_jp")


_ASCII = _Set(1, _by("ascii"))
_ROMAJI = _Set(1, _by("shift_jis"))
_KATAKANA = _Set(1, _by("shift_jis"))
_KANJI = _Set(2, _jis(b""))
_MORE_KANJI = _Set(2, _jis(b"\x8f"))
_KOREAN = _Set(2, _by("euc_kr"))
_CHINESE = _Set(2, _by("gb2312"))


@dataclass(frozen=True, slots=True)
class _Designation:
    """What an escape sequence does: it puts a set into G0 or G1."""

    escape: bytes
    half: int
    designated: _Set


_TO_ASCII = _Designation(b"(B", 0, _ASCII)
_TO_ROMAJI = _Designation(b"(J", 0, _ROMAJI)

_EXTENSIONS: dict[str, tuple[_Designation, ...]] = {
    "6": (),
    "13": (_Designation(b")I", 1, _KATAKANA), _TO_ROMAJI),
    "87": (_Designation(b"$B", 0, _KANJI), _TO_ROMAJI),
    "159": (_Designation(b"$(D", 0, _MORE_KANJI), _TO_ROMAJI),
    "149": (_Designation(b"$)C", 1, _KOREAN),),
    "58": (_Designation(b"$)A", 1, _CHINESE),),
    **{
        number: (_Designation(b"-" + final, 1, _Set(1, _by(codec))),)
        for number, (codec, final) in _RIGHT_HALVES.items()
    },
}

_TERM = re.compile(r"ISO (?:2022 )?IR (\d+)")


def is_known(term: str) -> bool:
    """Whether text of this character set can be decoded."""
    return _plain(term) in _STAND_ALONE or _number(term) in _EXTENSIONS


def defined_terms() -> tuple[str, ...]:
    """Every term that is decoded (PS3.3 tables C.12-2 to C.12-5)."""
    single = sorted(("13", *_RIGHT_HALVES), key=int)
    numbers = sorted(_EXTENSIONS, key=int)
    return (
        *(f"ISO_IR {number}" for number in single),
        *(f"ISO 2022 IR {number}" for number in numbers),
        *("ISO_IR 192" if term == "ISO IR 192" else term for term in _STAND_ALONE),
    )


def decode(value: bytes, character_set: Terms, *, vr: str) -> str:
    """The text.  Raises Undecodable."""
    if value.isascii() and 0x1B not in value:
        return value.decode("ascii")
    first = _plain(character_set[0]) if character_set else ""
    try:
        if first in _STAND_ALONE:
            if 0x1B in value:
                raise Undecodable(f"an escape sequence in {first}")
            return value.decode(_STAND_ALONE[first])
        return "".join(_extended(value, character_set, vr))
    except UnicodeDecodeError as error:
        raise Undecodable(f"no text of {first or 'the default repertoire'}") from error


def _plain(term: str) -> str:
    """The defined term without the punctuation that many writers get wrong."""
    return re.sub(r"[ _-]+", " ", term.strip(" \0").upper())


def _number(term: str) -> str | None:
    """The registration number that a defined term names; 6 (ASCII) of an empty one."""
    if not term.strip(" \0"):
        return "6"
    match = _TERM.fullmatch(_plain(term))
    return match[1] if match else None


def _extended(value: bytes, character_set: Terms, vr: str) -> Iterator[str]:
    numbers = [_number(term) for term in character_set or ("",)]
    known = [number for number in numbers if number in _EXTENSIONS]
    if not known or known[0] != numbers[0]:
        raise Undecodable("the character set is unknown")
    allowed = [_TO_ASCII, *(way for number in known for way in _EXTENSIONS[number])]
    to_g1 = next((way.designated for way in _EXTENSIONS[known[0]] if way.half == 1), None)
    initial = (_ROMAJI if known[0] == "13" else _ASCII, to_g1)
    delimiters = b"" if vr in _SINGLE_VALUED else b"\\^=" if vr == "PN" else b"\\"
    halves: list[_Set | None] = [*initial]
    at = 0
    while at < len(value):
        byte = value[at]
        if byte == 0x1B:
            way = next((way for way in allowed if value.startswith(way.escape, at + 1)), None)
            if way is None:
                raise Undecodable("an escape sequence that the character set does not announce")
            halves[way.half] = way.designated
            at += 1 + len(way.escape)
            continue
        designated = halves[byte >> 7]
        if byte <= 0x20 or (
            byte in delimiters and designated is not None and designated.width == 1
        ):
            yield chr(byte)
            if byte != 0x20:
                halves = [*initial]
            at += 1
            continue
        code = value[at : at + (designated.width if designated else 1)]
        if designated is None or len(code) < designated.width or code[0] >> 7 != code[-1] >> 7:
            raise Undecodable("a byte of no set that the character set announces")
        yield designated.character(code)
        at += len(code)


def stored(dataset: Dataset, tag: BaseTag) -> DataElement | RawDataElement | None:
    """The element as it stands in the data set, raw if nobody has asked for its value.

    None if it is absent; or empty and of a VR that pydicom does not know, which it cannot tell from
    one whose value is still to be read.
    """
    if tag not in dataset.keys():  # noqa: SIM118  # a look at the keys converts no tag
        return None
    try:
        return dataset.get_item(tag)
    except UNREADABLE:
        return None


def character_set_of(dataset: Dataset, inherited: Terms = ()) -> Terms:
    """What the data set or item declares, else what holds around it."""
    element = stored(dataset, SPECIFIC_CHARACTER_SET)
    if element is None:
        return inherited
    value = element.value
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace").split("\\")
    terms = [value] if isinstance(value, str) else list(value or ())
    found = tuple(str(term).strip(" \0") for term in terms)
    return found if any(found) else inherited


def read_element(dataset: Dataset, tag: BaseTag, character_set: Terms) -> DataElement:
    """The element, text in it decoded; as with pydicom, a value that nobody could read may raise.

    character_set : as `character_set_of` says for this data set

    Raises Undecodable if it is text of another character set; its items are not looked into.
    """
    element = stored(dataset, tag)
    if not isinstance(element, RawDataElement):
        return element if element is not None else dataset[tag]
    vr = text_vr(element)
    if vr is None:
        return dataset[tag]
    raw = (element.value or b"").rstrip(b"\0 ")
    return DataElement(tag, vr, _values(decode(raw, character_set, vr=vr), vr), IGNORE)


def text_vr(element: RawDataElement) -> str | None:
    """The VR under which a raw element's value is text; None if it is not."""
    vr = element.VR
    if vr is None or vr == "UN":
        try:
            vr = dictionary_VR(element.tag)
        except KeyError:
            return None
    return vr if vr in TEXT_VRS else None


def _values(text: str, vr: str) -> object:
    if vr in _SINGLE_VALUED:
        return text.rstrip("\0 ")
    one: Callable[[str], object] = PersonName if vr == "PN" else str
    values = [one(value.rstrip("\0 ")) for value in text.split("\\")]
    return values[0] if len(values) == 1 else MultiValue(one, values)


def decode_texts(dataset: Dataset, inherited: Terms = ()) -> None:
    """Every text in the data set and its items is decoded, except what is undecodable.

    For reading only: Specific Character Set still says what the sender wrote.
    """
    character_set = character_set_of(dataset, inherited)
    for tag in list(dataset.keys()):
        element = stored(dataset, tag)
        if isinstance(element, RawDataElement) and text_vr(element) is not None:
            with suppress(Undecodable):
                dataset[tag] = read_element(dataset, BaseTag(tag), character_set)
        elif element and (element.VR == "SQ" or (element.VR is None and _is_sequence(tag))):
            for item in _items(dataset, tag):
                decode_texts(item, character_set)


def _items(dataset: Dataset, tag: BaseTag) -> list[Dataset]:
    """Of a sequence; none if nobody can read it."""
    try:
        return list(dataset[tag].value or ())
    except UNREADABLE:
        return []


def _is_sequence(tag: int) -> bool:
    try:
        return dictionary_VR(tag) == "SQ"
    except KeyError:
        return False


def assume(dataset: Dataset, term: str | None) -> None:
    """A data set that declares no character set declares `term`, if all its text is of that one."""
    declared = character_set_of(dataset)
    if term is None or any(_number(each) != "6" for each in declared):
        return
    if all(_is_decodable(dataset, tag, (term,)) for tag in list(dataset.keys())):
        dataset.SpecificCharacterSet = term


def _is_decodable(dataset: Dataset, tag: BaseTag, character_set: Terms) -> bool:
    element = stored(dataset, tag)
    if isinstance(element, RawDataElement) and text_vr(element) is not None:
        try:
            read_element(dataset, BaseTag(tag), character_set)
        except Undecodable:
            return False
    return True


def holds_raw(dataset: Dataset) -> bool:
    """Whether something in a data set of our own making was copied byte for byte."""
    for tag in list(dataset.keys()):
        element = stored(dataset, tag)
        if isinstance(element, RawDataElement):
            return True
        if (
            element is not None
            and element.VR == "SQ"
            and any(holds_raw(item) for item in element.value or ())
        ):
            return True
    return False


def speak_ascii(dataset: Dataset) -> None:
    """Every text that is not raw is ASCII, and the raw ones are written byte for byte.

    For a result that carries the undecodable bytes of its source: whatever these turn out to be,
    ASCII is text beside them.
    """
    for tag in list(dataset.keys()):
        element = stored(dataset, tag)
        if element is None or isinstance(element, RawDataElement):
            continue
        if element.VR == "SQ":
            for item in element.value or ():
                speak_ascii(item)
        elif element.VR in TEXT_VRS and element.value:
            many = isinstance(element.value, MultiValue)
            values = [
                ascii_only(str(value)) for value in (element.value if many else [element.value])
            ]
            element.value = values if many else values[0]
    write_raw_as_it_is(dataset, implicit_vr=False)


def ascii_only(text: str) -> str:
    """The nearest ASCII: letters without their accents, "?" for what has none."""
    parts = unicodedata.normalize("NFKD", text)
    return "".join(
        part if part.isascii() else "?" for part in parts if not unicodedata.combining(part)
    )


def write_raw_as_it_is(dataset: Dataset, *, implicit_vr: bool) -> None:
    """pydicom will write the texts that are still raw byte for byte (Little Endian).

    It would otherwise decode and encode them anew, with replacements, unless the data set was read
    in the encoding in which it is written.
    """
    for tag in list(dataset.keys()):
        element = stored(dataset, tag)
        if element is not None and element.VR == "SQ":
            for item in _items(dataset, tag):
                write_raw_as_it_is(item, implicit_vr=implicit_vr)
    dataset.set_original_encoding(implicit_vr, True, dataset._character_set)
