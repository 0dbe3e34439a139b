"""Odd values in a multi-frame CT: a volume, or one reason; never another exception."""

import warnings
from collections.abc import Iterator
from functools import cache
from io import BytesIO

import pytest
from pydicom import Dataset, dcmread
from pydicom.datadict import tag_for_keyword

from m3net.ct.enhanced import converted_from
from m3net.ct.series import read_series
from m3net.errors import SeriesUnusable
from node.inbound.facts import read_facts
from tests import synthetic
from tests.enhanced import enhanced_ct, item
from tests.odd import ODD_VALUES, says

OF_THE_OBJECT = (
    "NumberOfFrames",
    "ImageType",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "PixelRepresentation",
    "FrameOfReferenceUID",
    "PerFrameFunctionalGroupsSequence",
    "SharedFunctionalGroupsSequence",
    "DimensionIndexSequence",
)
IN_A_GROUP = (
    ("FrameContentSequence", "StackID"),
    ("FrameContentSequence", "TemporalPositionIndex"),
    ("FrameContentSequence", "FrameAcquisitionNumber"),
    ("FrameContentSequence", "FrameAcquisitionDateTime"),
    ("FrameContentSequence", "DimensionIndexValues"),
    ("CTImageFrameTypeSequence", "FrameType"),
    ("CTImageFrameTypeSequence", "PixelPresentation"),
    ("PlanePositionSequence", "ImagePositionPatient"),
    ("PlaneOrientationSequence", "ImageOrientationPatient"),
    ("PixelMeasuresSequence", "PixelSpacing"),
    ("PixelMeasuresSequence", "SliceThickness"),
    ("PixelValueTransformationSequence", "RescaleSlope"),
    ("PixelValueTransformationSequence", "RescaleIntercept"),
    ("PixelValueTransformationSequence", "RescaleType"),
    ("CTXRayDetailsSequence", "KVP"),
    ("CardiacSynchronizationSequence", "NominalPercentageOfCardiacPhase"),
    ("ConversionSourceAttributesSequence", "ReferencedSOPInstanceUID"),
    ("ConversionSourceAttributesSequence", "ReferencedFrameNumber"),
)
SEQUENCES = sorted({sequence for sequence, _ in IN_A_GROUP})


def sound() -> Dataset:
    def more(number: int, group: Dataset) -> None:
        group.CTXRayDetailsSequence = item(KVP=120.0)
        group.CardiacSynchronizationSequence = item(NominalPercentageOfCardiacPhase=75.0)
        group.FrameContentSequence[0].DimensionIndexValues = [1, number]

    enhanced = enhanced_ct(synthetic.ct_series(shape=(6, 4, 5)), shared=(), sources=True)
    for number, group in enumerate(enhanced.PerFrameFunctionalGroupsSequence, start=1):
        more(number, group)
    pointer = Dataset()
    pointer.DimensionIndexPointer = tag_for_keyword("StackID")
    enhanced.DimensionIndexSequence = [pointer, Dataset()]
    return enhanced


@cache
def written() -> bytes:
    file = BytesIO()
    sound().save_as(file, enforce_file_format=True)
    return file.getvalue()


def spoiled() -> Iterator[tuple[str, Dataset]]:
    for number, (vr, value) in enumerate(ODD_VALUES):
        frames = slice(1, 2) if number % 2 else slice(None)
        for keyword in OF_THE_OBJECT:
            yield f"{keyword} {vr} {value!r}", says(received(), keyword, value, vr)
        for sequence in SEQUENCES[number % 2 :: 2]:
            ds = received()
            for group in ds.PerFrameFunctionalGroupsSequence[frames]:
                says(group, sequence, value, vr)
            yield f"{sequence} {vr} {value!r}", ds
        for sequence, keyword in IN_A_GROUP[number % 2 :: 2]:
            ds = received()
            for group in ds.PerFrameFunctionalGroupsSequence[frames]:
                says(group[sequence].value[0], keyword, value, vr)
            yield f"{keyword} {vr} {value!r}", ds


def received() -> Dataset:
    return dcmread(BytesIO(written()))


def test_whatever_stands_in_a_frame_there_is_a_volume_or_one_reason() -> None:
    read = refused = 0
    for what, dataset in spoiled():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's, of the value
            try:
                volume = read_series([dataset])
                assert len(volume.frames) == len(volume.hu), what
                read += 1
            except SeriesUnusable:
                refused += 1
            converted_from(dataset)
    assert (read > 100, refused > 100) == (True, True)


@pytest.mark.parametrize("keyword", ["PerFrameFunctionalGroupsSequence", "NumberOfFrames"])
def test_it_is_filed_all_the_same(keyword: str) -> None:
    for vr, value in ODD_VALUES:
        dataset = says(received(), keyword, value, vr)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            facts, _ = read_facts(dataset, transfer_syntax="1.2.840.10008.1.2.1")
        assert facts.kind == "Enhanced CT"
