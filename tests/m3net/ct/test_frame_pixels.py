"""The pixels of a multi-frame object, frame by frame."""

from itertools import accumulate

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import ExplicitVRLittleEndian, JPEGExtended12Bit

from m3net.ct.frame_pixels import FramePixels
from m3net.ct.pixels import hounsfield
from m3net.errors import SeriesUnusable
from m3net.uids import FrameKey, SOPInstanceUID
from tests.m3net.ct.test_jpeg_of_12_bits import jpeg

OBJECT = SOPInstanceUID("1.2.3")


def frames(syntax: str, pixels: bytes, *, count: int = 3) -> Dataset:
    """Frames of 8 x 8 pixels of two bytes."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.SOPInstanceUID, ds.NumberOfFrames = OBJECT, count
    ds.Rows = ds.Columns = 8
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.RescaleSlope, ds.RescaleIntercept = 1, -1024
    ds.PixelData = pixels
    return ds


def header_of(ds: Dataset) -> Dataset:
    header = Dataset()
    header.update({element.tag: element for element in ds if element.keyword != "PixelData"})
    del header.NumberOfFrames
    return header


def values_of(ds: Dataset) -> list[int]:
    """The one HU of each frame."""
    of = FramePixels(ds)
    found = []
    for number in range(1, 4):
        hu = hounsfield(of.of(FrameKey(OBJECT, number), header_of(ds))).hu
        assert (hu.shape, len(np.unique(hu))) == ((8, 8), 1)
        found.append(int(hu[0, 0]))
    return found


NATIVE = np.repeat([100, 200, 300], 64).astype("<u2").tobytes()
JPEGS = [jpeg([[value]]) for value in (100, 200, 300)]


def test_native_frames_stand_one_behind_the_other() -> None:
    assert values_of(frames(ExplicitVRLittleEndian, NATIVE)) == [-924, -824, -724]


def test_compressed_frames_are_found_by_either_offset_table_or_without_any() -> None:
    for has_table in (True, False):
        packed = encapsulate(JPEGS, has_bot=has_table)
        assert values_of(frames(JPEGExtended12Bit, packed)) == [-924, -824, -724]
    packed, offsets, lengths = encapsulate_extended(JPEGS)
    extended = frames(JPEGExtended12Bit, packed)
    extended.ExtendedOffsetTable, extended.ExtendedOffsetTableLengths = offsets, lengths
    assert values_of(extended) == [-924, -824, -724]
    odd = [len(each) + len(each) % 2 + 8 for each in JPEGS]
    assert np.frombuffer(offsets, "<u8").tolist() == [0, *accumulate(odd[:-1])]


@pytest.mark.parametrize("number", [0, 4])
@pytest.mark.parametrize(
    ("syntax", "pixels"),
    [(ExplicitVRLittleEndian, NATIVE), (JPEGExtended12Bit, encapsulate(JPEGS))],
)
def test_a_frame_that_has_no_pixels_is_named(syntax: str, pixels: bytes, number: int) -> None:
    ds = frames(syntax, pixels)
    with pytest.raises(SeriesUnusable) as refused:
        FramePixels(ds).of(FrameKey(OBJECT, number), header_of(ds))
    assert str(refused.value) == (
        f"Enhanced CT 1.2.3 describes 3 frames and has no pixels of frame {number}; resend it"
    )


@pytest.mark.parametrize("lost", ["Rows", "Columns", "BitsAllocated", "PixelData"])
def test_frames_of_no_size_have_no_pixels(lost: str) -> None:
    ds = frames(ExplicitVRLittleEndian, NATIVE)
    delattr(ds, lost)
    with pytest.raises(SeriesUnusable, match="has no pixels of frame 1; resend it"):
        FramePixels(ds).of(FrameKey(OBJECT, 1), header_of(frames(ExplicitVRLittleEndian, NATIVE)))


def test_a_frame_that_is_cut_short_has_no_pixels() -> None:
    ds = frames(ExplicitVRLittleEndian, NATIVE[:-1])
    assert FramePixels(ds).of(FrameKey(OBJECT, 2), header_of(ds)).PixelData == NATIVE[128:256]
    with pytest.raises(SeriesUnusable, match="has no pixels of frame 3; resend it"):
        FramePixels(ds).of(FrameKey(OBJECT, 3), header_of(ds))
