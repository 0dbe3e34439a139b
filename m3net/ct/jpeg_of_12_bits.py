"""JPEG with loss and 12 bits a sample, which pydicom's decoders leave out.

JPEG Extended (1.2.840.10008.1.2.4.51) is the syntax in which 12 bits of a CT are compressed with
loss, the most that it has (ITU-T T.81 Table B.2).  GDCM decodes it, equal to the last bit with
dcmdjpeg, but pydicom does not let it.
"""

import gdcm
import numpy as np
from numpy.typing import NDArray
from pydicom.uid import UID

from m3net.codestream import require_size

TRANSFER_SYNTAXES = frozenset(
    {
        UID("1.2.840.10008.1.2.4.51"),  # extended, processes 2 and 4
        UID("1.2.840.10008.1.2.4.53"),  # spectral selection, retired
        UID("1.2.840.10008.1.2.4.55"),  # full progression, retired
    }
)


def decode(frame: bytes, *, rows: int, columns: int, transfer_syntax: UID) -> NDArray[np.uint16]:
    """(Y, X) stored values of one greyscale frame.

    Raises ValueError if it is no such JPEG, or not of these rows and columns.
    """
    precision = require_size(frame, rows=rows, columns=columns).precision  # GDCM trusts it
    if precision != 12:
        raise ValueError(f"{precision} bits a sample, expected 12")
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(frame)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement()
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetDimension(0, columns)
    image.SetDimension(1, rows)
    image.SetDataElement(element)
    grey = gdcm.PhotometricInterpretation.GetPIType("MONOCHROME2")
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(grey))
    syntax = gdcm.TransferSyntax.GetTSType(str(transfer_syntax))
    image.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    image.SetPixelFormat(gdcm.PixelFormat(1, 16, precision, precision - 1))
    decoded = image.GetBuffer()
    if decoded is None:
        raise ValueError("GDCM cannot decode the frame")
    # GDCM's char* comes as str
    values = np.frombuffer(decoded.encode("utf-8", "surrogateescape"), dtype="<u2")
    return values.reshape(rows, columns)
