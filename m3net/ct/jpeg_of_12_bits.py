"""JPEG with loss and more than 8 bits a sample, which pydicom's decoders leave out.

JPEG Extended (1.2.840.10008.1.2.4.51) is the syntax in which 12 bits of a CT are compressed with
loss.  GDCM decodes it, equal to the last bit with dcmdjpeg, but pydicom does not let it.
"""

import gdcm
import numpy as np
from numpy.typing import NDArray
from pydicom.uid import UID

TRANSFER_SYNTAXES = frozenset(
    {
        UID("1.2.840.10008.1.2.4.51"),  # extended, processes 2 and 4
        UID("1.2.840.10008.1.2.4.53"),  # spectral selection, retired
        UID("1.2.840.10008.1.2.4.55"),  # full progression, retired
    }
)

_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})


def decode(frame: bytes, *, rows: int, columns: int, transfer_syntax: UID) -> NDArray[np.uint16]:
    """(Y, X) stored values of one greyscale frame.

    Raises ValueError if it is no such JPEG, or not of these rows and columns.
    """
    precision = _precision(frame, rows=rows, columns=columns)
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(frame)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((columns, rows, 1))
    image.SetDataElement(element)
    grey = gdcm.PhotometricInterpretation.GetPIType("MONOCHROME2")
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(grey))
    syntax = gdcm.TransferSyntax.GetTSType(str(transfer_syntax))
    image.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    image.SetPixelFormat(gdcm.PixelFormat(1, 16, precision, precision - 1, 0))
    decoded = image.GetBuffer()
    if decoded is None:
        raise ValueError("GDCM cannot decode the frame")
    # GDCM's char* comes as str
    values = np.frombuffer(decoded.encode("utf-8", "surrogateescape"), dtype="<u2")
    return values.reshape(rows, columns)


def _precision(frame: bytes, *, rows: int, columns: int) -> int:
    """Bits a sample, by the frame's own header (ISO/IEC 10918-1 B.2.2), which GDCM trusts."""
    at = 2
    while at + 10 <= len(frame) and frame[at] == 0xFF:
        marker = frame[at + 1]
        if marker in _START_OF_FRAME:
            own = int.from_bytes(frame[at + 5 : at + 7]), int.from_bytes(frame[at + 7 : at + 9])
            if own != (rows, columns) or frame[at + 9] != 1:
                raise ValueError(f"the frame is of {own}, expected {(rows, columns)}")
            if not 8 < frame[at + 4] <= 12:
                raise ValueError(f"{frame[at + 4]} bits a sample")
            return frame[at + 4]
        if marker == 0xFF:
            at += 1
        elif marker in _ALONE:
            at += 2
        else:
            at += 2 + int.from_bytes(frame[at + 2 : at + 4])
    raise ValueError("the frame has no header")
