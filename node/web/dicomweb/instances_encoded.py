"""A stored object written anew in another transfer syntax, piece by piece (PS3.5 7, A.4).

Every value stays as its bytes are but for their order, texts too, whatever their character set.
Only compressed pixels are decoded, a frame at a time, and pixels that are to be compressed are so
without loss: the object stays the same SOP Instance.
"""

import struct
from collections.abc import Iterator

from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import UID, ImplicitVRLittleEndian
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32

from m3net.attributes import PARSER_ERRORS
from node.dicom.retrieval import COMPRESSED
from node.inbound.encoded import file_head
from node.web.dicomweb.element_values import little_endian
from node.web.dicomweb.encoded_object import UNDEFINED, Element, EncodedObject
from node.web.dicomweb.frames import Frames, Undecodable

_CHUNK = 1 << 20
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_PHOTOMETRIC, _PLANAR, _PIXELS = 0x00280004, 0x00280006, 0x7FE00010
_OFFSET_TABLES = frozenset({0x7FE00001, 0x7FE00002})
_COMPRESSIBLE = frozenset({"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB"})
_SHORTEST = 0xFFFF


class Written:
    """One object as it reads in `target`, while its file is open."""

    def __init__(self, of: EncodedObject, frames: Frames | None, target: UID) -> None:
        """Raises Undecodable if its pixels cannot be had so; the first frame is tried."""
        self._of, self._frames, self._target = of, frames, target
        self._implicit = target == ImplicitVRLittleEndian
        if frames is None:
            return
        if target in COMPRESSED:
            layout = frames.layout
            if layout.photometric not in _COMPRESSIBLE or layout.bits_allocated not in (8, 16):
                raise Undecodable("pixels of this kind are not compressed here")
            self._compressed(frames, 1)
        elif frames.is_compressed:
            frames.uncompressed(1)

    def chunks(self, sop_class_uid: str, sop_instance_uid: str) -> Iterator[bytes]:
        """The whole file.  Raises Unreadable in the middle if a later frame cannot be had."""
        yield file_head(sop_class_uid, sop_instance_uid, self._target)
        for each in self._elements():
            if each.tag & 0xFFFF == 0:
                continue  # group lengths, which would be wrong
            if self._frames is not None and each.tag in _OFFSET_TABLES:
                continue
            if each.tag == _PIXELS and self._frames is not None:
                yield from self._pixels(self._frames, each)
            else:
                yield from self._element(each)

    def _elements(self) -> list[Element]:
        """All of them, and what has to be said of decoded colours if it was not."""
        found = self._of.elements()
        if self._changed(_PLANAR) is not None and all(each.tag != _PLANAR for each in found):
            found.append(Element(tag=_PLANAR, vr="US", at=0, length=2, little=True))
            found.sort(key=lambda each: each.tag)
        return found

    def _element(self, each: Element) -> Iterator[bytes]:
        if each.items is not None:
            yield self._header(each.tag, "SQ", UNDEFINED)
            for item in each.items:
                yield _item(_ITEM, UNDEFINED)
                for inner in item:
                    yield from self._element(inner)
                yield _item(_ITEM_END, 0)
            yield _item(_SEQUENCE_END, 0)
            return
        changed = self._changed(each.tag)
        if changed is not None:
            yield self._header(each.tag, each.vr, len(changed))
            yield changed
            return
        yield self._header(each.tag, each.vr, each.length)
        for begin in range(0, each.length, _CHUNK):
            length = min(_CHUNK, each.length - begin)
            yield little_endian(each, self._of.read(each.at + begin, length))

    def _changed(self, tag: int) -> bytes | None:
        """What says of decoded colours how they lie now."""
        frames = self._frames
        if frames is None or frames.layout.samples == 1:
            return None
        if not frames.is_compressed and self._target not in COMPRESSED:
            return None
        if tag == _PLANAR:
            return b"\0\0"
        if tag == _PHOTOMETRIC and frames.layout.photometric != "YBR_FULL":
            return b"RGB "
        return None

    def _pixels(self, frames: Frames, each: Element) -> Iterator[bytes]:
        if self._target in COMPRESSED:
            yield self._header(each.tag, "OB", UNDEFINED)
            yield _item(_ITEM, 0)
            for number in range(1, frames.count + 1):
                frame = self._compressed(frames, number)
                yield _item(_ITEM, len(frame) + len(frame) % 2)
                yield frame + b"\0" * (len(frame) % 2)
            yield _item(_SEQUENCE_END, 0)
        elif not frames.is_compressed and self._of.little:
            yield from self._element(each)
        else:
            yield from self._frame_by_frame(frames, each)

    def _frame_by_frame(self, frames: Frames, each: Element) -> Iterator[bytes]:
        layout = frames.layout
        bits = layout.bits
        if frames.is_compressed:  # decoded, they are subsampled no more
            bits = layout.rows * layout.columns * layout.samples * layout.bits_allocated
        length = (bits * frames.count + 7) // 8
        vr = "OB" if layout.bits_allocated <= 8 and not self._implicit else "OW"
        yield self._header(each.tag, vr, length + length % 2)
        if bits % 8 == 0:
            for number in range(1, frames.count + 1):
                size, chunks = frames.uncompressed(number)
                if size != bits // 8:
                    raise Undecodable("a frame is not as large as the object says")
                yield from chunks
        else:
            yield from _joined_bits(frames, bits)
        yield b"\0" * (length % 2)

    def _compressed(self, frames: Frames, number: int) -> bytes:
        layout = frames.layout
        array = frames.samples(number, raw=True)
        try:
            return get_encoder(self._target).encode(
                array,
                rows=layout.rows,
                columns=layout.columns,
                samples_per_pixel=layout.samples,
                number_of_frames=1,
                bits_allocated=layout.bits_allocated,
                bits_stored=layout.bits_stored,
                pixel_representation=int(layout.signed),
                photometric_interpretation=layout.photometric,
                planar_configuration=0,
            )
        except PARSER_ERRORS as error:
            raise Undecodable("pixels of this kind are not compressed here") from error

    def _header(self, tag: int, vr: str, length: int) -> bytes:
        if self._implicit:
            return _item(tag, length)
        start = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
        if vr in EXPLICIT_VR_LENGTH_32:
            return start + vr.encode("ascii") + struct.pack("<xxL", length)
        if length > _SHORTEST:  # PS3.5 6.2.2, note 2
            return start + b"UN" + struct.pack("<xxL", length)
        return start + vr.encode("ascii") + struct.pack("<H", length)


def _item(tag: int, length: int) -> bytes:
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, length)


def _joined_bits(frames: Frames, bits: int) -> Iterator[bytes]:
    """Frames of single bits, one directly behind the other (PS3.5 8.1.1); eight are whole bytes."""
    for begin in range(1, frames.count + 1, 8):
        joined, numbers = 0, range(begin, min(begin + 8, frames.count + 1))
        for place, number in enumerate(numbers):
            frame = b"".join(frames.uncompressed(number)[1])
            joined |= int.from_bytes(frame, "little") << place * bits
        yield joined.to_bytes((bits * len(numbers) + 7) // 8, "little")
