"""Which of the objects that an annotation names are waited for."""

import pytest

from m3net.annotations.image_classes import is_needed, may_be_of_ct
from m3net.uids import SOPClassUID

ROOT = "1.2.840.10008.5.1.4.1.1"


@pytest.mark.parametrize(
    ("of", "needed"),
    [
        (f"{ROOT}.2", True),  # CT
        (f"{ROOT}.2.1", True),  # Enhanced CT
        (f"{ROOT}.2.2", True),  # Legacy Converted Enhanced CT
        (f"{ROOT}.66.4", True),  # Segmentation
        (f"{ROOT}.66.7", True),  # Label Map Segmentation
        ("", True),
        (f"{ROOT}.66.5", False),  # Surface Segmentation
        (f"{ROOT}.67", False),  # Real World Value Mapping
        (f"{ROOT}.4", False),  # MR
        (f"{ROOT}.128", False),  # PET
    ],
)
def test_a_ct_and_a_segmentation_are_needed_and_what_says_no_class_may_be(
    of: str, needed: bool
) -> None:
    assert is_needed(SOPClassUID(of)) is needed


@pytest.mark.parametrize(
    ("classes", "may"),
    [
        ([], True),
        (["66.4", "11.1", "88.33", "481.3", "67"], True),
        (["4"], False),
        (["128", "2"], True),
        (["66.4", "128"], False),
    ],
)
def test_what_names_images_but_no_ct_is_drawn_on_none(classes: list[str], may: bool) -> None:
    assert may_be_of_ct(SOPClassUID(f"{ROOT}.{each}") for each in classes) is may
