"""Stored CT pixels as Hounsfield units."""

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
)

from m3net.errors import SeriesUnusable
from m3net.volume import AIR_HU

PADDING_BELOW_HU = -900
"""Declared padding above this could be tissue (a careless Pixel Padding Value of 0): it is kept."""

_ALWAYS_LOSSY = {JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless}
_PERHAPS_LOSSY = {JPEG2000, HTJ2K}


def is_lossy(dataset: Dataset) -> bool:
    """Whether the image was ever compressed with loss.

    Lossy Image Compression (0028,2110) says so even after decompression (PS3.3 C.7.6.1.1.5).  A
    transfer syntax that may be either counts as lossy unless the image says "00".
    """
    said = dataset.get("LossyImageCompression")
    syntax = dataset.file_meta.get("TransferSyntaxUID") if hasattr(dataset, "file_meta") else None
    if said == "01" or syntax in _ALWAYS_LOSSY:
        return True
    return syntax in _PERHAPS_LOSSY and said != "00"


def check_rescale(dataset: Dataset) -> None:
    """Nothing, if the stored values have a linear way to HU.

    Raises SeriesUnusable otherwise.
    """
    where = f"slice {dataset.SOPInstanceUID}"
    if dataset.get("RescaleSlope") is None or dataset.get("RescaleIntercept") is None:
        raise SeriesUnusable(
            f"{where} has no Rescale Slope and Intercept, so its values are no Hounsfield units"
        )
    if float(dataset.RescaleSlope) == 0:
        raise SeriesUnusable(f"{where} has Rescale Slope 0")
    kind = dataset.get("RescaleType") or "HU"
    if kind != "HU":
        raise SeriesUnusable(f"{where} has Rescale Type {kind}, expected HU")
    if dataset.get("SamplesPerPixel", 1) != 1 or int(dataset.get("NumberOfFrames") or 1) != 1:
        raise SeriesUnusable(f"{where} is no single-frame greyscale image")


def hounsfield(dataset: Dataset) -> NDArray[np.int16]:
    """The slice in HU, rounded to whole units; declared padding becomes air.

    returns : (Y, X) int16

    MONOCHROME1 only inverts the display, so it plays no part here (PS3.3 C.7.6.3.1.2).
    Raises SeriesUnusable if the pixels cannot be decoded.
    """
    try:
        stored = pixel_array(dataset, allow_excess_frames=False)
    except (
        AttributeError,
        KeyError,
        NotImplementedError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise SeriesUnusable(
            f"the pixels of slice {dataset.SOPInstanceUID} cannot be decoded: {error}"
        ) from error
    if stored.shape != (dataset.Rows, dataset.Columns):
        raise SeriesUnusable(
            f"slice {dataset.SOPInstanceUID} decodes to {stored.shape}, "
            f"expected {(dataset.Rows, dataset.Columns)}"
        )
    values = _without_unused_bits(stored, dataset)
    slope, intercept = float(dataset.RescaleSlope), float(dataset.RescaleIntercept)
    if slope == 1 and intercept == int(intercept):
        hu = values + np.int32(intercept)
    else:
        hu = np.rint(values * slope + intercept).astype(np.int32)
    padding = _padding_range(dataset)
    if padding is not None:
        low, high = padding
        hu[(values >= low) & (values <= high) & (hu < PADDING_BELOW_HU)] = AIR_HU
    limits = np.iinfo(np.int16)
    clipped: NDArray[np.int16] = np.clip(hu, limits.min, limits.max).astype(np.int16)
    return clipped


def _without_unused_bits(stored: NDArray[np.generic], dataset: Dataset) -> NDArray[np.int32]:
    """Old scanners keep overlays in the bits above Bits Stored (PS3.5 8.1.1)."""
    unused = 32 - int(dataset.BitsStored)
    if dataset.PixelRepresentation == 1:
        shifted = stored.astype(np.int32) << unused
        return shifted >> unused
    return (stored.astype(np.uint32) << unused >> unused).astype(np.int32)


def _padding_range(dataset: Dataset) -> tuple[int, int] | None:
    """The padding's stored values; -2000 is often written as US 63536 and is meant signed."""
    first = dataset.get("PixelPaddingValue")
    if first is None:
        return None
    last = dataset.get("PixelPaddingRangeLimit")
    ends = [int(first), int(first if last is None else last)]
    if dataset.PixelRepresentation == 1:
        ends = [end - 2**16 if end >= 2**15 else end for end in ends]
    return min(ends), max(ends)
