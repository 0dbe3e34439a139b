"""Stored CT pixels as Hounsfield units."""

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.datadict import dictionary_description
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate, generate_fragments, parse_basic_offsets
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
    RLELossless,
)

from m3net import attributes
from m3net.codestream import require_size
from m3net.ct.jpeg_of_12_bits import TRANSFER_SYNTAXES as JPEG_OF_12_BITS
from m3net.ct.jpeg_of_12_bits import decode as decode_jpeg_of_12_bits
from m3net.errors import SeriesUnusable
from m3net.volume import AIR_HU

PADDING_BELOW_HU = -900
"""Declared padding above this could be tissue (a careless Pixel Padding Value of 0): it is kept."""

PADDING_ABOVE_HU = 30_710
"""Nothing is denser, on the extended scale of ten times 3071 HU either.  Declared padding above it
is a negative number that was written among unsigned ones."""

NO_DENSITY_BELOW_HU = -1500
"""Nothing is that thin: such values are padding, declared or not.  Of 791 nodules of LIDC-IDRI the
least HU about one is -1445, a sharp kernel's; whole scans have -2048 outside of the field of view,
and declare another number."""

_ALWAYS_LOSSY = {JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless}
_PERHAPS_LOSSY = {JPEG2000, HTJ2K}
_HOUNSFIELD = {"", "HU", "HOUNSFIELD", "HOUNSFIELD UNITS"}
_OTHER_RESCALE_TYPES = {"OD", "US", "MGML", "Z_EFF", "ED", "EDW", "HU_MOD", "PCT"}
"""Defined terms of PS3.3 C.11.1.1.2; what else stands there is not quoted."""
_LEAST_BITS = 8
"""A CT has 12 to 16 (PS3.3 C.8.2.1); in fewer than 8 no densities can be told apart."""
_MOST_SLOPE = 1000
_MOST_INTERCEPT = 2**16


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPixels:
    """How a slice's pixels are stored, and their way to HU.

    padding : stored values, lowest and highest, that stand for nothing
    """

    name: str
    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    signed: bool
    slope: float
    intercept: float
    padding: tuple[int, int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceHU:
    """One slice: `hu` (Y, X) int16, and `padding` (Y, X) bool, where it stands for nothing."""

    hu: NDArray[np.int16]
    padding: NDArray[np.bool_]


def is_lossy(dataset: Dataset) -> bool:
    """Whether the image was ever compressed with loss.

    Lossy Image Compression (0028,2110) says so even after decompression (PS3.3 C.7.6.1.1.5).  A
    transfer syntax that may be either counts as lossy unless the image says "00".
    """
    said = attributes.text(dataset, "LossyImageCompression")
    syntax = _transfer_syntax(dataset)
    if said == "01" or syntax in _ALWAYS_LOSSY:
        return True
    return syntax in _PERHAPS_LOSSY and said != "00"


def read_stored_pixels(dataset: Dataset) -> StoredPixels:
    """How the slice's pixels are stored.

    Raises SeriesUnusable, naming the slice and the attribute, if they have no linear way to HU or
    if that cannot be read.
    """
    name = f"slice {attributes.uid(dataset, 'SOPInstanceUID')}"
    if not all(attributes.holds(dataset, f"Rescale{what}") for what in ("Slope", "Intercept")):
        raise SeriesUnusable(
            f"{name} has no Rescale Slope and Intercept, so its values are no Hounsfield units"
        )
    slope = _required(attributes.number(dataset, "RescaleSlope"), "RescaleSlope", name)
    intercept = _required(attributes.number(dataset, "RescaleIntercept"), "RescaleIntercept", name)
    if not 0 < slope <= _MOST_SLOPE or abs(intercept) > _MOST_INTERCEPT:
        raise SeriesUnusable(
            f"{name} has Rescale Slope {slope:g} and Rescale Intercept {intercept:g}, "
            "which give no Hounsfield units"
        )
    kind = attributes.text(dataset, "RescaleType").upper()
    if kind not in _HOUNSFIELD:
        said = kind if kind in _OTHER_RESCALE_TYPES else "of an unknown name"
        raise SeriesUnusable(f"{name} has Rescale Type {said}, expected HU")
    samples = attributes.whole(dataset, "SamplesPerPixel")
    frames = attributes.whole(dataset, "NumberOfFrames")
    if max(samples or 1, frames or 1) > 1:  # 0 and less is nothing said: the pixels' length tells
        raise SeriesUnusable(f"{name} is no single-frame greyscale image")

    def counted(keyword: str) -> int:
        return int(_required(attributes.whole(dataset, keyword), keyword, name))

    allocated = counted("BitsAllocated")
    high_bit = attributes.whole(dataset, "HighBit")
    stored = attributes.whole(dataset, "BitsStored")
    if stored is None and high_bit is not None:
        stored = high_bit + 1  # PS3.5 8.1.1
    stored = int(_required(stored, "BitsStored", name))
    sign = counted("PixelRepresentation")
    if allocated not in (8, 16, 32) or not _LEAST_BITS <= stored <= allocated or sign not in (0, 1):
        raise SeriesUnusable(
            f"{name} has Bits Allocated {allocated}, Bits Stored {stored} and Pixel Representation "
            f"{sign}, which are no pixels of a CT"
        )
    return StoredPixels(
        name=name,
        rows=counted("Rows"),
        columns=counted("Columns"),
        bits_allocated=allocated,
        bits_stored=stored,
        signed=sign == 1,
        slope=slope,
        intercept=intercept,
        padding=_padding(dataset, signed=sign == 1, bits=allocated),
    )


def hounsfield(dataset: Dataset) -> SliceHU:
    """The slice in HU, rounded to whole units; declared padding becomes air.

    MONOCHROME1 only inverts the display, so it plays no part here (PS3.3 C.7.6.3.1.2).
    Raises SeriesUnusable if the pixels cannot be decoded or have no linear way to HU.
    """
    pixels = read_stored_pixels(dataset)
    try:
        stored = _decoded(dataset, pixels)
    except attributes.PARSER_ERRORS as error:
        syntax = _transfer_syntax(dataset)
        how = f" from {syntax.name}" if syntax and attributes.is_encapsulated(dataset) else ""
        raise SeriesUnusable(
            f"the pixels of {pixels.name} cannot be decoded{how}; send the series uncompressed"
            if how
            else f"the pixels of {pixels.name} cannot be decoded: Pixel Data is absent, or not as "
            "long as its rows and columns ask for; resend the series"
        ) from error
    if stored.shape != (pixels.rows, pixels.columns):
        raise SeriesUnusable(
            f"{pixels.name} decodes to {stored.shape}, expected {(pixels.rows, pixels.columns)}"
        )
    values = _without_unused_bits(stored, pixels)
    if pixels.slope == 1 and pixels.intercept == int(pixels.intercept):
        hu = values + np.int64(pixels.intercept)
    else:
        hu = np.rint(values * pixels.slope + pixels.intercept)
    padding = np.asarray(hu < NO_DENSITY_BELOW_HU)
    if pixels.padding is not None:
        low, high = pixels.padding
        no_density = (hu < PADDING_BELOW_HU) | (hu > PADDING_ABOVE_HU)
        declared = (values >= low) & (values <= high) & no_density
        hu[declared] = AIR_HU
        padding |= declared
    limits = np.iinfo(np.int16)
    clipped: NDArray[np.int16] = np.clip(hu, limits.min, limits.max).astype(np.int16)
    return SliceHU(hu=clipped, padding=padding)


def _decoded(dataset: Dataset, pixels: StoredPixels) -> NDArray[np.generic]:
    """The stored values, by what was read of them and not by what else the header may say."""
    syntax = _transfer_syntax(dataset)
    if syntax is None:
        raise ValueError("no transfer syntax")
    data = bytes(dataset.PixelData)
    if syntax.is_encapsulated:
        frame = _one_frame(data)
        if syntax != RLELossless:
            require_size(frame, rows=pixels.rows, columns=pixels.columns)
        if syntax in JPEG_OF_12_BITS and pixels.bits_stored > 8:
            return decode_jpeg_of_12_bits(
                frame, rows=pixels.rows, columns=pixels.columns, transfer_syntax=syntax
            )
        data = encapsulate([frame], has_bot=False)
    plain = Dataset()
    plain.file_meta = FileMetaDataset()
    plain.file_meta.TransferSyntaxUID = syntax
    plain.Rows, plain.Columns = pixels.rows, pixels.columns
    plain.SamplesPerPixel, plain.PhotometricInterpretation = 1, "MONOCHROME2"
    plain.BitsAllocated, plain.BitsStored = pixels.bits_allocated, pixels.bits_stored
    plain.HighBit = pixels.bits_stored - 1
    plain.PixelRepresentation = int(pixels.signed)
    plain.PixelData = data
    array: NDArray[np.generic] = pixel_array(plain, allow_excess_frames=False)
    return array


def _one_frame(encapsulated: bytes) -> bytes:
    """All fragments as the one frame that they are; an offset table may count each as a frame."""
    buffer = BytesIO(encapsulated)
    parse_basic_offsets(buffer)
    return b"".join(generate_fragments(buffer))


def _transfer_syntax(dataset: Dataset) -> UID | None:
    meta = getattr(dataset, "file_meta", None)
    said = attributes.text(meta, "TransferSyntaxUID") if meta is not None else ""
    return UID(said) if said else None


def _without_unused_bits(stored: NDArray[np.generic], pixels: StoredPixels) -> NDArray[np.int64]:
    """Old scanners keep overlays in the bits above Bits Stored (PS3.5 8.1.1)."""
    unused = 64 - pixels.bits_stored
    if pixels.signed:
        shifted = stored.astype(np.int64) << unused
        return shifted >> unused
    return (stored.astype(np.uint64) << np.uint64(unused) >> np.uint64(unused)).astype(np.int64)


def _padding(dataset: Dataset, *, signed: bool, bits: int) -> tuple[int, int] | None:
    """The padding's stored values.

    -2000 is often written as US 63536 among signed pixels, or as SS -2000 among unsigned ones.
    """
    ends = [
        value
        for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit")
        if (value := attributes.whole(dataset, keyword)) is not None
    ]
    if attributes.whole(dataset, "PixelPaddingValue") is None:
        return None
    if signed:
        ends = [end - 2**bits if end >= 2 ** (bits - 1) else end for end in ends]
    else:
        ends = [end + 2**bits if end < 0 else end for end in ends]
    return min(ends), max(ends)


def _required(value: float | None, keyword: str, name: str) -> float:
    if value is None:
        raise SeriesUnusable(
            f"{dictionary_description(keyword)} of {name} is absent or cannot be read; "
            "correct it and send the series again"
        )
    return value
