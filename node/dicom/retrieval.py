"""What of WADO-RS nobody configures: media types, transfer syntaxes, limits.

CONFORMANCE.md names all of it.
"""

from collections.abc import Mapping, Sequence

from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

PLAIN = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
COMPRESSED = (JPEGLSLossless, JPEG2000Lossless, RLELossless)
WRITTEN_IN: Sequence[UID] = (*PLAIN, *COMPRESSED)
"""Transfer syntaxes that instances are retrieved in, however they are stored; without loss."""

OCTETS = "application/octet-stream"
FRAME_MEDIA_TYPES: Mapping[str, str] = {
    "1.2.840.10008.1.2.5": "image/dicom-rle",
    "1.2.840.10008.1.2.8.1": "application/x-deflate",
    "1.2.840.10008.1.2.4.50": "image/jpeg",
    "1.2.840.10008.1.2.4.51": "image/jpeg",
    "1.2.840.10008.1.2.4.57": "image/jpeg",
    "1.2.840.10008.1.2.4.70": "image/jpeg",
    "1.2.840.10008.1.2.4.80": "image/jls",
    "1.2.840.10008.1.2.4.81": "image/jls",
    "1.2.840.10008.1.2.4.90": "image/jp2",
    "1.2.840.10008.1.2.4.91": "image/jp2",
    "1.2.840.10008.1.2.4.92": "image/jpx",
    "1.2.840.10008.1.2.4.93": "image/jpx",
    "1.2.840.10008.1.2.4.110": "image/jxl",
    "1.2.840.10008.1.2.4.111": "image/jxl",
    "1.2.840.10008.1.2.4.112": "image/jxl",
    "1.2.840.10008.1.2.4.201": "image/jphc",
    "1.2.840.10008.1.2.4.202": "image/jphc",
    "1.2.840.10008.1.2.4.203": "image/jphc",
}
"""Of frames as they are stored, by transfer syntax (PS3.18 tables 8.7.3-5 and 8.7.3-6)."""

MOST_DECODED_SAMPLES = 1 << 27
"""Of a frame that is decoded: a gigabyte while it is; a mammogram has 2^24."""
MOST_RENDERED_SAMPLES = 1 << 25
"""Of a frame that is shown as a picture."""
MOST_PIXELS_A_SIDE = 8192
"""Of a viewport."""
MOST_INLINE_BYTES = 1024
"""Of a value that is bytes and stands in metadata; a longer one is fetched by its URI."""
MOST_INLINE_VALUE_BYTES = 1 << 20
"""Of numbers and texts: contours and comments are what metadata are asked for."""
MOST_FRAMES_AT_ONCE = 10_000
"""Of a list of frames."""
