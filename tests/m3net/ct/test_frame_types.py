"""Which frames are an ordinary CT, by every value that says so."""

import pytest
from pydicom import Dataset

from m3net.ct.frame_types import why_no_ct
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
