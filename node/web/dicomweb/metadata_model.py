"""What an object says, without its bulk data, as a tree that JSON and XML are both written from."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from node.dicom.retrieval import MOST_INLINE_BYTES, MOST_INLINE_VALUE_BYTES
from node.web.dicomweb.element_values import BYTES, NoValue, Value, little_endian, values
from node.web.dicomweb.encoded_object import UNDEFINED, Element, EncodedObject, Unreadable
from sr_templates.character_sets import UNICODE

MOST_INLINE = 64 << 20
"""Bytes of all values of one object."""

_CHARACTER_SET = 0x00080005
_SAYS_NOTHING = frozenset({"", "ISO_IR 6", "ISO 2022 IR 6"})
"""The default repertoire, in which ASCII is written and many senders write whatever they have."""
_PADDING = 0xFFFCFFFC
_BULK_ALWAYS = frozenset({0x7FE00010, 0x7FE00008, 0x7FE00009, 0x54001010, 0x56000020})
"""Pixels, waveforms and spectra."""
_MAY_BE_BULK = BYTES | frozenset(
    {"DS", "FD", "FL", "IS", "LT", "SL", "SS", "ST", "SV", "UC", "UL", "US", "UT", "UV"}
)
"""PS3.18 F.2.2."""

Path = tuple[str, ...]
"""Where an element stands: "0040A730", "2", "0040A160" is in the second item of the first."""


@dataclass(slots=True, kw_only=True)
class Attribute:
    """One attribute; of `values`, `inline`, `bulk` and `items` one at most is not None.

    values : as `element_values.values` has them
    inline : bytes in little endian
    bulk   : where the value can be fetched
    """

    tag: int
    vr: str
    values: list[Value] | None = None
    inline: bytes | None = None
    bulk: str | None = None
    items: "list[list[Attribute]] | None" = None


Link = Callable[[Path], str]
"""The URI of what stands there."""


def attributes(
    of: EncodedObject, link: Link, *, assumed_character_set: str | None
) -> list[Attribute]:
    """Everything that the object says, texts as Unicode, ascending by tag.

    assumed_character_set : what an object that declares none is taken to declare

    Raises Unreadable.
    """
    declared = () if assumed_character_set is None else (assumed_character_set,)
    found = _Reading(of, link).attributes(of.elements(), (), declared)
    if not found or found[0].tag > _CHARACTER_SET:
        found.insert(0, _unicode())
    return found


def _unicode() -> Attribute:
    return Attribute(tag=_CHARACTER_SET, vr="CS", values=[UNICODE])


class _Reading:
    def __init__(self, of: EncodedObject, link: Link) -> None:
        self._of, self._link = of, link
        self._left = MOST_INLINE

    def attributes(
        self, elements: Sequence[Element], around: Path, character_set: Sequence[str]
    ) -> list[Attribute]:
        """Of a data set, or of the item there."""
        for each in elements:
            if each.tag == _CHARACTER_SET and each.length:
                raw = self._value(each).decode("ascii", "replace")
                terms = [term.strip(" \0") for term in raw.split("\\")]
                character_set = character_set if _SAYS_NOTHING.issuperset(terms) else terms
        found = list(self._each(elements, around, character_set))
        found.sort(key=lambda each: each.tag)
        return found

    def _each(
        self, elements: Sequence[Element], around: Path, character_set: Sequence[str]
    ) -> Iterator[Attribute]:
        for each in elements:
            if each.tag & 0xFFFF == 0 or each.tag == _PADDING:
                continue  # group lengths (PS3.18 F.2.2)
            if each.tag == _CHARACTER_SET:
                if not around:
                    yield _unicode()
                continue
            yield self._attribute(each, (*around, f"{each.tag:08X}"), character_set)

    def _attribute(self, each: Element, path: Path, character_set: Sequence[str]) -> Attribute:
        said = Attribute(tag=each.tag, vr=each.vr)
        if each.items is not None:
            said.items = [
                self.attributes(item, (*path, str(number)), character_set)
                for number, item in enumerate(each.items, start=1)
            ]
        elif each.length == 0:
            pass
        elif self._is_bulk(each):
            said.bulk = self._link(path)
            if each.length == UNDEFINED:
                said.vr = "OB"  # of compressed pixels, whatever is written (PS3.5 A.4)
        elif each.vr in BYTES:
            said.inline = little_endian(each, self._value(each))
        else:
            raw = self._value(each)
            try:
                said.values = values(each, raw, character_set)
            except NoValue:
                said.vr, said.inline = "UN", raw
            if said.values is not None and all(value is None for value in said.values):
                said.values = None
        return said

    def _is_bulk(self, each: Element) -> bool:
        if each.length == UNDEFINED or each.tag in _BULK_ALWAYS:
            return True
        if each.tag >> 24 == 0x60 and each.tag & 0xFFFF == 0x3000:
            return True  # overlays
        most = MOST_INLINE_BYTES if each.vr in BYTES else MOST_INLINE_VALUE_BYTES
        return each.vr in _MAY_BE_BULK and each.length > most

    def _value(self, each: Element) -> bytes:
        self._left -= each.length
        if self._left < 0:
            raise Unreadable("it says too much for one answer")
        return self._of.value(each)
