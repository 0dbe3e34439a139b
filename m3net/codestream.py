"""The size that a compressed frame states in its own header.

Decoders make room for what stands there, whatever Rows and Columns say: a frame of a few bytes that
states 60,000 x 60,000 pixels would cost gigabytes.  So it is read, and compared, before.
"""

from dataclasses import dataclass

from pydicom import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import RLELossless

from m3net.attributes import is_encapsulated

_START_OF_FRAME = (frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}) | {0xF7}
"""ISO/IEC 10918-1 B.1.1.3; F7 is JPEG-LS's (ISO/IEC 14495-1 C.1.1)."""
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_JPEG = b"\xff\xd8"
_JPEG_2000 = b"\xff\x4f\xff\x51"
_BOXES = b"\0\0\0\x0cjP  "


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameHeader:
    """What the compressed frame says of itself."""

    rows: int
    columns: int
    samples: int
    precision: int


def read_frame_header(frame: bytes) -> FrameHeader:
    """The header of a frame of the JPEG family.

    Raises ValueError if it has none.
    """
    if frame.startswith(_BOXES):
        frame = _within_boxes(frame)
    if frame.startswith(_JPEG_2000):
        return _of_jpeg_2000(frame)
    if frame.startswith(_JPEG):
        return _of_jpeg(frame)
    raise ValueError("the frame has no header")


def require_size(frame: bytes, *, rows: int, columns: int) -> FrameHeader:
    """The frame's header, which says that it is one sample a pixel of these rows and columns.

    Raises ValueError if it does not, or has none.
    """
    header = read_frame_header(frame)
    if (header.rows, header.columns, header.samples) != (rows, columns, 1):
        raise ValueError(
            f"the frame is of {header.rows} x {header.columns} x {header.samples}, expected "
            f"{rows} x {columns} x 1"
        )
    return header


def require_sizes(dataset: Dataset) -> None:
    """Every frame of the object is of its Rows and Columns, if it can state a size of its own.

    Raises ValueError if one is not; what else pydicom raises on pixels that are no frames.
    """
    if not is_encapsulated(dataset) or dataset.file_meta.TransferSyntaxUID == RLELossless:
        return
    count = int(dataset.get("NumberOfFrames") or 1)
    for frame in generate_frames(dataset.PixelData, number_of_frames=count):
        require_size(frame, rows=int(dataset.Rows), columns=int(dataset.Columns))


def _within_boxes(frame: bytes) -> bytes:
    """What stands in the first codestream box of a JP2 file (ISO/IEC 15444-1 I.4).

    Box by box, as decoders go: another box may hold what looks like a codestream.
    """
    at = 0
    while at + 8 <= len(frame):
        size, begin = int.from_bytes(frame[at : at + 4]), at + 8
        if size == 1:
            size, begin = int.from_bytes(frame[begin : begin + 8]), at + 16
        if frame[at + 4 : at + 8] == b"jp2c":
            return frame[begin:]
        if size < begin - at:  # 0: up to the end
            break
        at += size
    return b""


def _of_jpeg_2000(frame: bytes) -> FrameHeader:
    """SIZ, the first marker segment (ISO/IEC 15444-1 A.5.1)."""
    if len(frame) < 43:
        raise ValueError("the frame ends within its header")
    right, bottom, left, top = (int.from_bytes(frame[at : at + 4]) for at in (8, 12, 16, 20))
    return FrameHeader(
        rows=bottom - top,
        columns=right - left,
        samples=int.from_bytes(frame[40:42]),
        precision=(frame[42] & 0x7F) + 1,
    )


def _of_jpeg(frame: bytes) -> FrameHeader:
    """The frame header (ISO/IEC 10918-1 B.2.2), after whatever stands before it."""
    at = 2
    while at + 10 <= len(frame) and frame[at] == 0xFF:
        marker = frame[at + 1]
        if marker in _START_OF_FRAME:
            return FrameHeader(
                rows=int.from_bytes(frame[at + 5 : at + 7]),
                columns=int.from_bytes(frame[at + 7 : at + 9]),
                samples=frame[at + 9],
                precision=frame[at + 4],
            )
        if marker == 0xFF:
            at += 1
        elif marker in _ALONE:
            at += 2
        else:
            at += 2 + int.from_bytes(frame[at + 2 : at + 4])
    raise ValueError("the frame has no header")
