"""Where each frame of an object lies in its file, and how its samples lie.

A compressed frame is the fragments of it joined, whatever table there is to tell where it begins
(PS3.5 A.4; PS3.3 C.7.6.3.1.8).  The index is made of the header and the fragments' headers alone,
and stays true as long as the file does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from node.dicom.elements import MAX_ELEMENTS
from node.web.dicomweb.element_values import NoValue, Value, number_of, values
from node.web.dicomweb.encoded_object import PIXELS, UNDEFINED, Element, EncodedObject, Unreadable

_SAMPLE_TYPES = {0x7FE00008: "<f4", 0x7FE00009: "<f8"}
"""Where samples are no integers, as numpy names them."""
_OFFSETS, _LENGTHS = 0x7FE00001, 0x7FE00002
_ITEM = 0xFFFEE000
_END_OF_IMAGE = b"\xff\xd9"
_MOST_PADDING = 10
_MOST_FRAMES = 1 << 20

Extents = Sequence[tuple[int, int]]
"""Where bytes lie in the file, and how many."""


class NoFrames(Unreadable):
    """The object is no image."""


class Inseparable(Unreadable):
    """What the object says of its frames does not tell one from the other; a video's do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the samples lie.

    sample_type : of samples that are no integers, as numpy names it
    """

    rows: int
    columns: int
    samples: int
    frames: int
    bits_allocated: int
    bits_stored: int
    signed: bool
    planar: bool
    photometric: str
    sample_type: str | None

    @property
    def bits(self) -> int:
        """Of an uncompressed frame as it is stored."""
        samples = 2 if self.photometric == "YBR_FULL_422" else self.samples
        return self.rows * self.columns * samples * self.bits_allocated


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameIndex:
    """What has to be known to read any frame.

    pixels  : the element
    extents : of each compressed frame; None if the pixels are not compressed
    """

    layout: Layout
    pixels: Element
    extents: Sequence[Extents] | None


@dataclass(frozen=True, slots=True)
class _Fragment:
    """offset : of its item, from the first fragment's"""

    offset: int
    at: int
    length: int

    @property
    def extent(self) -> tuple[int, int]:
        return self.at, self.length


def index_frames(of: EncodedObject) -> FrameIndex:
    """Where its frames are.

    Raises NoFrames if it has none, Inseparable, or Unreadable.
    """
    elements = {each.tag: each for each in of.elements()}
    pixels = next((elements[tag] for tag in PIXELS if tag in elements), None)
    if pixels is None:
        raise NoFrames("the object has no pixels")
    layout = _layout(of, elements, _SAMPLE_TYPES.get(pixels.tag))
    extents = None
    if pixels.length == UNDEFINED:
        extents = _extents(of, elements, pixels, layout.frames)
    elif layout.bits * layout.frames > min(pixels.length, of.size - pixels.at) * 8:
        raise Unreadable("the object has fewer pixels than its frames ask for")
    return FrameIndex(layout=layout, pixels=pixels, extents=extents)


def _extents(
    of: EncodedObject, elements: Mapping[int, Element], pixels: Element, count: int
) -> Sequence[Extents]:
    table, fragments = _fragments(of, pixels)
    if count == 1:  # an offset table may count each fragment as a frame
        return [[each.extent for each in fragments]]
    extended = _by_extended_table(of, elements, fragments, count)
    if extended is not None:
        return extended
    if len(table) == count and {each.offset for each in fragments}.issuperset(table):
        return _by_table(table, fragments)
    if len(fragments) == count:
        return [[each.extent] for each in fragments]
    found = _by_end_of_image(of, fragments) if len(fragments) > count else []
    if len(found) != count:
        raise Inseparable("its frames cannot be told apart; retrieve the whole instance")
    return found


def _by_table(table: Sequence[int], fragments: Sequence[_Fragment]) -> list[Extents]:
    until = [*table[1:], fragments[-1].offset + 1]
    found: list[list[tuple[int, int]]] = [[] for _ in table]
    frame = 0
    for each in fragments:
        while frame < len(table) - 1 and each.offset >= until[frame]:
            frame += 1
        found[frame].append(each.extent)
    return list(found)


def _by_extended_table(
    of: EncodedObject,
    elements: Mapping[int, Element],
    fragments: Sequence[_Fragment],
    count: int,
) -> list[Extents] | None:
    """By the Extended Offset Table, whose frames have one fragment each; None if there is none."""
    tables = [elements[tag] for tag in (_OFFSETS, _LENGTHS) if tag in elements]
    if len(tables) != 2 or any(table.length != 8 * count for table in tables):
        return None
    offsets, lengths = (np.frombuffer(of.value(table), "<u8").tolist() for table in tables)
    by_offset = {each.offset: each for each in fragments}
    found: list[Extents] = []
    for offset, length in zip(offsets, lengths, strict=True):
        fragment = by_offset.get(offset)
        if fragment is None or length > fragment.length:
            return None
        found.append([(fragment.at, length)])
    return found


def _by_end_of_image(of: EncodedObject, fragments: Sequence[_Fragment]) -> list[Extents]:
    found: list[list[tuple[int, int]]] = [[]]
    for each in fragments:
        found[-1].append(each.extent)
        end = min(each.length, _MOST_PADDING)
        if _END_OF_IMAGE in of.read(each.at + each.length - end, end):
            found.append([])
    return [extents for extents in found if extents]


def _fragments(of: EncodedObject, pixels: Element) -> tuple[list[int], list[_Fragment]]:
    """The Basic Offset Table, and the fragments behind it."""
    first = _item(of, pixels.at)
    if first is None:
        raise Unreadable("its pixels have no fragments")
    table = np.frombuffer(of.read(*first)[: first[1] // 4 * 4], "<u4").tolist()
    begin = at = sum(first)
    found: list[_Fragment] = []
    while (item := _item(of, at)) is not None:
        if len(found) == MAX_ELEMENTS:
            raise Unreadable("its pixels have too many fragments")
        found.append(_Fragment(at - begin, *item))
        at = sum(item)
    if not found:
        raise Unreadable("its pixels have no fragments")
    return table, found


def _item(of: EncodedObject, at: int) -> tuple[int, int] | None:
    """Where the value of the item there lies, and how long it is; None behind the last."""
    header = of.header(at, implicit=True, little=True)
    if header is None or header.tag != _ITEM or header.length == UNDEFINED:
        return None
    if header.value + header.length > of.size:
        raise Unreadable("the stored object ends within its pixels")
    return header.value, header.length


def _layout(of: EncodedObject, elements: Mapping[int, Element], sample_type: str | None) -> Layout:
    def said(tag: int) -> Value:
        element = elements.get(tag)
        if element is None or element.items is not None or not 0 < element.length <= 64:
            return None
        try:
            return number_of(values(element, of.value(element), ())[0], element.vr)
        except NoValue:
            return None

    def whole(tag: int, otherwise: int | None = None) -> int:
        found = said(tag)
        if found is None and otherwise is not None:
            return otherwise
        if not isinstance(found, int) or found < 0:
            raise Unreadable("the object does not say how its pixels lie")
        return found

    bits = {"<f4": 32, "<f8": 64}.get(sample_type or "") or whole(0x00280100)
    samples, frames = whole(0x00280002, 1), max(1, whole(0x00280008, 1))
    if bits not in (1, 8, 16, 32, 64) or samples not in (1, 3) or frames > _MOST_FRAMES:
        raise Unreadable("the object's pixels are of a kind that is not known here")
    return Layout(
        rows=whole(0x00280010),
        columns=whole(0x00280011),
        samples=samples,
        frames=frames,
        bits_allocated=bits,
        bits_stored=whole(0x00280101, bits),
        signed=whole(0x00280103, 0) == 1,
        planar=whole(0x00280006, 0) == 1,
        photometric=str(said(0x00280004) or ("RGB" if samples == 3 else "MONOCHROME2")),
        sample_type=sample_type,
    )
