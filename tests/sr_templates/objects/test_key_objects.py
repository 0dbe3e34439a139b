"""Key slices are chosen, and superseded results are rejected, in documents that others can read."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import Dataset

from sr_templates.findings import PredecessorReference
from sr_templates.objects.key_objects import KeyImage, build_key_objects
from sr_templates.objects.rejection_note import build_rejection_note
from tests import validators
from tests.sr_templates.examples import (
    ALGORITHM,
    COMPREHENSIVE_3D,
    CT,
    OUTLINED,
    ROUND,
    SLICE,
    UNTRAINED,
    identity,
)
from tests.sr_templates.objects.test_secondary_capture import encoded

KEYS = [KeyImage(finding=f, name=f.tracking_id, header=SLICE) for f in (ROUND, OUTLINED)]
STUDY = str(SLICE.StudyInstanceUID)
SUPERSEDED = [
    PredecessorReference(
        study_instance_uid=STUDY,
        series_instance_uid=series,
        sop_class_uid=sop_class,
        sop_instance_uid=f"{series}.{number}",
    )
    for number, (series, sop_class) in enumerate(
        [
            ("1.2.3", COMPREHENSIVE_3D),
            ("1.2.4", "1.2.840.10008.5.1.4.1.1.7.4"),
            ("1.2.4", "1.2.840.10008.5.1.4.1.1.7"),
            ("1.2.5", "1.2.840.10008.5.1.4.1.1.104.1"),
            ("1.2.6", "1.2.840.10008.5.1.4.1.1.11.1"),
        ]
    )
]


def selection(**changes: object) -> Dataset:
    arguments = {"subject": SLICE, "algorithm": ALGORITHM, "identity": identity()}
    return build_key_objects(KEYS, **{**arguments, **changes})


def note(superseded: Sequence[PredecessorReference] = SUPERSEDED) -> Dataset:
    return build_rejection_note(
        superseded, subject=SLICE, algorithm=ALGORITHM, identity=identity(2)
    )


def title(document: Dataset) -> tuple[str, str]:
    (code,) = document.ConceptNameCodeSequence
    return str(code.CodeValue), str(code.CodingSchemeDesignator)


def description(document: Dataset) -> str:
    (text,) = (
        item.TextValue
        for item in document.ContentSequence
        if item.ValueType == "TEXT" and item.ConceptNameCodeSequence[0].CodeValue == "113012"
    )
    return str(text)


def selected(document: Dataset) -> list[tuple[str, str]]:
    return [
        (str(item.ValueType), str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID))
        for item in document.ContentSequence
        if item.ValueType in ("IMAGE", "COMPOSITE")
    ]


def evidence(document: Dataset) -> set[tuple[str, str]]:
    return {
        (str(series.SeriesInstanceUID), str(sop.ReferencedSOPInstanceUID))
        for study in document.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for sop in series.ReferencedSOPSequence
    }


def test_each_key_slice_is_chosen_once_and_described() -> None:
    document = selection()
    assert (document.Modality, title(document)) == ("KO", ("113000", "DCM"))
    assert selected(document) == [("IMAGE", SLICE.SOPInstanceUID)]
    assert evidence(document) == {(str(SLICE.SeriesInstanceUID), str(SLICE.SOPInstanceUID))}
    said = description(document)
    assert "Nodule 1: 87" in said
    assert said.endswith("For research use; not a cleared medical device.")


def test_frames_of_one_image_are_chosen_each() -> None:
    region = replace(ROUND.region, image=replace(ROUND.region.image, frame_number=7))
    keys = [replace(KEYS[0], finding=replace(ROUND, region=region)), KEYS[1]]
    document = build_key_objects(keys, subject=SLICE, algorithm=ALGORITHM, identity=identity())
    frames = [
        item.ReferencedSOPSequence[0].get("ReferencedFrameNumber")
        for item in document.ContentSequence
        if item.ValueType == "IMAGE"
    ]
    assert frames == [7, None]


def test_untrained_weights_give_no_number() -> None:
    said = description(selection(algorithm=UNTRAINED))
    assert said.startswith("UNTRAINED, NOT A RESULT: Nodule 1; Nodule 2.")


def test_the_key_slices_request_is_the_cts() -> None:
    asked = deepcopy(CT[0])
    request = Dataset()
    request.RequestedProcedureID, request.ScheduledProcedureStepID = "RP1", "SPS1"
    asked.RequestAttributesSequence = [request]
    document = selection(subject=asked)
    assert document.ReferencedRequestSequence[0].RequestedProcedureID == "RP1"
    assert "RequestAttributesSequence" not in document


def test_every_superseded_object_is_rejected_for_patient_safety() -> None:
    document = note()
    assert title(document) == ("113037", "DCM")
    assert selected(document) == [
        ("COMPOSITE", "1.2.3.0"),
        ("IMAGE", "1.2.4.1"),
        ("IMAGE", "1.2.4.2"),
        ("COMPOSITE", "1.2.5.3"),
        ("COMPOSITE", "1.2.6.4"),
    ]
    assert evidence(document) == {
        (each.series_instance_uid, each.sop_instance_uid) for each in SUPERSEDED
    }
    assert description(document) == (
        "5 objects of an earlier AI result are rejected: a newer result replaces them."
    )
    assert description(note(SUPERSEDED[:1])) == (
        "1 object of an earlier AI result is rejected: a newer result replaces it."
    )


def test_nothing_is_chosen_or_rejected_without_a_reason() -> None:
    with pytest.raises(ValueError, match="no key slice"):
        build_key_objects([], subject=SLICE, algorithm=ALGORITHM, identity=identity())
    with pytest.raises(ValueError, match="nothing to reject"):
        build_rejection_note([], subject=SLICE, algorithm=ALGORITHM, identity=identity())


def test_the_same_arguments_make_the_same_bytes() -> None:
    assert encoded(selection()) == encoded(selection())
    assert encoded(note()) == encoded(note())


@pytest.mark.peers
def test_other_peoples_validators_find_no_error(tmp_path: Path) -> None:
    for number, document in enumerate((selection(), selection(algorithm=UNTRAINED), note())):
        path = tmp_path / f"{number}.dcm"
        document.save_as(path, enforce_file_format=True)
        assert validators.dciodvfy(path) == []
        validators.pixelmed_sr(path)
        assert "Device Observer" in validators.dsrdump(path)
