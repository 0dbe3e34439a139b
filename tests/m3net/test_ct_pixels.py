import subprocess
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import (
    JPEG2000,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from m3net.ct_pixels import hounsfield, is_lossy
from m3net.ct_series import read_series
from tests import synthetic
from tests.required import require_binary


def one_slice(stored: list[int], **attributes: object) -> Dataset:
    ds = synthetic.ct_series(shape=(1, 1, len(stored)))[0]
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    kind = "<i2" if ds.PixelRepresentation else "<u2"
    ds.PixelData = np.array(stored).astype(kind).tobytes()
    return ds


def hu(stored: list[int], **attributes: object) -> list[int]:
    values: list[int] = hounsfield(one_slice(stored, **attributes))[0].tolist()
    return values


def test_each_slice_has_its_own_rescale() -> None:
    slices = synthetic.ct_series(shape=(3, 2, 2), hu=np.zeros((3, 2, 2)))
    slices[1].RescaleIntercept = -1000
    slices[2].RescaleSlope = 2
    assert [int(plane[0, 0]) for plane in read_series(slices).hu] == [0, 24, 1024]


def test_a_fractional_slope_is_rounded_to_whole_units() -> None:
    assert hu([10, 11], RescaleSlope=0.25, RescaleIntercept=0) == [2, 3]


def test_unsigned_pixels_reach_beyond_the_signed_range() -> None:
    assert hu([0, 40000, 65535], PixelRepresentation=0) == [-1024, 32767, 32767]


def test_overlay_bits_above_the_stored_ones_are_no_density() -> None:
    unsigned = {"PixelRepresentation": 0, "BitsStored": 12, "HighBit": 11}
    assert hu([0x1000 | 1024, 0x8000 | 2024], **unsigned) == [0, 1000]
    signed = {"PixelRepresentation": 1, "BitsStored": 12, "HighBit": 11}
    assert hu([0x0FFF, 5], RescaleIntercept=0, **signed) == [-1, 5]


def test_monochrome1_changes_the_display_and_not_the_density() -> None:
    assert hu([1024, 1124], PhotometricInterpretation="MONOCHROME1") == [0, 100]


def test_padding_outside_the_field_of_view_is_air() -> None:
    assert hu([-2000, 0, 1024], PixelPaddingValue=-2000) == [-1000, -1024, 0]


def test_padding_written_unsigned_is_understood() -> None:
    ds = one_slice([-2000, 1024])
    ds.add_new("PixelPaddingValue", "US", 63536)
    assert hounsfield(ds)[0].tolist() == [-1000, 0]


def test_a_range_of_padding_is_air() -> None:
    assert hu([-2000, -1990, -5], PixelPaddingValue=-2000, PixelPaddingRangeLimit=-1980) == [
        -1000,
        -1000,
        -1029,
    ]


def test_padding_in_the_range_of_tissue_is_not_believed() -> None:
    assert hu([0, 40], RescaleIntercept=0, PixelPaddingValue=0) == [0, 40]


@pytest.mark.parametrize(
    ("syntax", "said", "lossy"),
    [
        (None, None, False),
        (None, "01", True),
        (JPEGBaseline8Bit, None, True),
        (JPEG2000, None, True),
        (JPEG2000, "00", False),
        (JPEG2000Lossless, None, False),
    ],
)
def test_loss_is_known_by_what_the_image_says_or_by_its_syntax(
    syntax: str | None, said: str | None, lossy: bool
) -> None:
    ds = one_slice([0])
    if syntax:
        ds.file_meta.TransferSyntaxUID = syntax
    ds.LossyImageCompression = said
    assert is_lossy(ds) is lossy


def test_a_lossy_series_says_so() -> None:
    slices = synthetic.ct_series()
    slices[5].LossyImageCompression = "01"
    volume = read_series(slices)
    assert volume.lossy
    assert volume.notes == ("The CT was compressed with loss.",)


def chest() -> list[Dataset]:
    density = np.random.default_rng(3).integers(-1024, 2000, (3, 32, 40))
    return synthetic.ct_series(hu=density)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize("signed", [0, 1])
def test_compressed_series_give_the_identical_volume(syntax: str, signed: int) -> None:
    plain, packed = chest(), chest()
    for ds in (*plain, *packed):
        ds.PixelRepresentation = signed
    for ds in packed:
        ds.compress(syntax, generate_instance_uid=False)
    assert np.array_equal(read_series(packed).hu, read_series(plain).hu)
    assert not read_series(packed).lossy


@pytest.mark.peers
@pytest.mark.parametrize(
    ("program", "options"),
    [("dcmcjpeg", ["+e1"]), ("dcmcjpeg", ["+el"]), ("dcmcjpls", []), ("dcmcrle", [])],
    ids=["jpeg-lossless-sv1", "jpeg-lossless", "jpeg-ls", "rle"],
)
def test_series_compressed_by_dcmtk_give_the_identical_volume(
    tmp_path: Path, program: str, options: list[str]
) -> None:
    binary = require_binary(program, "dcmtk")
    plain = chest()
    packed = []
    for number, ds in enumerate(plain):
        source, target = tmp_path / f"{number}.dcm", tmp_path / f"{number}-packed.dcm"
        ds.save_as(source, enforce_file_format=True)
        subprocess.run([binary, *options, source, target], check=True)
        packed.append(dcmread(target))
    assert all(ds.file_meta.TransferSyntaxUID.is_compressed for ds in packed)
    assert np.array_equal(read_series(packed).hu, read_series(plain).hu)
