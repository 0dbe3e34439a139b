"""Stored values as grey levels: modality, window, and what black means (PS3.3 C.11, C.7.6.3.1.2).

Of an Enhanced object what holds is said in its functional groups, frame by frame or for all.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi

from m3net import attributes

Grey = NDArray[np.uint8]
Function = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]
_MOST = 1e9
_SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which values are shown between black and white (PS3.3 C.11.2.1.2)."""

    center: float
    width: float
    function: Function = "LINEAR"

    @property
    def is_sound(self) -> bool:
        """Whether something can be seen through it."""
        wide = self.width >= 1 if self.function == "LINEAR" else self.width > 0
        return wide and self.width < _MOST and abs(self.center) < _MOST

    def levels(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """0 to 1."""
        if self.function == "SIGMOID":
            exponent = np.clip(-4 * (values - self.center) / self.width, -80, 80)
            return np.asarray(1 / (1 + np.exp(exponent)), np.float32)
        center, width = self.center, self.width
        if self.function == "LINEAR":
            center, width = center - 0.5, width - 1
        if width == 0:
            return np.asarray(values > center, np.float32)
        return np.asarray(np.clip((values - center) / width + 0.5, 0, 1), np.float32)


def grey(stored: NDArray[np.generic], header: Dataset, number: int, window: Window | None) -> Grey:
    """(Y, X): the frame as it is to be seen.

    stored : (Y, X) stored values
    number : of the frame, from 1
    window : as it is asked for; None: as the object has it, else from its lowest to highest value
    """
    levels = _levels(stored, header, number, window)
    if attributes.text(header, "PhotometricInterpretation") == "MONOCHROME1":
        levels = 1 - levels
    return np.rint(levels * 255).astype(np.uint8)


def _levels(
    stored: NDArray[np.generic], header: Dataset, number: int, window: Window | None
) -> NDArray[np.float32]:
    if window is None and attributes.uid(header, "SOPClassUID") in _SEGMENTATIONS:
        whole = attributes.number(header, "MaximumFractionalValue") or float(max(1, stored.max()))
        return np.asarray(np.clip(stored.astype(np.float32) / whole, 0, 1), np.float32)
    values = _without_unused_bits(stored, header)
    frame = _FrameHeader(header, number)
    table = attributes.items(header, "VOILUTSequence")
    if window is None and table and "ModalityLUTSequence" not in header:
        return _by_table(values, header, frame)
    shown = _modality(values, header, frame)
    window = window or frame.window()
    if window is None:
        low, high = float(shown.min()), float(shown.max())
        window = Window(center=(low + high) / 2, width=max(high - low, 1), function="LINEAR_EXACT")
    return window.levels(shown)


class _FrameHeader:
    """What is said of one frame, in its functional groups or else for the whole object."""

    def __init__(self, header: Dataset, number: int) -> None:
        self._header = header
        shared = attributes.items(header, "SharedFunctionalGroupsSequence")[:1]
        each = attributes.items(header, "PerFrameFunctionalGroupsSequence")
        self._groups = (*each[number - 1 : number], *shared)

    def within(self, sequence: str) -> Dataset:
        """The item of that functional group, or the whole header."""
        for group in self._groups:
            if found := attributes.items(group, sequence):
                return found[0]
        return self._header

    def window(self) -> Window | None:
        """The first window that is said; None without a sound one."""
        said = self.within("FrameVOILUTSequence")
        centers = attributes.numbers(said, "WindowCenter")
        widths = attributes.numbers(said, "WindowWidth")
        if not centers or not widths:
            return None
        function: Function = "LINEAR"
        match attributes.text(said, "VOILUTFunction"):
            case "LINEAR_EXACT":
                function = "LINEAR_EXACT"
            case "SIGMOID":
                function = "SIGMOID"
        found = Window(center=centers[0], width=widths[0], function=function)
        return found if found.is_sound else None


def _modality(
    values: NDArray[np.int32] | NDArray[np.float32], header: Dataset, frame: _FrameHeader
) -> NDArray[np.float32]:
    if "ModalityLUTSequence" in header:
        return np.asarray(apply_modality_lut(values, header), np.float32)
    said = frame.within("PixelValueTransformationSequence")
    slope = attributes.number(said, "RescaleSlope")
    intercept = attributes.number(said, "RescaleIntercept")
    return values.astype(np.float32) * np.float32(1 if slope is None else slope) + np.float32(
        intercept or 0
    )


def _by_table(
    values: NDArray[np.int32] | NDArray[np.float32], header: Dataset, frame: _FrameHeader
) -> NDArray[np.float32]:
    modality = np.rint(_modality(values, header, frame)).astype(np.int32)
    looked_up = np.asarray(apply_voi(modality, header), np.float32)
    bits = attributes.items(header, "VOILUTSequence")[0].LUTDescriptor[2]
    return np.asarray(np.clip(looked_up / (2 ** int(bits) - 1), 0, 1), np.float32)


def _without_unused_bits(
    stored: NDArray[np.generic], header: Dataset
) -> NDArray[np.int32] | NDArray[np.float32]:
    """Old scanners keep overlays in the bits above Bits Stored (PS3.5 8.1.1)."""
    if stored.dtype.kind == "f" or stored.dtype.itemsize > 2:
        return np.nan_to_num(stored.astype(np.float32), posinf=_MOST, neginf=-_MOST)
    bits = attributes.whole(header, "BitsStored") or 8 * stored.dtype.itemsize
    unused = 32 - min(max(bits, 1), 16)
    if stored.dtype.kind == "i":
        return stored.astype(np.int32) << unused >> unused
    return (stored.astype(np.uint32) << unused >> unused).astype(np.int32)
