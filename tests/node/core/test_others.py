"""Every annotation of others, alone and beside a chest CT: the verdict of each in one table."""

from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from m3net.predict import TorchClassifier
from m3net.weights import load_classifier
from node.core.inputs import Role
from node.core.selection import select
from node.inbound.facts import read_facts
from sr_templates.findings import Outcome
from tests import others, synthetic
from tests.node.core import test_pipeline

NOTHING_JUDGED = "Annotation read, nothing in it was judged. "
ALONE_NOT_OURS = {
    "seg/dcmqi__liver.dcm": "1 segment was not read as a nodule: Liver.",
    "seg/dcmqi__sparse-labelmap-noppv.dcm": "1 segment was not read as a nodule: Liver.",
    "seg/dcmqi__23x38x3_label.seg.dcm": "1 segment was not read as a nodule: Liver.",
    "seg/dcmqi__24x38x3_label.seg.dcm": "1 segment was not read as a nodule: Liver.",
    "seg/dcmqi__seg.dcm": (
        "1 segment was not read as a nodule: a finding in: pharyngeal tonsil (adenoid)."
    ),
    "sr/dcmqi__sr.dcm": (
        "1 measurement was not read as a nodule: a finding in: pharyngeal tonsil (adenoid)."
    ),
    "sr/dcmjs__structured_report.dcm": "6 measurements without a finding were not judged.",
    "seg/highdicom__seg_image_ct_binary_overlap.dcm": (
        "2 segments were not read as nodules: Bone, Spine."
    ),
    "seg/highdicom__seg_image_ct_binary_single_frame.dcm": (
        "1 segment was not read as a nodule: Bone."
    ),
    "seg/highdicom__seg_image_cr_binary.dcm": (
        "1 segment was not read as a nodule: Connective tissue."
    ),
    "seg/highdicom__seg_image_sm_dots_tiled_full.dcm": (
        "50 segments were not read as nodules: Connective tissue."
    ),
    "seg/highdicom__seg_image_sm_control_labelmap_palette_color.dcm": (
        "20 segments were not read as nodules: Connective tissue."
    ),
    "sr/highdicom__sr_document.dcm": "1 measurement was not read as a nodule: Spinal cord.",
    "seg/pydicom-data__liver_j2k.dcm": "1 segment was not read as a nodule: Liver.",
    "seg/pydicom__liver_expb_1frame.dcm": "1 segment was not read as a nodule: Liver.",
    "rtstruct/rt-utils__rt.dcm": "1 ROI was not read as a nodule: nothing says what it is.",
    "rtstruct/rt-utils__invalid_reference_rt.dcm": (
        "4 ROIs were not read as nodules: nothing says what it is."
    ),
    "rtstruct/rt-utils__dummy_rt.dcm": (
        "4 ROIs were not read as nodules: nothing says what it is."
    ),
    "rtstruct/pydicom__rtstruct.dcm": (
        "3 ROIs were not read as nodules: of type EXTERNAL, of type ISOCENTER."
    ),
}
"""Alone in a study: no report is due.  Beside a chest CT that they name: this headline."""

NO_ANNOTATION = {
    "sr/pydicom__test-SR.dcm",
    "sr/pydicom__reportsi_with_empty_number_tags.dcm",
    "sr/dicomParser__report_dfl.dcm",
}
"""Reports in prose: they mark nothing."""

KEPT_UNREAD = {"seg/pydicom-data__liver_deflate.dcm"}
"""In transfer syntax 1.2.840.10008.1.2.8.1, which pydicom does not know."""


@pytest.fixture(scope="module")
def classifier() -> TorchClassifier:
    return load_classifier("untrained", device="cpu")


def given(name: str) -> Dataset:
    ds = others.read(name)
    if "TransferSyntaxUID" not in ds.file_meta:
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds


def role_of(ds: Dataset) -> Role:
    facts, _ = read_facts(ds, transfer_syntax=str(ds.file_meta.TransferSyntaxUID))
    return facts.role


def test_the_table_names_every_object() -> None:
    listed = {*ALONE_NOT_OURS, *NO_ANNOTATION, *KEPT_UNREAD}
    assert listed == {name for name in others.names() if not name.startswith("enhanced_ct/")}


@pytest.mark.parametrize("name", ALONE_NOT_OURS)
def test_alone_it_is_not_ours_and_no_report_is_due(name: str) -> None:
    ds = given(name)
    facts, _ = read_facts(ds, transfer_syntax=str(ds.file_meta.TransferSyntaxUID))
    assert facts.role is Role.ANNOTATION
    assert select(facts.study_instance_uid, [facts]) is None


@pytest.mark.parametrize("name", sorted(NO_ANNOTATION))
def test_a_report_in_prose_is_no_annotation(name: str) -> None:
    assert role_of(given(name)) is Role.OTHER


@pytest.mark.parametrize("name", ALONE_NOT_OURS)
def test_beside_a_chest_ct_it_is_listed_and_nothing_is_judged(
    name: str, tmp_path: Path, classifier: TorchClassifier
) -> None:
    ct = synthetic.ct_series(shape=test_pipeline.SHAPE)
    moved = others.of_this_patient(given(name), ct)
    results = test_pipeline.run(test_pipeline.files(tmp_path, ct, moved), classifier)
    assert results.outcome is Outcome.NOTHING_MARKED
    assert results.headline == NOTHING_JUDGED + ALONE_NOT_OURS[name]
    assert list(results.nodules) == []
    assert "ExampleText" not in repr(results)
