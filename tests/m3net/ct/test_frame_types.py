"""Which frames are an ordinary CT, by every value that says so."""

import pytest
from pydicom import Dataset

from m3net.ct.frame_types import shows_no_slice, why_no_ct
from tests.encodings import item

pytestmark = pytest.mark.filterwarnings("ignore:Invalid value for VR CS")  # pydicom's
ENHANCED, LEGACY = "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2"


def why(
    kind: list[str] | None, *, of: str = ENHANCED, image_type: list[str] | None = None, **more: str
) -> str | None:
    group = item(**more)
    if kind is not None:
        group.FrameType = kind
    dataset = item(SOPClassUID=of)
    if image_type is not None:
        dataset.ImageType = image_type
    return why_no_ct(group, dataset)


@pytest.mark.parametrize(
    ("kind", "types"),
    [
        (["ORIGINAL", "PRIMARY", "VOLUME", "NONE"], None),
        (["ORIGINAL", "PRIMARY", "AXIAL"], None),
        (["ORIGINAL"], None),
        (["DERIVED", "PRIMARY", "VOLUME", "ENERGY_PROP_WT"], None),
        (["derived", "primary", "volume", "resampled"], None),
        (["DERIVED", "PRIMARY", "PERFUSION", "NONE"], "DERIVED\\PRIMARY\\PERFUSION\\NONE"),
        (["DERIVED", "PRIMARY", "VOLUME", "VMI"], "DERIVED\\PRIMARY\\VOLUME\\VMI"),
        (["DERIVED", "PRIMARY", "VOLUME", "MTT", "EXTRA"], "DERIVED\\PRIMARY\\VOLUME\\MTT"),
        (["DERIVED", "PRIMARY", "VOLUME", "Mrs Smith 1"], "DERIVED\\PRIMARY\\VOLUME"),
        (["ORIGINAL", "PRIMARY", "LOCALIZER"], "ORIGINAL\\PRIMARY\\LOCALIZER"),
        (["1", "2", "LOCALIZER 3", "4"], "unknown"),
    ],
)
def test_a_frame_is_no_ct_by_its_flavour_or_its_contrast(
    kind: list[str], types: str | None
) -> None:
    expected = None if types is None else f"its frames are of type {types}"
    assert why(kind) == expected
    assert why(None, image_type=kind) == expected


def test_the_frames_own_type_goes_before_the_objects() -> None:
    ordinary, perfusion = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"], ["A", "B", "PERFUSION"]
    assert why(ordinary, image_type=perfusion) is None
    assert why(perfusion, image_type=ordinary) == "its frames are of type A\\B\\PERFUSION"
    assert why_no_ct(Dataset(), Dataset()) is None


def test_a_converted_frame_is_one_unless_its_contrast_is_known_to_be_no_density() -> None:
    scanners_own = ["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI"]
    assert why(scanners_own, of=LEGACY) is None
    assert why(scanners_own, of=ENHANCED) is not None
    assert why(["ORIGINAL", "PRIMARY", "AXIAL", "MAT_IODINE"], of=LEGACY) is not None


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"PixelPresentation": "MONOCHROME"}, None),
        ({"PixelPresentation": "COLOR"}, "Pixel Presentation COLOR"),
        ({"VolumetricProperties": "SAMPLED"}, None),
        ({"VolumetricProperties": "DISTORTED"}, "Volumetric Properties DISTORTED"),
        ({"VolumeBasedCalculationTechnique": "MPR"}, None),
        (
            {"VolumeBasedCalculationTechnique": "MAX_IP"},
            "Volume Based Calculation Technique MAX_IP",
        ),
        (
            {"VolumeBasedCalculationTechnique": "Smith 1"},
            "Volume Based Calculation Technique of an unknown kind",
        ),
    ],
)
def test_a_frame_that_was_rendered_or_coloured_is_no_ct(
    said: dict[str, str], reason: str | None
) -> None:
    found = why(["ORIGINAL", "PRIMARY", "VOLUME", "NONE"], **said)
    assert found == (None if reason is None else f"its frames have {reason}")


@pytest.mark.parametrize(
    ("image_type", "series", "no_slice"),
    [
        (["ORIGINAL", "PRIMARY", "AXIAL"], "", False),
        (["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI"], "", False),
        (["ORIGINAL", "PRIMARY", "AXIAL"], "Lung 1 mm, for MIP", False),
        (["DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE"], "", False),
        (["DERIVED", "SECONDARY", "MPR", "CSA MPR"], "Coronal", False),
        (["DERIVED", "PRIMARY", "VOLUME", "NONE"], "", False),
        (["DERIVED", "SECONDARY", "AXIAL"], "Tumour vessels", False),
        ([], "MIP", False),
        (["ORIGINAL", "PRIMARY", "LOCALIZER"], "", True),
        (["ORIGINAL", "PRIMARY", "localizer"], "", True),
        (["DERIVED", "SECONDARY", "AXIAL", "CT_SOM5 MIP"], "", True),
        (["DERIVED", "SECONDARY", "REFORMATTED", "MIN IP"], "", True),
        (["DERIVED", "SECONDARY", "PROJECTION IMAGE"], "", True),
        (["DERIVED", "SECONDARY", "VOLUME_RENDER"], "", True),
        (["DERIVED", "SECONDARY", "OTHER", "CSA MIP", "VRT"], "", True),
        (["DERIVED", "SECONDARY", "AXIAL"], "Lung MIP 8/1", True),
        (["DERIVED", "SECONDARY", "AXIAL"], "thorax_minip", True),
    ],
)
def test_a_scout_and_a_projection_show_no_slice(
    image_type: list[str], series: str, no_slice: bool
) -> None:
    assert shows_no_slice(item(ImageType=image_type, SeriesDescription=series)) is no_slice


@pytest.mark.parametrize(
    ("value", "scheme", "no_slice"),
    [
        ("113078", "DCM", True),
        ("113073", "DCM", True),
        ("113072", "DCM", False),
        ("113078", "", False),
    ],
)
def test_what_an_image_was_derived_by_tells_a_projection(
    value: str, scheme: str, no_slice: bool
) -> None:
    derived = item(DerivationCodeSequence=[item(CodeValue=value, CodingSchemeDesignator=scheme)])
    assert shows_no_slice(derived) is no_slice
