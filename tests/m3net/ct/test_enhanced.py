"""A multi-frame CT is the volume that its slices would make, or is refused; never a mixture."""

import time
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import UID, JPEG2000Lossless, JPEGLSLossless, RLELossless

from m3net.ct.enhanced import converted_from, frame_count
from m3net.ct.series import read_series, read_series_files, slice_headers
from m3net.errors import SeriesUnusable
from m3net.uids import FrameKey, FrameReference, SOPInstanceUID
from m3net.volume import CTVolume
from tests import synthetic
from tests.enhanced import claiming, descending, enhanced_ct, item, legacy_converted, shuffled

SHAPE = (8, 16, 20)


def received(dataset: Dataset) -> Dataset:
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    file.seek(0)
    return dcmread(file)


def same_voxels(one: CTVolume, other: CTVolume) -> bool:
    return bool(np.array_equal(one.hu, other.hu)) and np.allclose(one.affine, other.affine)


@pytest.mark.parametrize("order", [None, descending(8), shuffled(8)])
@pytest.mark.parametrize(
    "shared",
    [
        (),
        ("PlaneOrientationSequence", "PixelMeasuresSequence"),
        (
            "PlaneOrientationSequence",
            "PixelMeasuresSequence",
            "PixelValueTransformationSequence",
            "CTImageFrameTypeSequence",
        ),
    ],
)
def test_it_is_the_volume_of_its_slices_in_any_order_and_with_any_groups_shared(
    order: list[int] | None, shared: tuple[str, ...]
) -> None:
    slices = synthetic.ct_series(shape=SHAPE)
    enhanced = received(enhanced_ct(slices, order=order, shared=shared))
    volume = read_series([enhanced])
    assert same_voxels(volume, read_series(slices))
    places = range(8) if order is None else [order.index(z) for z in range(8)]
    assert volume.frames == tuple(FrameKey(enhanced.SOPInstanceUID, n + 1) for n in places)
    assert volume.notes == ()
    assert volume.left_out == {}


@pytest.mark.parametrize(
    "geometry",
    [
        {"orientation": (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)},
        {"orientation": (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)},
        {"orientation": (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0)},
        {"step_mm": (0.0, 0.6, 2.4)},
        {"spacing_mm": (0.6, 0.5, 0.9)},
    ],
    ids=["sagittal", "coronal", "prone", "tilted", "non-square"],
)
def test_its_geometry_is_that_of_its_slices(geometry: dict[str, object]) -> None:
    slices = synthetic.ct_series(shape=SHAPE, **geometry)
    assert same_voxels(read_series([enhanced_ct(slices, order=shuffled(8))]), read_series(slices))


def test_rescale_may_differ_between_frames() -> None:
    slices = synthetic.ct_series(shape=SHAPE)
    for number, dataset in enumerate(slices):
        stored = np.frombuffer(dataset.PixelData, "<i2")
        dataset.RescaleIntercept = -1000 + number
        dataset.PixelData = (stored - 24 - number).astype("<i2").tobytes()
    assert same_voxels(read_series([enhanced_ct(slices)]), read_series(slices))


def test_what_highdicom_converted_is_the_same_volume() -> None:
    slices = synthetic.ct_series(shape=SHAPE)
    enhanced = received(legacy_converted(slices))
    assert same_voxels(read_series([enhanced]), read_series(slices))


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_compressed_frames_are_the_same_volume(syntax: str, tmp_path: Path) -> None:
    slices = synthetic.ct_series(shape=(8, 32, 40))
    enhanced = enhanced_ct(slices, order=shuffled(8))
    enhanced.compress(syntax, generate_instance_uid=False)
    enhanced.save_as(tmp_path / "enhanced.dcm", enforce_file_format=True)
    assert same_voxels(read_series_files([tmp_path / "enhanced.dcm"]), read_series(slices))


def test_frames_in_a_syntax_newer_than_pydicom_are_what_cannot_be_decoded() -> None:
    enhanced = enhanced_ct(synthetic.ct_series())
    enhanced.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.99")
    enhanced.PixelData = encapsulate([b"\0" * 10] * int(enhanced.NumberOfFrames))
    with pytest.raises(SeriesUnusable, match=r"cannot be decoded from 1\.2\.840\.10008\.1\.2\.99;"):
        read_series([enhanced])


def test_frames_in_two_objects_of_one_series_are_one_volume(tmp_path: Path) -> None:
    """A concatenation."""
    slices = synthetic.ct_series(shape=SHAPE)
    parts = [enhanced_ct(slices[::2], name="even"), enhanced_ct(slices[1::2], name="odd")]
    for number, part in enumerate(parts):
        part.SeriesInstanceUID = synthetic.uid("both")
        part.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
    assert same_voxels(read_series_files(sorted(tmp_path.iterdir())), read_series(slices))


def test_the_rescale_type_us_of_an_ordinary_ct_is_hounsfield_units() -> None:
    slices = synthetic.ct_series(shape=SHAPE)
    assert same_voxels(read_series([enhanced_ct(slices, rescale_type="US")]), read_series(slices))


@pytest.mark.parametrize(
    ("image_type", "said"),
    [
        (["DERIVED", "PRIMARY", "PERFUSION", "RCBF"], r"DERIVED\\PRIMARY\\PERFUSION\\RCBF"),
        (["DERIVED", "PRIMARY", "VOLUME", "MAT_SPECIFIC"], "MAT_SPECIFIC"),
        (["DERIVED", "PRIMARY", "VOLUME", "EFF_ATOMIC_NUM"], "EFF_ATOMIC_NUM"),
        (["DERIVED", "PRIMARY", "VOLUME", "VMI"], "VMI"),
        (["DERIVED", "PRIMARY", "VOLUME", "MAXIMUM"], "MAXIMUM"),
        (["DERIVED", "PRIMARY", "VOLUME", "SUBTRACTION"], "SUBTRACTION"),
        (["ORIGINAL", "PRIMARY", "LOCALIZER", "NONE"], "LOCALIZER"),
    ],
)
@pytest.mark.parametrize("rescale_type", ["US", "HU"])
def test_maps_and_projections_are_refused_by_their_type(
    image_type: list[str], said: str, rescale_type: str
) -> None:
    enhanced = enhanced_ct(
        synthetic.ct_series(shape=SHAPE), image_type=image_type, rescale_type=rescale_type
    )
    with pytest.raises(SeriesUnusable, match=f"is no CT in Hounsfield units: .*{said}"):
        read_series([enhanced])


def test_an_object_of_one_frame_that_is_no_ct_says_so_as_one_of_many_does() -> None:
    for depth in (1, 4):
        enhanced = enhanced_ct(
            synthetic.ct_series(shape=(depth, 4, 4)),
            image_type=["DERIVED", "PRIMARY", "PERFUSION", "RCBF"],
        )
        with pytest.raises(SeriesUnusable, match=r"is no CT in Hounsfield units: .*RCBF"):
            read_series([enhanced])


@pytest.mark.parametrize(
    ("fourth", "is_ct"),
    [("CT_SOM5 SPI", True), ("HELIX", True), ("NONE", True), ("RCBF", False), ("VMI", False)],
)
def test_a_converted_object_keeps_what_the_scanner_wrote(fourth: str, is_ct: bool) -> None:
    slices = synthetic.ct_series(shape=SHAPE)
    converted = enhanced_ct(slices, image_type=["ORIGINAL", "PRIMARY", "AXIAL", fourth])
    converted.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2.2"
    if is_ct:
        assert same_voxels(read_series([converted]), read_series(slices))
        return
    with pytest.raises(SeriesUnusable, match=f"is no CT in Hounsfield units: .*{fourth}"):
        read_series([converted])


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PixelPresentation", "COLOR"),
        ("VolumetricProperties", "DISTORTED"),
        ("VolumeBasedCalculationTechnique", "MAX_IP"),
        ("VolumeBasedCalculationTechnique", "CURVED_MPR"),
    ],
)
def test_renderings_are_refused_by_what_they_say_of_themselves(keyword: str, value: str) -> None:
    def render(_: int, group: Dataset) -> None:
        setattr(group.CTImageFrameTypeSequence[0], keyword, value)

    with pytest.raises(SeriesUnusable, match=value):
        read_series([enhanced_ct(synthetic.ct_series(shape=SHAPE), change=render)])


def test_a_type_that_somebody_typed_is_not_repeated() -> None:
    enhanced = enhanced_ct(
        synthetic.ct_series(shape=SHAPE), image_type=["ORIGINAL", "PRIMARY", "X", "DOE JANE"]
    )
    with pytest.raises(SeriesUnusable) as refused:
        read_series([enhanced])
    assert "DOE" not in str(refused.value)


def test_another_rescale_type_is_refused() -> None:
    enhanced = enhanced_ct(synthetic.ct_series(shape=SHAPE), rescale_type="MGML")
    with pytest.raises(SeriesUnusable, match="Rescale Type MGML, expected HU"):
        read_series([enhanced])


def test_a_localizer_and_a_map_among_the_frames_are_left_out() -> None:
    slices = synthetic.ct_series(shape=SHAPE)
    scout, colour = deepcopy(slices[0]), deepcopy(slices[3])

    def strange(number: int, group: Dataset) -> None:
        if number == 9:
            group.CTImageFrameTypeSequence[0].FrameType = ["ORIGINAL", "PRIMARY", "LOCALIZER", ""]
        if number == 10:
            group.CTImageFrameTypeSequence[0].FrameType[2:] = ["PERFUSION", "MTT"]

    enhanced = enhanced_ct([*slices, scout, colour], change=strange)
    volume = read_series([enhanced])
    assert same_voxels(volume, read_series(slices))
    assert [key.frame for key in volume.frames if key] == list(range(1, 9))


Change = Callable[[int, Dataset], None]


def _stack(number: int, group: Dataset) -> None:
    group.FrameContentSequence[0].StackID = "1" if number <= 8 else "2"
    group.FrameContentSequence[0].InStackPositionNumber = (number - 1) % 8 + 1


def _time(number: int, group: Dataset) -> None:
    group.FrameContentSequence[0].TemporalPositionIndex = 1 if number <= 8 else 2


def _phase(number: int, group: Dataset) -> None:
    percent = 0.0 if number <= 8 else 75.0
    group.CardiacSynchronizationSequence = item(NominalPercentageOfCardiacPhase=percent)


def _breath(number: int, group: Dataset) -> None:
    percent = 0.0 if number <= 8 else 50.0
    group.RespiratorySynchronizationSequence = item(NominalPercentageOfRespiratoryPhase=percent)


def _energy(number: int, group: Dataset) -> None:
    group.CTXRayDetailsSequence = item(KVP=80.0 if number <= 8 else 140.0)


def _acquisition(number: int, group: Dataset) -> None:
    group.FrameContentSequence[0].FrameAcquisitionNumber = 1 if number <= 8 else 2


def _moment(number: int, group: Dataset) -> None:
    at = f"2026010203{4 if number <= 8 else 5:02d}{number % 8:02d}"
    group.FrameContentSequence[0].FrameAcquisitionDateTime = at


def _kernel(number: int, group: Dataset) -> None:
    group.CTReconstructionSequence = item(ConvolutionKernel="B30f" if number <= 8 else "B70f")


def _dimension(number: int, group: Dataset) -> None:
    group.FrameContentSequence[0].DimensionIndexValues = [1 if number <= 8 else 2, number % 8 + 1]


@pytest.mark.parametrize(
    "differ",
    [_stack, _time, _phase, _breath, _energy, _acquisition, _moment, _kernel, _dimension],
)
@pytest.mark.parametrize("aside_mm", [0.0, 1.25], ids=["at one place", "half a step aside"])
@pytest.mark.parametrize("mixed", [False, True], ids=["one after the other", "mixed"])
def test_two_volumes_in_one_object_are_told_apart(
    differ: Change, aside_mm: float, mixed: bool
) -> None:
    """The marked one is used; if none is marked, none is."""
    if differ is _dimension and aside_mm:
        pytest.skip("a dimension of the object's own parts only frames at one place")
    first = synthetic.ct_series(shape=SHAPE, hu=np.full(SHAPE, -700))
    second = synthetic.ct_series(
        shape=SHAPE, hu=np.full(SHAPE, 40), origin_mm=(-10, -20, -100 + aside_mm), series="2"
    )
    enhanced = enhanced_ct([*first, *second], change=differ)
    pointer = Dataset()
    pointer.DimensionIndexPointer = 0x00209128 if differ is not _dimension else 0x0018937F
    along = Dataset()
    along.DimensionIndexPointer = 0x00209057
    enhanced.DimensionIndexSequence = [pointer, along]
    numbers = dict(enumerate(range(1, 17), start=1))
    if mixed:
        groups = list(enhanced.PerFrameFunctionalGroupsSequence)
        size = len(enhanced.PixelData) // 16
        order = shuffled(16)
        enhanced.PerFrameFunctionalGroupsSequence = [groups[index] for index in order]
        enhanced.PixelData = b"".join(
            enhanced.PixelData[index * size : (index + 1) * size] for index in order
        )
        numbers = {index + 1: place for place, index in enumerate(order, start=1)}
    enhanced = received(enhanced)
    with pytest.raises(SeriesUnusable, match="2 acquisitions in one another"):
        read_series([enhanced])
    for members, value in ((range(1, 9), -700), (range(9, 17), 40)):
        mark = FrameReference(SOPInstanceUID(enhanced.SOPInstanceUID), numbers[members[2]])
        volume = read_series([enhanced], marked=[mark])
        assert volume.shape == SHAPE
        assert (volume.hu == value).all()
        assert {key.frame for key in volume.frames if key} == {numbers[n] for n in members}
        assert len(volume.left_out) == 8


def test_a_stack_that_is_named_once_for_all_frames_is_the_stack_of_each() -> None:
    enhanced = enhanced_ct(synthetic.ct_series(shape=SHAPE), shared=("FrameContentSequence",))
    assert {header.StackID for header in slice_headers(enhanced).values()} == {"1"}


def test_what_half_of_the_frames_share_tells_volumes_apart() -> None:
    slices = synthetic.ct_series(shape=(2, 16, 20))

    def of_energy(number: int, group: Dataset) -> None:
        group.CTXRayDetailsSequence = item(KVP=80.0 if number <= 2 else 140.0)

    headers = slice_headers(enhanced_ct([*slices, *slices], change=of_energy))
    assert [header.StackID for header in headers.values()] == ["1, 80.0"] * 2 + ["1, 140.0"] * 2

    def of_its_own(number: int, group: Dataset) -> None:
        group.CTXRayDetailsSequence = item(KVP=80.0 + number)

    headers = slice_headers(enhanced_ct(slices, change=of_its_own))
    assert [header.StackID for header in headers.values()] == ["1", "1"]


def test_two_objects_of_one_series_are_told_apart_by_the_one_stack_of_each() -> None:
    objects = []
    for stack, hu in (("1", -700), ("2", 40)):
        made = enhanced_ct(
            synthetic.ct_series(shape=SHAPE, hu=np.full(SHAPE, hu)),
            name=f"object {stack}",
            change=partial(_in_stack, stack),
        )
        made.SeriesInstanceUID = "1.2.3"
        objects.append(made)
    with pytest.raises(SeriesUnusable, match="2 acquisitions in one another"):
        read_series(objects)
    for made, hu in zip(objects, (-700, 40), strict=True):
        mark = FrameReference(SOPInstanceUID(made.SOPInstanceUID), 3)
        assert np.all(read_series(objects, marked=[mark]).hu == hu)


def _in_stack(name: str, _: int, group: Dataset) -> None:
    group.FrameContentSequence[0].StackID = name


def test_frames_at_one_place_that_nothing_tells_apart_are_refused() -> None:
    slices = synthetic.ct_series(shape=SHAPE)
    with pytest.raises(SeriesUnusable, match=r"frames 1 and 9 of Enhanced CT .* stand at one pl"):
        read_series([enhanced_ct([*slices, *slices])])


def test_frames_that_rounding_moved_stand_at_one_place() -> None:
    first = synthetic.ct_series(shape=SHAPE)
    second = synthetic.ct_series(shape=SHAPE, origin_mm=(-10, -20, -99.96), series="2")
    with pytest.raises(SeriesUnusable, match=r"frames 1 and 9 of Enhanced CT .* stand at one pl"):
        read_series([enhanced_ct([*first, *second])])


def test_frames_turned_by_less_than_half_a_hundredth_stand_at_one_place() -> None:
    slices = synthetic.ct_series(shape=SHAPE)

    def turn(number: int, group: Dataset) -> None:
        if number > 8:
            group.PlaneOrientationSequence = item(
                ImageOrientationPatient=[1, 0.004, 0, -0.004, 1, 0]
            )

    with pytest.raises(SeriesUnusable, match=r"frames 1 and 9 of Enhanced CT .* stand at one pl"):
        read_series([enhanced_ct([*slices, *slices], change=turn)])


def test_a_dimension_that_parts_no_frames_at_one_place_parts_no_volume() -> None:
    """Of two phases the lower and the upper half are numbered as well."""
    first, second = (
        synthetic.ct_series(shape=SHAPE, hu=np.full(SHAPE, hu), series=str(hu)) for hu in (-700, 40)
    )

    def number_halves(number: int, group: Dataset) -> None:
        half = 1 + (number - 1) % 8 // 4
        group.FrameContentSequence[0].DimensionIndexValues = [1 + (number - 1) // 8, half]

    enhanced = enhanced_ct([*first, *second], change=number_halves)
    enhanced.DimensionIndexSequence = [
        item(DimensionIndexPointer=pointer)[0] for pointer in (0x0018937F, 0x00209156)
    ]
    for frame, hu in ((3, -700), (11, 40)):
        mark = FrameReference(SOPInstanceUID(enhanced.SOPInstanceUID), frame)
        assert np.all(read_series([enhanced], marked=[mark]).hu == hu)


def test_two_stacks_that_continue_one_another_are_one_volume() -> None:
    slices = synthetic.ct_series(shape=(16, 16, 20))
    enhanced = enhanced_ct(slices, change=_stack)
    assert same_voxels(read_series([enhanced]), read_series(slices))


def test_a_frame_without_a_place_is_left_out_like_a_slice_without_one() -> None:
    slices = synthetic.ct_series(shape=(20, 16, 20))

    def lose(number: int, group: Dataset) -> None:
        if number == 20:
            del group.PlanePositionSequence

    volume = read_series([enhanced_ct(slices, change=lose)])
    assert volume.shape[0] == 19
    assert [key.frame for key in volume.left_out] == [20]


@pytest.mark.parametrize(
    "lost", ["PlaneOrientationSequence", "PixelMeasuresSequence", "PlanePositionSequence"]
)
def test_frames_without_geometry_make_no_volume(lost: str) -> None:
    def lose(_: int, group: Dataset) -> None:
        del group[lost]

    with pytest.raises(SeriesUnusable, match=r"has no (Image|Pixel)"):
        read_series([enhanced_ct(synthetic.ct_series(shape=SHAPE), shared=(), change=lose)])


def test_frames_without_rescale_are_no_hounsfield_units() -> None:
    def lose(_: int, group: Dataset) -> None:
        del group.PixelValueTransformationSequence

    with pytest.raises(SeriesUnusable, match="has no Rescale Slope and Intercept"):
        read_series([enhanced_ct(synthetic.ct_series(shape=SHAPE), change=lose)])


def _no_groups(ds: Dataset) -> None:
    del ds.PerFrameFunctionalGroupsSequence


def _few_groups(ds: Dataset) -> None:
    del ds.PerFrameFunctionalGroupsSequence[3:]


def _many_groups(ds: Dataset) -> None:
    ds.PerFrameFunctionalGroupsSequence = [Dataset()] * 10_001
    ds.NumberOfFrames = 10_001


def _empty_groups(ds: Dataset) -> None:
    ds.PerFrameFunctionalGroupsSequence = [Dataset()] * 8
    ds.SharedFunctionalGroupsSequence = []


def _million(ds: Dataset) -> None:
    ds.NumberOfFrames = 1_000_000


def _no_pixels(ds: Dataset) -> None:
    del ds.PixelData


def _half_the_pixels(ds: Dataset) -> None:
    ds.PixelData = ds.PixelData[: len(ds.PixelData) // 2]


def _vast(ds: Dataset) -> None:
    ds.Rows = ds.Columns = 65535


def _nested_nonsense(ds: Dataset) -> None:
    for group in ds.PerFrameFunctionalGroupsSequence:
        group.PlanePositionSequence[0].ImagePositionPatient = None


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_no_groups, "describes none of its frames"),
        (_few_groups, "says that it has 8 frames and describes 3"),
        (_many_groups, "has 10001 frames, expected at most 10000"),
        (_empty_groups, "has no ImagePositionPatient|has no PixelSpacing|has no ImageOrient"),
        (_million, "says that it has 1000000 frames and describes 8"),
        (_no_pixels, "has no pixels of frame"),
        (_half_the_pixels, "has no pixels of frame"),
        (_vast, "larger than any CT of a chest"),
        (_nested_nonsense, "has no ImagePositionPatient"),
    ],
)
def test_a_hostile_object_has_one_reason_soon(
    damage: Callable[[Dataset], None], reason: str
) -> None:
    enhanced = enhanced_ct(synthetic.ct_series(shape=SHAPE))
    damage(enhanced)
    begin = time.monotonic()
    with pytest.raises(SeriesUnusable, match=reason):
        read_series([enhanced])
    assert time.monotonic() - begin < 20


@pytest.mark.parametrize(("claimed", "count"), [(None, 0), (0, 0), (-3, 0), (1, 1), (8, 8)])
def test_an_object_has_as_many_frames_as_it_says(claimed: int | None, count: int) -> None:
    said = Dataset()
    if claimed is not None:
        said.NumberOfFrames = claimed
    assert frame_count(said) == count


def test_an_object_has_so_many_frames_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    enhanced = enhanced_ct(synthetic.ct_series(shape=SHAPE))
    monkeypatch.setattr("m3net.ct.enhanced.MOST_FRAMES", 8)
    assert len(slice_headers(enhanced)) == 8
    monkeypatch.setattr("m3net.ct.enhanced.MOST_FRAMES", 7)
    with pytest.raises(SeriesUnusable, match="has 8 frames, expected at most 7; send each phase"):
        slice_headers(enhanced)


def test_a_claim_of_frames_costs_nothing() -> None:
    enhanced = claiming(enhanced_ct(synthetic.ct_series(shape=SHAPE)), 2**31 - 1)
    with pytest.raises(SeriesUnusable, match="says that it has 2147483647 frames"):
        slice_headers(enhanced)


def test_frames_say_which_images_they_were() -> None:
    slices = synthetic.ct_series(shape=SHAPE)
    order = descending(8)
    found = converted_from(enhanced_ct(slices, order=order, sources=True))
    assert found == {slices[index].SOPInstanceUID: n for n, index in enumerate(order, start=1)}
    assert len(converted_from(received(legacy_converted(slices)))) == 8
    assert converted_from(slices[0]) == {}


def test_a_frame_that_was_made_of_a_frame_was_no_image() -> None:
    slices = synthetic.ct_series(shape=SHAPE)
    enhanced = enhanced_ct(slices, sources=True)
    groups = enhanced.PerFrameFunctionalGroupsSequence
    groups[0].ConversionSourceAttributesSequence[0].ReferencedFrameNumber = 2
    groups[1].ConversionSourceAttributesSequence[0].ReferencedSOPInstanceUID = ""
    assert converted_from(enhanced) == {slices[n - 1].SOPInstanceUID: n for n in range(3, 9)}
