import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    JPEG2000,
    UID,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from m3net.ct.pixels import hounsfield, is_lossy
from m3net.ct.series import read_series
from m3net.errors import SeriesUnusable
from tests import synthetic
from tests.m3net.ct.test_jpeg_of_12_bits import jpeg
from tests.required import require_binary, unavailable


def one_slice(stored: list[int], **attributes: object) -> Dataset:
    ds = synthetic.ct_series(shape=(1, 1, len(stored)))[0]
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    kind = "<i2" if ds.PixelRepresentation else "<u2"
    ds.PixelData = np.array(stored).astype(kind).tobytes()
    return ds


def hu(stored: list[int], **attributes: object) -> list[int]:
    values: list[int] = hounsfield(one_slice(stored, **attributes)).hu[0].tolist()
    return values


def test_each_slice_has_its_own_rescale() -> None:
    slices = synthetic.ct_series(shape=(3, 2, 2), hu=np.zeros((3, 2, 2)))
    slices[1].RescaleIntercept = -1000
    slices[2].RescaleSlope = 2
    assert [int(plane[0, 0]) for plane in read_series(slices).hu] == [0, 24, 1024]


def test_a_fractional_slope_is_rounded_to_whole_units() -> None:
    assert hu([10, 11], RescaleSlope=0.25, RescaleIntercept=0) == [2, 3]
    assert hu([10, 11], RescaleIntercept=0.6) == [11, 12]


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
    assert hounsfield(ds).hu[0].tolist() == [-1000, 0]


def test_a_range_of_padding_is_air() -> None:
    assert hu([-2000, -1990, -5], PixelPaddingValue=-2000, PixelPaddingRangeLimit=-1980) == [
        -1000,
        -1000,
        -1029,
    ]


def test_padding_in_the_range_of_tissue_is_not_believed() -> None:
    assert hu([0, 40], RescaleIntercept=0, PixelPaddingValue=0) == [0, 40]


def test_padding_less_dense_than_any_tissue_is_air_from_below_minus_900() -> None:
    padding = {"PixelPaddingValue": -901, "PixelPaddingRangeLimit": -900}
    assert hu([-901, -900], RescaleIntercept=0, **padding) == [-1000, -900]


def test_signed_padding_among_unsigned_pixels_is_air_and_not_metal() -> None:
    ds = one_slice([63536, 1024, 65535], PixelRepresentation=0)
    ds.add_new("PixelPaddingValue", "SS", -2000)
    assert hounsfield(ds).hu[0].tolist() == [-1000, 0, 32767]


def test_a_range_of_signed_padding_among_unsigned_pixels_is_air() -> None:
    ds = one_slice([63536, 63000, 62000, 1024], PixelRepresentation=0)
    ds.add_new("PixelPaddingValue", "SS", -2000)
    ds.add_new("PixelPaddingRangeLimit", "SS", -3000)
    assert hounsfield(ds).hu[0].tolist() == [-1000, -1000, 32767, 0]


def test_padding_at_the_least_signed_number_is_air_in_either_dress() -> None:
    assert hu([-32768, 1024], PixelPaddingValue=-32768) == [-1000, 0]
    ds = one_slice([32768, 1024], PixelRepresentation=0)
    ds.add_new("PixelPaddingValue", "US", 32768)
    assert hounsfield(ds).hu[0].tolist() == [-1000, 0]


def test_what_is_thinner_than_anything_is_padding_and_keeps_its_value() -> None:
    found = hounsfield(one_slice([-476, -477, 1024]))
    assert found.hu[0].tolist() == [-1500, -1501, 0]
    assert found.padding[0].tolist() == [False, True, False]
    declared = hounsfield(one_slice([-2000, 24, 1024], PixelPaddingValue=24))
    assert declared.hu[0].tolist() == [-3024, -1000, 0]
    assert declared.padding[0].tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("slope", "intercept", "hounsfield_units"),
    [
        (1000, 0, True),
        (1000.5, 0, False),
        (0, 0, False),
        (1, 65536, True),
        (1, 65537, False),
        (1, -65536, True),
        (1, -65537, False),
    ],
)
def test_slope_and_intercept_are_of_a_size_that_a_ct_can_have(
    slope: float, intercept: float, hounsfield_units: bool
) -> None:
    ds = one_slice([0], RescaleSlope=slope, RescaleIntercept=intercept)
    if hounsfield_units:
        hounsfield(ds)
    else:
        with pytest.raises(SeriesUnusable, match="which give no Hounsfield units"):
            hounsfield(ds)


@pytest.mark.parametrize(("precision", "bits_stored"), [(8, 8), (12, 12), (12, 9)])
def test_jpeg_extended_is_of_8_or_of_12_bits(precision: int, bits_stored: int) -> None:
    ds = one_slice([0] * 16, PixelRepresentation=0, BitsStored=bits_stored)
    ds.Rows, ds.Columns, ds.HighBit = 8, 16, bits_stored - 1
    if precision == 8:
        ds.BitsAllocated = 8
    ds.file_meta.TransferSyntaxUID = JPEGExtended12Bit
    ds.PixelData = encapsulate([jpeg([[100, 200]], precision=precision)])
    assert hounsfield(ds).hu[0].tolist() == [-924] * 8 + [-824] * 8


def test_padding_in_the_range_of_bone_and_metal_is_not_believed() -> None:
    assert hu([3000, 31734], PixelPaddingValue=3000, PixelPaddingRangeLimit=31734) == [1976, 30710]


@pytest.mark.parametrize("written", ["HU", "hu", "Hounsfield", "Hounsfield Units", "", None])
def test_hounsfield_units_by_any_of_their_names(written: str | None) -> None:
    assert hu([1024], RescaleType=written) == [0]


def test_pixels_of_a_byte_and_of_four_are_pixels() -> None:
    ds = one_slice([24, 200], PixelRepresentation=0, BitsAllocated=8, BitsStored=8, HighBit=7)
    ds.PixelData = bytes([24, 200])
    ds.RescaleSlope, ds.RescaleIntercept = 4, -1000
    assert hounsfield(ds).hu[0].tolist() == [-904, -200]
    ds = one_slice([0, 0], BitsAllocated=32, BitsStored=32, HighBit=31)
    ds.PixelData = np.array([-70000, 1024], "<i4").tobytes()
    assert hounsfield(ds).hu[0].tolist() == [-32768, 0]


def test_bits_stored_may_be_known_by_the_high_bit() -> None:
    ds = one_slice([0x0FFF, 5], PixelRepresentation=1, BitsStored=12, HighBit=11)
    del ds.BitsStored
    assert hounsfield(ds).hu[0].tolist() == [-1025, -1019]


@pytest.mark.parametrize(
    ("attributes", "what"),
    [
        ({"BitsAllocated": 12}, "Bits Allocated 12, Bits Stored 16 and Pixel Representation 1"),
        ({"BitsStored": 17}, "Bits Allocated 16, Bits Stored 17 and Pixel Representation 1"),
        ({"BitsStored": 0}, "Bits Allocated 16, Bits Stored 0 and Pixel Representation 1"),
        ({"PixelRepresentation": 2}, "Bits Allocated 16, Bits Stored 16 and Pixel Representat"),
    ],
)
def test_pixels_of_no_possible_size_are_refused(attributes: dict[str, int], what: str) -> None:
    ds = one_slice([0, 0])
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    with pytest.raises(SeriesUnusable, match=what):
        hounsfield(ds)


@pytest.mark.parametrize(
    ("syntax", "said", "lossy"),
    [
        (None, None, False),
        (None, "01", True),
        (JPEGBaseline8Bit, None, True),
        (JPEGExtended12Bit, "00", True),
        (JPEGLSNearLossless, "00", True),
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


def compressed(syntax: str, rows: int = 32) -> tuple[Dataset, NDArray[np.int16]]:
    """One slice in that syntax, and its HU."""
    ds = synthetic.ct_series(
        hu=np.random.default_rng(3).integers(-1024, 2000, (1, rows, 40)), shape=(1, rows, 40)
    )[0]
    plain = hounsfield(ds).hu
    ds.compress(syntax, generate_instance_uid=False)
    return ds, plain


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize("table", ["none", "of the frame", "of each fragment"])
def test_a_frame_in_several_fragments_is_one_whatever_its_offset_table_says(
    syntax: str, table: str
) -> None:
    ds, plain = compressed(syntax)
    (frame,) = generate_frames(ds.PixelData, number_of_frames=1)
    fragments = [frame[at : at + 512] for at in range(0, len(frame), 512)]
    fragments[-1] += b"\0" * (len(fragments[-1]) % 2)
    offsets = [520 * number for number in range(len(fragments))]
    offsets = {"none": [], "of the frame": [0], "of each fragment": offsets}[table]
    heads = [np.array(offsets, "<u4").tobytes(), *fragments]
    items = b"".join(b"\xfe\xff\x00\xe0" + len(i).to_bytes(4, "little") + i for i in heads)
    ds.PixelData = items + b"\xfe\xff\xdd\xe0\0\0\0\0"
    assert len(fragments) > 2
    assert np.array_equal(hounsfield(ds).hu, plain)


@pytest.mark.filterwarnings("ignore::UserWarning")  # the decoders', of damaged frames
@pytest.mark.parametrize(
    "syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless, JPEGBaseline8Bit, JPEGExtended12Bit]
)
@pytest.mark.parametrize(
    "frame",
    [b"", b"\0" * 64, b"\xff\xd8\xff\xd9", b"\xff\xd8" * 40, b"\xff\x4f\xff\x51" + b"\1" * 90],
)
def test_pixels_that_cannot_be_decoded_have_one_reason_without_a_librarys_words(
    syntax: str, frame: bytes
) -> None:
    ds, _ = compressed(RLELossless)
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    ds.BitsStored = 12
    ds.HighBit = 11
    ds.PixelData = encapsulate([frame]) if frame else b""
    ds["PixelData"].is_undefined_length = True
    with pytest.raises(SeriesUnusable) as refused:
        hounsfield(ds)
    assert str(refused.value) == (
        f"the pixels of slice {ds.SOPInstanceUID} cannot be decoded from {UID(syntax).name}; "
        "send the series uncompressed"
    )


def test_a_syntax_newer_than_pydicom_is_named_as_what_cannot_be_decoded() -> None:
    ds = one_slice([0, 0])
    ds.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.99")
    with pytest.raises(SeriesUnusable) as refused:
        hounsfield(ds)
    assert str(refused.value) == (
        f"the pixels of slice {ds.SOPInstanceUID} cannot be decoded from 1.2.840.10008.1.2.99; "
        "send the series uncompressed"
    )


def test_a_slice_without_pixels_or_with_too_few_says_so() -> None:
    for pixels in (None, b"", b"\0\0"):
        ds = one_slice([0, 0])
        ds.PixelData = pixels
        with pytest.raises(SeriesUnusable) as refused:
            hounsfield(ds)
        assert str(refused.value) == (
            f"the pixels of slice {ds.SOPInstanceUID} cannot be decoded: Pixel Data is absent, or "
            "not as long as its rows and columns ask for; resend the series"
        )


@pytest.mark.filterwarnings("ignore:The pixel data")
def test_what_stands_behind_a_slices_own_pixels_is_none_of_them() -> None:
    ds = one_slice([10, 20])
    ds.PixelData += ds.PixelData
    assert hounsfield(ds).hu.tolist() == [[-1014, -1004]]


def smooth(**attributes: int) -> Dataset:
    """A slice of 12 bits without noise, as JPEG likes it."""
    y, x = np.mgrid[:48, :64]
    density = (900 * np.sin(x / 9) * np.cos(y / 7) + 600).astype(int)
    ds = synthetic.ct_series(hu=density[None], shape=(1, 48, 64))[0]
    ds.PixelRepresentation, ds.BitsStored, ds.HighBit = 0, 12, 11
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def by_dcmtk(tmp_path: Path, program: str, *options: str, source: Path) -> Path:
    binary = require_binary(program, "dcmtk")
    target = tmp_path / f"{program}.dcm"
    subprocess.run([binary, *options, source, target], check=True)
    return target


@pytest.mark.peers
@pytest.mark.parametrize("signed", [0, 1])
def test_jpeg_of_12_bits_is_decoded_as_dcmtk_decodes_it(tmp_path: Path, signed: int) -> None:
    plain = tmp_path / "plain.dcm"
    smooth(PixelRepresentation=signed).save_as(plain, enforce_file_format=True)
    packed = by_dcmtk(tmp_path, "dcmcjpeg", "+ee", source=plain)
    ours = dcmread(packed)
    assert ours.file_meta.TransferSyntaxUID == JPEGExtended12Bit
    theirs = dcmread(by_dcmtk(tmp_path, "dcmdjpeg", source=packed))
    assert np.array_equal(hounsfield(ours).hu, hounsfield(theirs).hu)
    assert np.abs(hounsfield(ours).hu - hounsfield(dcmread(plain)).hu.astype(int)).max() < 60
    assert is_lossy(ours)


@pytest.mark.peers
def test_a_jpeg_of_another_size_than_its_slice_is_refused(tmp_path: Path) -> None:
    plain = tmp_path / "plain.dcm"
    smooth().save_as(plain, enforce_file_format=True)
    ds = dcmread(by_dcmtk(tmp_path, "dcmcjpeg", "+ee", source=plain))
    ds.Rows = 480
    with pytest.raises(SeriesUnusable, match=r"cannot be decoded from JPEG Extended"):
        hounsfield(ds)


def others() -> list[Path]:
    folder = Path(__file__).parents[4] / "shared" / "data" / "others"
    folder = Path(os.environ.get("TESTS_LIDC") or folder.parent) / "others"
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.glob("ct_*/*") if "rt-utils" not in path.name)


@pytest.mark.lidc
@pytest.mark.peers
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_slices_that_others_made_are_decoded_as_dcmtk_decodes_them(tmp_path: Path) -> None:
    if not others():
        unavailable("no CT images of others beside the checkout")
    compared = 0
    for path in others():
        ds = dcmread(path)
        ds.RescaleType = "HU"  # four of them are no HU, which plays no part here
        syntax = ds.file_meta.TransferSyntaxUID
        peer = (
            "dcmdjpls"
            if "JPEG-LS" in syntax.name
            else "dcmdjpeg"
            if "JPEG" in syntax.name and syntax != JPEG2000
            else ""
        )
        theirs = dcmread(by_dcmtk(tmp_path, peer, source=path) if peer else path)
        if syntax == JPEG2000:  # dcmtk has no decoder for it, GDCM has
            theirs.PixelData = pixel_array(path, decoding_plugin="gdcm").tobytes()
            theirs.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        theirs.RescaleType = "HU"
        assert np.array_equal(hounsfield(ds).hu, hounsfield(theirs).hu), path.name
        compared += 1
    assert compared == 12


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
