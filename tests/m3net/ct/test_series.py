import tracemalloc
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from m3net.ct import series
from m3net.ct.frame_types import shows_no_slice
from m3net.ct.series import read_series, read_series_files, slice_plane
from m3net.errors import SeriesUnusable
from m3net.uids import FrameKey, FrameReference, SOPInstanceUID
from m3net.volume import CTVolume, why_not_whole
from tests import synthetic
from tests.odd import ODD_VALUES, as_received, says

TILT = np.radians(20)
TILTED = (1.0, 0.0, 0.0, 0.0, float(np.cos(TILT)), float(-np.sin(TILT)))
OBLIQUE = (0.8, 0.6, 0.0, -0.36, 0.48, 0.8)


def shuffled(slices: list[Dataset]) -> list[Dataset]:
    order = np.random.default_rng(1).permutation(len(slices))
    return [slices[index] for index in order]


def test_a_voxel_lies_where_its_slice_says() -> None:
    volume = read_series(synthetic.ct_series())
    # origin (-10, -20, -100); 2.5 mm slices, 0.7 mm rows, 0.8 mm columns
    assert volume.to_mm([2, 3, 4]) == pytest.approx([-6.8, -17.9, -95.0], abs=1e-9)
    assert volume.to_index([-6.8, -17.9, -95.0]) == pytest.approx([2, 3, 4])
    assert volume.spacing_mm == pytest.approx((2.5, 0.7, 0.8))
    assert volume.hu[0, 0, :3].tolist() == [-450, -893, -886]


def test_slices_of_two_series_or_studies_make_no_volume() -> None:
    slices = [*synthetic.ct_series(), *synthetic.ct_series(series="another")]
    with pytest.raises(SeriesUnusable, match=r"^these slices are of 2 series, expected one$"):
        read_series(slices)
    slices = [*synthetic.ct_series(), *synthetic.ct_series(study="another")]
    for each in slices:
        each.SeriesInstanceUID = "1.2.3"
    with pytest.raises(SeriesUnusable, match=r"^these slices are of 2 studies, expected one$"):
        read_series(slices)


def test_a_volume_is_read_up_to_a_size_and_refused_beyond(monkeypatch: pytest.MonkeyPatch) -> None:
    slices = synthetic.ct_series(shape=(8, 16, 20))
    assert series.MOST_VOXELS == 2_147_483_648
    monkeypatch.setattr(series, "MOST_VOXELS", 8 * 16 * 20)
    assert read_series(slices).shape == (8, 16, 20)
    monkeypatch.setattr(series, "MOST_VOXELS", 8 * 16 * 20 - 1)
    with pytest.raises(SeriesUnusable, match="has 8 slices of 16 x 20 pixels, which is larger"):
        read_series(slices)


def test_places_pixels_and_sizes_are_possible_up_to_their_bounds() -> None:
    ds = synthetic.ct_series()[0]
    ds.ImagePositionPatient = ["-10", "-100000", "100000"]
    ds.PixelSpacing = ["50", "0.01"]
    ds.Rows = ds.Columns = 1
    plane = slice_plane(ds)
    assert (plane.position_mm[2], plane.spacing_mm, plane.rows) == (100_000.0, (50.0, 0.01), 1)
    ds.ImagePositionPatient = ["-10", "-100000.1", "0"]
    with pytest.raises(
        SeriesUnusable, match=r"an Image Position \(Patient\) more than 100 m away$"
    ):
        slice_plane(ds)
    ds.ImagePositionPatient = ["0", "0", "0"]
    del ds.Rows
    with pytest.raises(SeriesUnusable, match="has 0 rows and 1 columns"):
        slice_plane(ds)
    del ds.SOPInstanceUID, ds.PixelSpacing
    with pytest.raises(
        SeriesUnusable, match=r"^slice \(without UID\) has no PixelSpacing of 2 num"
    ):
        slice_plane(ds)


@pytest.mark.parametrize(
    ("thickness_mm", "noted"), [(2.5, False), (1.25, False), (1.24, True), (None, False)]
)
def test_slices_more_than_twice_their_thickness_apart_are_said_to_be(
    thickness_mm: float | None, noted: bool
) -> None:
    slices = synthetic.ct_series()
    for ds in slices:
        ds.SliceThickness = thickness_mm
    assert bool(read_series(slices).notes) is noted


@pytest.mark.parametrize("lossy", [[0], [7], [3, 4], []])
def test_one_slice_that_lost_something_makes_the_volume_a_lossy_one(lossy: list[int]) -> None:
    slices = synthetic.ct_series()
    for number in lossy:
        slices[number].LossyImageCompression = "01"
    volume = read_series(slices)
    assert volume.lossy is bool(lossy)
    assert volume.notes == (("The CT was compressed with loss.",) if lossy else ())


@pytest.mark.parametrize("columns", [71, 72, 73])
def test_padding_is_kept_of_every_column(columns: int) -> None:
    slices = synthetic.ct_series(
        shape=(2, 2, columns), hu=np.full((2, 2, columns), -2000), origin_mm=(0, 0, 0)
    )
    volume = read_series(slices)
    assert volume.padding is not None
    padding = np.unpackbits(volume.padding, axis=2, count=columns)
    assert padding.shape == (2, 2, columns)
    assert padding.all()


@pytest.mark.parametrize("far", ["100000.5", "-1e19", "1e300"])
def test_a_slice_farther_off_than_any_scanner_reaches_has_no_place(far: str) -> None:
    slices = synthetic.ct_series(shape=(40, 16, 20))
    slices[-1].ImagePositionPatient = ["-10", "-20", far]
    volume = read_series(slices)
    assert volume.shape[0] == 39
    assert volume.notes[0] == (
        "1 of 40 images of the CT series have no place in the patient and were left out."
    )


def test_a_pixel_larger_than_any_scanners_makes_no_volume() -> None:
    slices = synthetic.ct_series()
    for ds in slices:
        ds.PixelSpacing = ["0.7", "50.1"]
    with pytest.raises(SeriesUnusable, match=r"has Pixel Spacing 0\.7 \\ 50\.1 mm"):
        read_series(slices)


def test_the_private_data_of_a_vendor_are_not_held_in_memory(tmp_path: Path) -> None:
    slices = synthetic.ct_series()
    for number, ds in enumerate(slices):
        ds.private_block(0x0099, "VENDOR", create=True).add_new(1, "OB", bytes(4_000_000))
        ds.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
    tracemalloc.start()
    read_series_files(sorted(tmp_path.iterdir()))
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert held < 16_000_000, "one slice of 4 MB at a time, not eight of them"


def test_slices_are_sorted_by_position_whatever_their_order_and_number() -> None:
    slices = synthetic.ct_series()
    expected = read_series(slices)
    for number, ds in enumerate(slices):
        ds.InstanceNumber = 100 - number
    volume = read_series(shuffled(slices))
    assert np.array_equal(volume.hu, expected.hu)
    assert np.array_equal(volume.affine, expected.affine)
    assert list(volume.frames) == [FrameKey(ds.SOPInstanceUID) for ds in slices]


@pytest.mark.parametrize(
    ("orientation", "head"),
    [
        ((1, 0, 0, 0, 1, 0), 1.0),  # supine
        ((-1, 0, 0, 0, -1, 0), 1.0),  # prone
        ((0, 1, 0, -1, 0, 0), 1.0),  # decubitus
        ((1, 0, 0, 0, -1, 0), -1.0),  # mirrored display: the normal points to the feet
    ],
)
def test_the_volume_grows_along_the_normal_in_every_patient_position(
    orientation: tuple[float, ...], head: float
) -> None:
    slices = synthetic.ct_series(orientation=orientation)
    volume = read_series(shuffled(slices))
    assert volume.affine[:3, 0] == pytest.approx([0, 0, head * 2.5])
    for z in (0, 5):
        position = [float(v) for v in slices[z].ImagePositionPatient]
        assert volume.to_mm([z, 0, 0]) == pytest.approx(position)
        row, col = np.array(orientation[:3]), np.array(orientation[3:])
        assert volume.to_mm([z, 2, 3]) == pytest.approx(position + 3 * 0.8 * row + 2 * 0.7 * col)


def test_an_oblique_series_keeps_its_directions() -> None:
    volume = read_series(shuffled(synthetic.ct_series(orientation=OBLIQUE)))
    normal = np.cross(OBLIQUE[:3], OBLIQUE[3:])
    assert volume.affine[:3, 0] == pytest.approx(2.5 * normal, abs=1e-6)
    assert volume.to_mm([1, 2, 3]) == pytest.approx(
        np.array([-10, -20, -100])
        + 2.5 * normal
        + 2 * 0.7 * np.array(OBLIQUE[3:])
        + 3 * 0.8 * np.array(OBLIQUE[:3]),
        abs=1e-5,
    )


def test_a_tilted_gantry_shears_the_affine() -> None:
    volume = read_series(synthetic.ct_series(orientation=TILTED, step_mm=(0.0, 0.0, 2.5)))
    assert volume.affine[:3, 0] == pytest.approx([0, 0, 2.5])
    assert volume.notes == ("The gantry was tilted: the slices are sheared by 20.0 degrees.",)


@pytest.mark.parametrize(
    ("stored", "declared"), [(-2000, -2000), (-2000, None), (-1024, -2000)], ids=str
)
def test_padding_is_known_by_its_voxel_declared_or_too_thin_for_anything(
    stored: int, declared: int | None
) -> None:
    """GE writes -2048 HU and declares another number.  Seven columns are no whole byte."""
    slices = shuffled(synthetic.ct_series(shape=(4, 6, 7)))
    for ds in slices:
        pixels = ds.pixel_array.astype(np.int16)
        pixels[0, :2] = stored
        ds.PixelRepresentation, ds.PixelData = 1, pixels.tobytes()
        if declared is not None:
            ds.add_new("PixelPaddingValue", "SS", declared)
    padded = np.zeros((6, 7), bool)
    padded[0, :2] = True
    volume = read_series(slices)
    for z in range(4):
        assert np.array_equal(volume.padded(z), padded)


def test_a_scan_without_padding_keeps_no_record_of_it() -> None:
    volume = read_series(synthetic.ct_series(shape=(4, 6, 7)))
    assert volume.padding is None
    assert not volume.padded(2).any()


def test_a_gap_of_whole_slices_is_air_and_is_listed() -> None:
    slices = synthetic.ct_series(shape=(80, 4, 4))
    del slices[40:43]
    volume = read_series(slices)
    assert volume.shape == (80, 4, 4)
    assert volume.missing == {40, 41, 42}
    assert np.all(volume.hu[40:43] == -1000)
    assert volume.frames[39:44].count(None) == 3
    assert volume.to_mm([79, 0, 0])[2] == pytest.approx(-100 + 79 * 2.5)


def gapped() -> CTVolume:
    slices = synthetic.ct_series(shape=(120, 4, 4))
    del slices[40:43]
    return read_series(slices)


@pytest.mark.parametrize(
    ("first", "last", "whole"), [(30, 39, True), (30, 40, False), (42, 50, False), (43, 50, True)]
)
def test_slices_are_whole_if_the_gap_is_outside_of_them(first: int, last: int, whole: bool) -> None:
    volume = gapped()
    centre = volume.to_mm([(first + last) / 2, 2, 2])
    assert (why_not_whole(volume, range(first, last + 1), centre) is None) is whole


def test_a_gap_near_the_nodule_is_said() -> None:
    volume = gapped()
    assert why_not_whole(volume, range(16, 72), volume.to_mm([44, 2, 2])) == (
        "3 of the 56 CT slices about the nodule are missing, the nearest 5.0 mm from its centre; "
        "resend the series"
    )


def moved(slices: list[Dataset], index: int, *, z: float = 0.0, x: float = 0.0) -> list[Dataset]:
    position = [float(v) for v in slices[index].ImagePositionPatient]
    slices[index].ImagePositionPatient = [position[0] + x, position[1], position[2] + z]
    return slices


def test_rounded_positions_make_one_volume() -> None:
    volume = read_series(moved(synthetic.ct_series(), 3, z=0.05, x=0.05))
    assert volume.spacing_mm == pytest.approx((2.5, 0.7, 0.8), abs=0.01)


def test_irregular_spacing_is_refused_and_says_where() -> None:
    slices = moved(synthetic.ct_series(), 3, z=-1.25)
    with pytest.raises(
        SeriesUnusable, match=r"has gaps: 1\.25 mm before slice 4 of 8, at .*, 2\.5 mm elsewhere"
    ):
        read_series(slices)


def test_a_slice_beside_the_others_is_refused() -> None:
    with pytest.raises(SeriesUnusable, match=r"slice 4 of 8.*off the regular places of the others"):
        read_series(moved(synthetic.ct_series(), 3, x=3.0))


def test_more_gap_than_scan_is_refused() -> None:
    slices = synthetic.ct_series(shape=(80, 2, 2))
    with pytest.raises(SeriesUnusable, match="lacks 75 of 80 slices"):
        read_series([*slices[:3], *slices[-2:]])


def test_localizers_are_left_out() -> None:
    slices = synthetic.ct_series()
    scout = synthetic.ct_series(shape=(1, 30, 30), orientation=(1, 0, 0, 0, 0, -1))[0]
    scout.SOPInstanceUID = synthetic.uid("scout")
    scout.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    assert shows_no_slice(scout)
    assert not shows_no_slice(slices[0])
    assert read_series([scout, *slices]).shape == (8, 16, 20)


def test_of_two_slices_at_one_place_the_earlier_is_kept_and_it_is_said() -> None:
    slices = synthetic.ct_series()
    again = synthetic.ct_series(hu=np.full((8, 16, 20), 7))
    for ds in again:
        ds.SOPInstanceUID = synthetic.uid("again", ds.InstanceNumber)
        ds.InstanceNumber = ds.InstanceNumber + 8
    volume = read_series([*again, *slices])
    assert volume.shape == (8, 16, 20)
    assert not np.any(np.all(volume.hu == 7, axis=(1, 2)))
    assert volume.notes == (
        "8 slices of the CT stand where another one stands; at each place the one with the lower "
        "acquisition and instance number was used.",
    )


def test_the_same_slice_twice_is_one_slice() -> None:
    slices = synthetic.ct_series()
    volume = read_series([*slices, slices[2]])
    assert (volume.shape, volume.notes) == ((8, 16, 20), ())


def test_a_few_slices_of_a_reformat_are_left_out_and_named() -> None:
    slices = synthetic.ct_series(shape=(30, 4, 4))
    stray = synthetic.ct_series(shape=(1, 4, 4), orientation=(1, 0, 0, 0, 0, -1))[0]
    stray.SOPInstanceUID = synthetic.uid("stray")
    volume = read_series([stray, *slices])
    assert volume.shape == (30, 4, 4)
    assert volume.notes == (
        "1 of 31 images of the CT series are of another orientation and were left out.",
    )


def test_a_series_of_two_orientations_is_refused() -> None:
    coronal = synthetic.ct_series(orientation=(1, 0, 0, 0, 0, -1))
    for ds in coronal:
        ds.SOPInstanceUID = synthetic.uid("coronal", ds.InstanceNumber)
    with pytest.raises(SeriesUnusable, match=r"mixes orientations.*a series of its own"):
        read_series([*synthetic.ct_series(), *coronal])


@pytest.mark.parametrize(
    ("keyword", "value", "reason"),
    [
        ("PixelSpacing", [0.9, 0.8], "mixes 2 pixel spacings"),
        ("FrameOfReferenceUID", "1.2.3", "mixes 2 frames of reference"),
        ("SeriesInstanceUID", "1.2.3", "of 2 series"),
        ("RescaleSlope", None, "no Rescale Slope and Intercept"),
        ("RescaleSlope", 0, "Rescale Slope 0 and"),
        ("RescaleSlope", -1, "Rescale Slope -1 and Rescale Intercept -1024, which give no Houns"),
        ("RescaleIntercept", 1e6, "Rescale Intercept 1e\\+06"),
        ("RescaleType", "DOE^J", "Rescale Type of an unknown name, expected HU"),
        ("RescaleType", "US", "Rescale Type US, expected HU"),
        ("SamplesPerPixel", 3, "no single-frame greyscale image"),
        ("NumberOfFrames", 2, "no single-frame greyscale image"),
        ("BitsStored", 7, "Bits Stored 7 and Pixel Representation 1, which are no pixels of a CT"),
        ("ImagePositionPatient", None, "has no ImagePositionPatient of 3 numbers"),
        ("ImageOrientationPatient", [1, 0, 0, 1, 0, 0], "no orthonormal Image Orientation"),
        ("PixelSpacing", [0, 0.8], "Pixel Spacing 0.0"),
        ("PixelData", b"\0\0", "cannot be decoded"),
    ],
)
def test_a_slice_that_does_not_belong_is_refused_with_its_reason(
    keyword: str, value: object, reason: str
) -> None:
    slices = synthetic.ct_series()
    setattr(slices[3], keyword, value)
    with pytest.raises(SeriesUnusable, match=reason):
        read_series(slices)


@pytest.mark.parametrize(
    ("orientation", "orthonormal"),
    [
        ((1.009, 0, 0, 0, 1, 0), True),
        ((0.991, 0, 0, 0, 1, 0), True),
        ((1.011, 0, 0, 0, 1, 0), False),
        ((0.989, 0, 0, 0, 1, 0), False),
        ((1, 0, 0, 0, 1.011, 0), False),
        ((1, 0, 0, 0, 0.989, 0), False),
        ((1, 0, 0, 0.009, 1, 0), True),
        ((1, 0, 0, 0.01, 1, 0), True),
        ((1, 0, 0, 0.0101, 1, 0), False),
        ((1, 0, 0, -0.0101, 1, 0), False),
        ((0, 0, 0, 0, 1, 0), False),
    ],
)
def test_directions_are_of_length_one_and_at_right_angles_within_a_hundredth(
    orientation: tuple[float, ...], orthonormal: bool
) -> None:
    ds = synthetic.ct_series()[0]
    ds.ImageOrientationPatient = list(orientation)
    if not orthonormal:
        with pytest.raises(SeriesUnusable, match="no orthonormal Image Orientation"):
            slice_plane(ds)
        return
    plane = slice_plane(ds)  # and what is a little long is made of length one
    assert np.linalg.norm(plane.row_direction) == pytest.approx(1, abs=1e-12)
    assert np.linalg.norm(plane.col_direction) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    ("keyword", "value", "reason"),
    [
        ("PixelSpacing", [0.7, -0.8], "has Pixel Spacing 0.7 .* -0.8 mm"),
        ("PixelSpacing", [0.0, 0.8], "has Pixel Spacing 0.0 .* 0.8 mm"),
        ("PixelSpacing", [0.7, 50.1], "has Pixel Spacing 0.7 .* 50.1 mm"),
        (
            "ImagePositionPatient",
            [0.0, -100_000.5, 0.0],
            r"has an Image Position \(Patient\) more than 100 m away",
        ),
        ("Rows", 0, "has 0 rows and 20 columns"),
        ("Columns", 0, "has 16 rows and 0 columns"),
    ],
)
def test_a_slice_of_no_size_has_no_plane(keyword: str, value: object, reason: str) -> None:
    ds = synthetic.ct_series()[0]
    setattr(ds, keyword, value)
    with pytest.raises(SeriesUnusable, match=rf"^slice {ds.SOPInstanceUID} {reason}"):
        slice_plane(ds)
    del ds.SOPInstanceUID
    with pytest.raises(SeriesUnusable, match=rf"^slice \(without UID\) {reason}"):
        slice_plane(ds)


def test_a_slice_of_one_pixel_has_a_plane() -> None:
    plane = slice_plane(synthetic.ct_series(shape=(1, 1, 1))[0])
    assert (plane.rows, plane.columns, plane.spacing_mm) == (1, 1, (0.7, 0.8))
    largest = synthetic.ct_series(
        shape=(1, 1, 1), spacing_mm=(1.0, 50.0, 50.0), origin_mm=(0.0, 0.0, -100_000.0)
    )
    assert slice_plane(largest[0]).spacing_mm == (50.0, 50.0)
    assert plane.position_mm == (-10.0, -20.0, -100.0)


@pytest.mark.parametrize(("degrees", "said"), [(0.4, False), (0.6, True)])
def test_a_tilt_is_said_from_half_a_degree(degrees: float, said: bool) -> None:
    shift = float(2.5 * np.tan(np.radians(degrees)))
    volume = read_series(synthetic.ct_series(step_mm=(0.0, shift, 2.5)))
    assert volume.notes == (
        (f"The gantry was tilted: the slices are sheared by {degrees} degrees.",) if said else ()
    )


@pytest.mark.parametrize(("thickness_mm", "said"), [(1.25, False), (1.24, True)])
def test_slices_further_apart_than_twice_their_thickness_leave_something_out(
    thickness_mm: float, said: bool
) -> None:
    slices = synthetic.ct_series()
    for ds in slices:
        ds.SliceThickness = thickness_mm
    assert bool(read_series(slices).notes) is said


def test_other_rows_and_columns_are_refused() -> None:
    odd = synthetic.ct_series(shape=(8, 10, 20))[3]
    slices = synthetic.ct_series()
    slices[3] = odd
    with pytest.raises(SeriesUnusable, match="mixes 2 image sizes"):
        read_series(slices)


@pytest.mark.parametrize(
    ("make", "what"),
    [
        ({"shape": (1, 12, 20)}, "are of another image size"),
        ({"spacing_mm": (2.5, 0.7, 0.9)}, "are of another pixel spacing"),
        ({"frame_of_reference": "another"}, "are of another frame of reference"),
        ({"orientation": (1, 0, 0, 0, 0, -1)}, "are of another orientation"),
    ],
)
@pytest.mark.parametrize("slices", [8, 40])
def test_a_stray_image_is_left_out_and_said(
    make: dict[str, object], what: str, slices: int
) -> None:
    ct = synthetic.ct_series(shape=(slices, 16, 20))
    stray = synthetic.ct_series(**{"shape": (1, 16, 20), **make}, origin_mm=(0, 0, -94))[0]
    stray.SOPInstanceUID = synthetic.uid("stray")
    volume = read_series([*ct[:3], stray, *ct[3:]])
    assert np.array_equal(volume.hu, read_series(ct).hu)
    assert volume.notes == (f"1 of {slices + 1} images of the CT series {what} and were left out.",)
    assert volume.left_out == {
        FrameKey(SOPInstanceUID(stray.SOPInstanceUID)): (
            f"it is drawn on images of the CT series that were left out: they {what}"
        )
    }


@pytest.mark.parametrize("keyword", ["ImagePositionPatient", "ImageOrientationPatient"])
def test_an_image_without_a_place_is_left_out_and_said(keyword: str) -> None:
    slices = synthetic.ct_series()
    stray = as_received(slices[0])
    stray.SOPInstanceUID = synthetic.uid("stray")
    del stray[keyword]
    volume = read_series([*slices, stray])
    assert volume.shape == (8, 16, 20)
    assert volume.notes == (
        "1 of 9 images of the CT series have no place in the patient and were left out.",
    )


@pytest.mark.parametrize("z", [-94.0, -95.0])
def test_a_derived_image_among_the_slices_is_left_out_and_said(z: float) -> None:
    slices = synthetic.ct_series()
    stray = synthetic.ct_series(shape=(1, 16, 20), origin_mm=(-10, -20, z))[0]
    stray.SOPInstanceUID, stray.ImageType = "2.25.1", ["DERIVED", "SECONDARY", "AXIAL"]
    volume = read_series([stray, *slices])
    assert np.array_equal(volume.hu, read_series(slices).hu)
    assert volume.notes == (
        "1 of 9 images of the CT series differ from the others in Image Type, stand among them and "
        "were left out.",
    )


@pytest.mark.parametrize("kind", ["SUBTRACTION", "PERFUSION", "MAT_IODINE", "EFF_ATOMIC_NUM"])
def test_a_map_is_no_ct(kind: str) -> None:
    slices = synthetic.ct_series()
    for ds in slices:
        ds.ImageType = ["DERIVED", "SECONDARY", "AXIAL", kind]
    with pytest.raises(SeriesUnusable) as refused:
        read_series(slices)
    assert str(refused.value) == (
        "the CT series is no CT in Hounsfield units: "
        f"its images are of type DERIVED\\SECONDARY\\AXIAL\\{kind}"
    )


def test_a_volume_of_derived_images_is_one() -> None:
    slices = synthetic.ct_series()
    for ds in slices:
        ds.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    assert read_series(slices).notes == ()


def test_more_than_stray_images_are_a_mixture_and_refused() -> None:
    ct = synthetic.ct_series()
    others = synthetic.ct_series(shape=(3, 12, 20), origin_mm=(0, 0, 300))
    for ds in others:
        ds.SOPInstanceUID = synthetic.uid("other", ds.InstanceNumber)
    with pytest.raises(SeriesUnusable, match=r"mixes 2 image sizes: \(12, 20\), \(16, 20\)"):
        read_series([*ct, *others])


def second_acquisition(**make: object) -> list[Dataset]:
    slices = synthetic.ct_series(hu=np.full((8, 16, 20), 7), **make)
    for ds in slices:
        ds.SOPInstanceUID = synthetic.uid("second", ds.InstanceNumber)
        ds.AcquisitionNumber = 2
    return slices


@pytest.mark.parametrize("aside_mm", [0.0, 1.25, 0.6])
def test_of_two_acquisitions_the_marked_one_is_read(aside_mm: float) -> None:
    first, second = (
        synthetic.ct_series(),
        second_acquisition(origin_mm=(-10.0, -20.0, -100.0 + aside_mm)),
    )
    for marked, other in ((first, second), (second, first)):
        on = [FrameReference(SOPInstanceUID(marked[4].SOPInstanceUID))]
        volume = read_series([*first, *second], marked=on)
        assert np.array_equal(volume.hu, read_series(marked).hu)
        assert np.array_equal(volume.affine, read_series(marked).affine)
        assert {key.sop_instance_uid for key in volume.left_out} == {
            ds.SOPInstanceUID for ds in other
        }
        assert set(volume.left_out.values()) == {
            "it is drawn on another acquisition of the CT series than the one that was analysed; "
            "send each acquisition as a series of its own"
        }


def test_of_two_acquisitions_of_which_none_is_marked_none_is_read() -> None:
    with pytest.raises(
        SeriesUnusable,
        match=r"holds 2 acquisitions in one another \(8 and 8 slices, told apart by Acquisition "
        r"Number\), and the annotation names slices of none of them",
    ):
        read_series([*synthetic.ct_series(), *second_acquisition()])


def test_acquisitions_that_continue_one_another_are_one_volume() -> None:
    second = second_acquisition(origin_mm=(-10.0, -20.0, -80.0))
    volume = read_series([*synthetic.ct_series(), *second])
    assert (volume.shape, volume.notes) == ((16, 16, 20), ())


def test_a_series_of_two_slice_distances_is_refused_as_that() -> None:
    thin = synthetic.ct_series(shape=(10, 4, 4), spacing_mm=(1.25, 0.7, 0.8))
    thick = synthetic.ct_series(shape=(6, 4, 4), origin_mm=(-10, -20, -86.25))
    for ds in thick:
        ds.SOPInstanceUID = synthetic.uid("thick", ds.InstanceNumber)
        ds.SliceThickness = 1.25
    with pytest.raises(
        SeriesUnusable,
        match=r"mixes slice distances: 1\.25 mm up to slice 10 of 16, at .*, and 2\.5 mm from "
        r"there; send each part as a series of its own",
    ):
        read_series([*thin, *thick])


def test_positions_in_tenths_of_a_millimetre_make_one_volume() -> None:
    slices = synthetic.ct_series(spacing_mm=(1.25, 0.7, 0.8), origin_mm=(-10, -20, -4))
    for ds in slices:
        ds.ImagePositionPatient = [-10, -20, int(10 * ds.ImagePositionPatient[2]) / 10]
    assert [float(ds.ImagePositionPatient[2]) for ds in slices[:4]] == [-4.0, -2.7, -1.5, -0.2]
    volume = read_series(slices)
    assert volume.missing == frozenset()
    assert volume.spacing_mm[0] == pytest.approx(1.25, abs=0.03)


@pytest.mark.parametrize(
    ("keyword", "value", "name"),
    [
        ("SliceThickness", b"1,25", "Slice Thickness"),
        ("InstanceNumber", b"8A", "Instance Number"),
        ("AcquisitionNumber", b"1\\2 ", "Acquisition Number"),
        ("PixelPaddingValue", b"-2000\\-2000", "Pixel Padding Value"),
        ("PixelPaddingRangeLimit", b"text", "Pixel Padding Range Limit"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, of odd values
def test_an_optional_attribute_that_cannot_be_read_is_done_without_and_said(
    keyword: str, value: bytes, name: str
) -> None:
    slices = synthetic.ct_series()
    says(slices[3], keyword, value, "DS" if keyword.startswith("Pixel") else "")
    volume = read_series(slices)
    assert np.array_equal(volume.hu, read_series(synthetic.ct_series()).hu)
    assert volume.notes == (
        f"{name} cannot be read in 1 of 8 slices of the CT; it was done without.",
    )


@pytest.mark.parametrize(
    ("keyword", "value", "name"),
    [
        ("RescaleSlope", b"1.0 HU", "Rescale Slope"),
        ("RescaleSlope", b"1\\1 ", "Rescale Slope"),
        ("RescaleIntercept", b"NaN ", "Rescale Intercept"),
        ("BitsAllocated", b"", "Bits Allocated"),
        ("PixelRepresentation", b"\1\0\1\0", "Pixel Representation"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, of odd values
def test_a_required_attribute_that_cannot_be_read_is_named_with_its_slice(
    keyword: str, value: bytes, name: str
) -> None:
    slices = synthetic.ct_series()
    says(slices[3], keyword, value)
    with pytest.raises(SeriesUnusable) as refused:
        read_series(slices)
    assert str(refused.value) == (
        f"{name} of slice {slices[3].SOPInstanceUID} is absent or cannot be read; "
        "correct it and send the series again"
    )


@pytest.mark.parametrize("value", [b"0 ", b"-1", b"", b"none", b"1.0 "])
@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, of odd values
def test_a_slice_that_counts_no_frames_is_the_one_that_its_pixels_are(value: bytes) -> None:
    slices = synthetic.ct_series()
    for ds in slices:
        says(ds, "NumberOfFrames", value)
    assert np.array_equal(read_series(slices).hu, read_series(synthetic.ct_series()).hu)


def test_that_slices_are_brought_to_hu_in_several_ways_is_said() -> None:
    slices = synthetic.ct_series()
    slices[3].RescaleIntercept = -1000
    assert read_series(slices).notes == (
        "The slices of the CT have 2 different Rescale Slopes and Intercepts; "
        "each was read with its own.",
    )


def test_sizes_in_another_number_format_are_sizes() -> None:
    slices = synthetic.ct_series()
    says(slices[3], "Rows", np.float64(16).tobytes(), "FD")
    says(slices[4], "BitsStored", b"")
    assert np.array_equal(read_series(slices).hu, read_series(synthetic.ct_series()).hu)


READ_OF_A_SLICE = [
    *("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns"),
    *("ImageType", "AcquisitionNumber", "InstanceNumber", "TemporalPositionIdentifier"),
    *("NominalPercentageOfCardiacPhase", "ConvolutionKernel", "SliceThickness", "KVP"),
    *("AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime"),
    *("RescaleSlope", "RescaleIntercept", "RescaleType", "SamplesPerPixel", "NumberOfFrames"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue"),
    *("PixelPaddingRangeLimit", "LossyImageCompression", "PixelData"),
]


def read_or_refused(slices: list[Dataset]) -> CTVolume | str:
    try:
        return read_series(slices)
    except SeriesUnusable as reason:
        return str(reason)


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, of odd values
@pytest.mark.parametrize("keyword", READ_OF_A_SLICE)
def test_whatever_an_attribute_says_there_is_a_volume_or_a_reason_in_one_line(keyword: str) -> None:
    slices = synthetic.ct_series(shape=(5, 4, 4))
    expected = read_series(slices)
    for vr, value in ODD_VALUES:
        odd = says(deepcopy(slices[3]), keyword, value, vr)
        result = read_or_refused([*slices[:3], odd, slices[4]])
        if isinstance(result, str):
            assert "\n" not in result
            assert "text" not in result, "what stands in a wrong place may be a name"
        elif keyword != "PixelData" and not keyword.startswith(("Rescale", "PixelPadding")):
            there = [z for z, key in enumerate(result.frames) if key is not None]
            assert np.array_equal(result.hu[there], expected.hu[there]), (vr, value)
            assert np.array_equal(result.affine, expected.affine)


def test_nothing_and_one_slice_are_no_volume() -> None:
    with pytest.raises(SeriesUnusable, match="has no slices"):
        read_series([])
    with pytest.raises(SeriesUnusable, match="1 slice at 1 place; a volume needs 2 or more"):
        read_series(synthetic.ct_series()[:1])


def test_a_series_without_frame_of_reference_has_one_of_its_own() -> None:
    slices = synthetic.ct_series()
    for ds in slices:
        del ds.FrameOfReferenceUID
    assert read_series(slices).frame_of_reference_uid == slices[0].SeriesInstanceUID
    assert slice_plane(slices[0]).frame_of_reference_uid == slices[0].SeriesInstanceUID


def test_what_the_scan_does_not_show_between_thin_slices_is_said() -> None:
    slices = synthetic.ct_series(spacing_mm=(10.0, 0.7, 0.8))
    for ds in slices:
        ds.SliceThickness = 1.25
    assert read_series(slices).notes == (
        "The slices are 1.25 mm thick and 10 mm apart: the CT does not show what lies between "
        "them.",
    )


def test_files_give_the_same_volume(tmp_path) -> None:
    slices = synthetic.ct_series()
    paths = []
    for number, ds in enumerate(slices):
        paths.append(tmp_path / f"{number}.dcm")
        ds.save_as(paths[-1], enforce_file_format=True)
    assert np.array_equal(read_series_files(paths[::-1]).hu, read_series(slices).hu)
    paths[2].write_text("<xml/>")
    with pytest.raises(SeriesUnusable, match="no DICOM file"):
        read_series_files(paths)
