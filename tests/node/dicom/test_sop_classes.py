"""What is accepted, and what of it is read."""

import pytest
from pydicom.uid import UID

from node.dicom.sop_classes import interpreted, is_accepted, recognised, standard_storage

CT = UID("1.2.840.10008.5.1.4.1.1.2")
SEG = UID("1.2.840.10008.5.1.4.1.1.66.4")
DOSE_SR = UID("1.2.840.10008.5.1.4.1.1.88.67")
RT_STRUCTURE_SET = UID("1.2.840.10008.5.1.4.1.1.481.3")
SIEMENS_CSA = UID("1.3.12.2.1107.5.9.1")
RETIRED_ULTRASOUND = UID("1.2.840.10008.5.1.4.1.1.6")
NEWER_THAN_THE_DICTIONARY = UID("1.2.840.10008.5.1.4.1.1.9999.1")


@pytest.mark.parametrize(
    "uid",
    [
        CT,
        SEG,
        DOSE_SR,
        RT_STRUCTURE_SET,
        SIEMENS_CSA,
        RETIRED_ULTRASOUND,
        NEWER_THAN_THE_DICTIONARY,
    ],
)
def test_all_means_every_class_that_a_study_may_hold(uid: UID) -> None:
    assert is_accepted(uid, "all")


@pytest.mark.parametrize(
    "uid",
    [
        "1.2.840.10008.1.20.1",  # Storage Commitment
        "1.2.840.10008.5.1.4.1.2.2.1",  # Study Root Query/Retrieve - FIND
        "1.2.840.10008.5.1.4.38.1",  # Hanging Protocol
        "1.2.840.10008.3.1.2.3.3",  # Modality Performed Procedure Step
    ],
)
def test_all_does_not_mean_what_is_no_object_of_a_study(uid: str) -> None:
    assert not is_accepted(UID(uid), "all")


def test_listed_means_what_is_read_and_what_is_reported_as_not_supported() -> None:
    assert is_accepted(CT, "listed")
    assert is_accepted(SEG, "listed")
    assert is_accepted(RT_STRUCTURE_SET, "listed")
    assert not is_accepted(DOSE_SR, "listed")
    assert not is_accepted(SIEMENS_CSA, "listed")


def test_accepted_and_interpreted_are_two_sets() -> None:
    assert {CT, SEG} <= interpreted()
    assert not interpreted() & recognised()
    assert DOSE_SR in standard_storage() - interpreted() - recognised()
