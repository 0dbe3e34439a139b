"""The frames of an object, as they are stored and as samples.

An uncompressed frame is its samples in little endian.  Where they are of one bit each it begins at
the lowest bit of its first byte, wherever in the object it stood, and its last byte is filled with
zeros: so it is the frame that PS3.5 8.1.1 has in an object of one frame.
"""

import zlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, ExplicitVRLittleEndian, RLELossless

from m3net.attributes import PARSER_ERRORS
from m3net.codestream import read_frame_header
from m3net.ct.jpeg_of_12_bits import TRANSFER_SYNTAXES as JPEG_OF_12_BITS
from m3net.ct.jpeg_of_12_bits import decode as decode_jpeg_of_12_bits
from node.core.errors import Refused
from node.dicom.retrieval import MOST_DECODED_SAMPLES
from node.inbound.encoded import parsed
from node.web.dicomweb.encoded_object import EncodedObject, Unreadable
from node.web.dicomweb.frame_index import Extents, FrameIndex, Layout

DEFLATED_FRAMES = UID("1.2.840.10008.1.2.8.1")
"""Deflated Image Frame Compression (PS3.5 A.4.13)."""
_CHUNK = 1 << 20
_NOT_PARSED: tuple[type[Exception], ...] = (Refused, *PARSER_ERRORS)


class NoSuchFrame(Unreadable):
    """The object has fewer frames."""


class Undecodable(Unreadable):
    """Nothing here decodes these pixels, or they are not what the object says of them."""


class Frames:
    """The frames of one object, numbered from 1, while its file is open."""

    def __init__(self, of: EncodedObject, index: FrameIndex) -> None:
        self._of = of
        self._index = index
        self.layout = index.layout
        self.is_compressed = index.extents is not None

    @property
    def count(self) -> int:
        """How many there are."""
        return self.layout.frames

    @property
    def transfer_syntax(self) -> UID:
        """In which they lie."""
        return self._of.transfer_syntax

    def require(self, numbers: Sequence[int]) -> None:
        """Raises NoSuchFrame if one of them is no frame of the object."""
        if not all(1 <= number <= self.count for number in numbers):
            raise NoSuchFrame(f"the object has {self.count} frames, numbered from 1")

    def header(self) -> Dataset:
        """What the object says before its pixels.  Raises Unreadable."""
        data = memoryview(self._of.before(self._index.pixels))
        try:
            return parsed(data, self.transfer_syntax)
        except _NOT_PARSED as error:
            raise Unreadable("the object's header cannot be taken apart") from error

    def stored(self, number: int) -> tuple[int, Iterator[bytes]]:
        """The frame as it is stored, its length in bytes, and the bytes in chunks.

        Raises NoSuchFrame; in the middle Unreadable, if the file ends there.
        """
        self.require([number])
        if self._index.extents is not None:
            extents = self._index.extents[number - 1]
            return sum(length for _, length in extents), self._read(extents)
        return self._native(number)

    def uncompressed(self, number: int) -> tuple[int, Iterator[bytes]]:
        """The frame's samples in little endian: their length in bytes, and the bytes in chunks.

        Decoded colours are RGB where they were subsampled or transformed, else as Photometric
        Interpretation says.

        Raises NoSuchFrame, Undecodable; in the middle Unreadable, if the file ends there.
        """
        if not self.is_compressed:
            return self.stored(number)
        array = self.samples(number, raw=self.layout.photometric == "YBR_FULL")
        if self.layout.bits_allocated == 1:
            data = np.packbits(array.reshape(-1) != 0, bitorder="little").tobytes()
        else:
            data = array.astype(array.dtype.newbyteorder("<")).tobytes()
        return len(data), iter((data,))

    def samples(self, number: int, *, raw: bool) -> NDArray[np.generic]:
        """(Y, X) or (Y, X, 3) stored values; colours as they are (`raw`), else RGB.

        Raises NoSuchFrame, Undecodable, Unreadable.
        """
        layout = self.layout
        if layout.rows * layout.columns * layout.samples > MOST_DECODED_SAMPLES:
            raise Undecodable("a frame of the object is too large to be decoded here")
        frame = b"".join(self.stored(number)[1])
        try:
            return self._decoded(frame, raw=raw)
        except PARSER_ERRORS as error:
            raise Undecodable(
                f"the pixels cannot be decoded from {self.transfer_syntax.name}"
                if self.is_compressed
                else "the pixels are not as the object says that they are"
            ) from error

    def _decoded(self, frame: bytes, *, raw: bool) -> NDArray[np.generic]:
        layout = self.layout
        shape = (layout.rows, layout.columns)
        syntax = self.transfer_syntax if self.is_compressed else ExplicitVRLittleEndian
        if syntax == DEFLATED_FRAMES:
            frame = zlib.decompressobj(-zlib.MAX_WBITS).decompress(frame, layout.bits // 8 + 1)
            syntax = ExplicitVRLittleEndian
        if layout.sample_type is not None:
            return np.frombuffer(frame, layout.sample_type).reshape(shape)
        if syntax.is_encapsulated and syntax != RLELossless:
            header = read_frame_header(frame)  # decoders make room for what it says
            if (header.rows, header.columns, header.samples) != (*shape, layout.samples):
                raise ValueError("the frame is of another size")
        if syntax in JPEG_OF_12_BITS and layout.bits_stored > 8 and layout.samples == 1:
            return decode_jpeg_of_12_bits(
                frame, rows=layout.rows, columns=layout.columns, transfer_syntax=syntax
            )
        array: NDArray[np.generic] = pixel_array(
            _image(layout, frame, syntax), raw=raw, allow_excess_frames=False
        )
        return array

    def _native(self, number: int) -> tuple[int, Iterator[bytes]]:
        bits = self.layout.bits
        first = (number - 1) * bits
        if first % 8 or bits % 8:
            return (bits + 7) // 8, iter((self._bits(first, bits),))
        word = self._word()
        begin, length = first // 8, bits // 8
        if begin % word or length % word:
            return length, iter((self._bytes(begin, length),))
        chunks = self._read([(self._index.pixels.at + begin, length)])
        return length, (_turned(chunk, word) for chunk in chunks)

    def _bits(self, first: int, count: int) -> bytes:
        begin, behind = first // 8, (first + count + 7) // 8
        packed = int.from_bytes(self._bytes(begin, behind - begin), "little") >> first % 8
        return (packed & ((1 << count) - 1)).to_bytes((count + 7) // 8, "little")

    def _bytes(self, begin: int, length: int) -> bytes:
        """Of the pixels, in little endian; they need not begin or end with a word."""
        word, pixels = self._word(), self._index.pixels
        start, behind = begin - begin % word, -(-(begin + length) // word) * word
        data = self._of.read(pixels.at + start, min(behind, pixels.length) - start)
        return _turned(data, word)[begin - start : begin - start + length]

    def _word(self) -> int:
        """Of how many bytes the words are that are to be turned round (PS3.5 8.1.2)."""
        if self._of.little:
            return 1
        wide = max(1, self.layout.bits_allocated // 8)
        return wide if wide > 1 or self._index.pixels.vr == "OB" else 2

    def _read(self, extents: Extents) -> Iterator[bytes]:
        for at, length in extents:
            for begin in range(0, length, _CHUNK):
                yield self._of.read(at + begin, min(_CHUNK, length - begin))


def _turned(data: bytes, word: int) -> bytes:
    if word == 1 or len(data) % word:
        return data
    return np.frombuffer(data, f">u{word}").astype(f"<u{word}").tobytes()


def _image(layout: Layout, frame: bytes, syntax: UID) -> Dataset:
    """One frame as an image, by what was read of the object and not by what else it may say."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = syntax
    image.Rows, image.Columns = layout.rows, layout.columns
    image.SamplesPerPixel = layout.samples
    image.PhotometricInterpretation = layout.photometric
    if layout.samples > 1:
        image.PlanarConfiguration = int(layout.planar)
    image.BitsAllocated, image.BitsStored = layout.bits_allocated, layout.bits_stored
    image.HighBit = layout.bits_stored - 1
    image.PixelRepresentation = int(layout.signed)
    image.PixelData = encapsulate([frame], has_bot=False) if syntax.is_encapsulated else frame
    image["PixelData"].is_undefined_length = bool(syntax.is_encapsulated)
    return image
