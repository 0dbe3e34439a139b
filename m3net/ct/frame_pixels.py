"""The pixels of a multi-frame object, taken apart into images of one frame."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames

from m3net import attributes
from m3net.ct.enhanced import frame_count, object_name
from m3net.errors import SeriesUnusable
from m3net.uids import FrameKey


@dataclass(frozen=True)
class FramePixels:
    """One object with its pixels in `dataset`."""

    dataset: Dataset

    def of(self, key: FrameKey, header: Dataset) -> Dataset:
        """The frame as a CT image of its own, in the object's transfer syntax.

        header : as `frame_headers` made it

        Raises SeriesUnusable if the object's pixels are not as many frames as it says.
        """
        encapsulated = self._encapsulated_frames
        pixels = self._native(key.frame) if encapsulated is None else encapsulated.get(key.frame)
        if not pixels:
            raise SeriesUnusable(
                f"{self._name} describes {frame_count(self.dataset)} frames and has no pixels of "
                f"frame {key.frame}; resend it"
            )
        image = Dataset()
        image.update(header)
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = self.dataset.file_meta.TransferSyntaxUID
        image.PixelData = pixels if encapsulated is None else encapsulate([pixels])
        return image

    @property
    def _name(self) -> str:
        return object_name(self.dataset)

    def _native(self, number: int) -> bytes | None:
        rows, columns, bits = (
            attributes.whole(self.dataset, keyword) or 0
            for keyword in ("Rows", "Columns", "BitsAllocated")
        )
        length = rows * columns * bits // 8
        pixels: bytes = self.dataset.get("PixelData") or b""
        frame = pixels[(number - 1) * length : number * length]
        return frame if len(frame) == length else None

    @cached_property
    def _encapsulated_frames(self) -> Mapping[int, bytes] | None:
        """By number; None if the pixels are not encapsulated."""
        try:
            if not attributes.is_encapsulated(self.dataset):
                return None
            offsets = None
            if "ExtendedOffsetTable" in self.dataset:
                tables = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")
                offsets = (self.dataset[tables[0]].value, self.dataset[tables[1]].value)
            frames = generate_frames(
                self.dataset.PixelData,
                number_of_frames=frame_count(self.dataset),
                extended_offsets=offsets,
            )
            return dict(enumerate(frames, start=1))
        except attributes.PARSER_ERRORS as error:
            raise SeriesUnusable(
                f"the pixels of {self._name} cannot be taken apart into frames; resend it"
            ) from error
