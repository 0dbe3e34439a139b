"""A study whose CT is one multi-frame object is reported as if its slices had come one by one."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from m3net.ct.series import read_series_files
from m3net.errors import SeriesUnusable
from m3net.predict import TorchClassifier
from m3net.uids import FrameKey
from m3net.weights import load_classifier
from node.core.inputs import Intent, Role
from node.core.results import ArtifactKind, Results
from node.inbound.facts import read_facts
from sr_templates.findings import Outcome
from tests import synthetic
from tests.enhanced import cite_frames, descending, enhanced_ct, legacy_converted, shuffled
from tests.node.core.test_pipeline import SHAPE, files, mask, run
from tests.required import require_binary, unavailable

MASK = mask(slice(20, 23))


@pytest.fixture(scope="module")
def classifier() -> TorchClassifier:
    return load_classifier("default", device="cpu")


@pytest.fixture(scope="module")
def slices() -> list[Dataset]:
    hu = np.random.default_rng(4).integers(-950, 100, SHAPE)
    hu[20:23, 10:14, 6:10] = 30
    return synthetic.ct_series(shape=SHAPE, hu=hu)


def outlined(images: Sequence[Dataset], frames: Sequence[int] = ()) -> Dataset:
    """A report that outlines the nodule on three slices, or on three frames of one image."""
    square = [(6, 10), (10, 10), (10, 14), (6, 14), (6, 10)]
    regions = [
        synthetic.scoord(image, "POLYLINE", square)
        for image in (images if not frames else [images[0]] * len(frames))
    ]
    for region, frame in zip(regions, frames, strict=False):
        for item in region.ContentSequence:
            item.ReferencedSOPSequence[0].ReferencedFrameNumber = frame
    group = synthetic.measurement_group(regions, tracking_id="Nodule A", tracking_uid="2.25.31")
    return synthetic.measurement_report(list(images), [group], name="outlined")


def p(results: Results) -> float:
    (nodule,) = results.nodules
    assert nodule.probability is not None, nodule.reason
    return nodule.probability


def test_what_is_kept_of_it_are_the_planes_of_its_frames(slices: list[Dataset]) -> None:
    enhanced = enhanced_ct(slices, order=descending(60), sources=True)
    facts, _ = read_facts(enhanced, transfer_syntax="1.2.840.10008.1.2.1")
    assert (facts.role, facts.kind) == (Role.CT, "Enhanced CT")
    assert len(facts.planes) == 60
    assert facts.planes[1].position_mm == tuple(slices[59].ImagePositionPatient)
    assert facts.frames()[0] == FrameKey(enhanced.SOPInstanceUID, 1)
    assert facts.converted_from[slices[59].SOPInstanceUID] == 1


def test_another_place_of_one_frame_is_another_content(slices: list[Dataset]) -> None:
    def moved(number: int, group: Dataset) -> None:
        if number == 3:
            group.PlanePositionSequence[0].ImagePositionPatient[0] += 1

    one, other = (
        read_facts(enhanced_ct(slices, change=change), transfer_syntax="1.2.840.10008.1.2.1")[0]
        for change in (None, moved)
    )
    assert one.content_digest != other.content_digest


@pytest.mark.parametrize("order", [None, descending(60), shuffled(60)])
@pytest.mark.parametrize("marked", ["SEG", "outline"])
def test_the_same_ct_both_ways_gives_the_same_probability(
    tmp_path: Path,
    classifier: TorchClassifier,
    slices: list[Dataset],
    order: list[int] | None,
    marked: str,
) -> None:
    enhanced = enhanced_ct(slices, order=order)
    frame_of = {index: n for n, index in enumerate(order or range(60), start=1)}
    if marked == "SEG":
        classic_marks = synthetic.segmentation(slices, [MASK])
        marks = synthetic.segmentation(slices, [MASK], name="of enhanced")
        cite_frames(marks, slices, enhanced, frame_of)
    else:
        classic_marks = outlined(slices[20:23])
        marks = outlined([enhanced], [frame_of[z] for z in (20, 21, 22)])
    (tmp_path / "classic").mkdir()
    classic = run(files(tmp_path / "classic", slices, classic_marks), classifier)
    given = files(tmp_path, [enhanced], marks)
    results = run(given, classifier)

    assert results.outcome is Outcome.ANALYSED
    assert p(results) == pytest.approx(p(classic), abs=1e-6)
    assert given.inputs.missing == frozenset()
    assert any("60 of 60 slices of the CT series were received" in r for r in results.remarks)
    (image,) = _images_drawn_on(results)
    assert image.ReferencedSOPInstanceUID == enhanced.SOPInstanceUID
    assert image.ReferencedFrameNumber == frame_of[21]


def test_marks_on_the_slices_are_found_on_the_frames_that_they_became(
    tmp_path: Path, classifier: TorchClassifier, slices: list[Dataset]
) -> None:
    classic_marks = (synthetic.segmentation(slices, [MASK]), outlined(slices[20:23]))
    (tmp_path / "classic").mkdir()
    for number, marks in enumerate(classic_marks):
        classic = run(files(tmp_path / "classic", slices, marks), classifier)
        for kind, ct in (
            ("own", enhanced_ct(slices, order=shuffled(60), sources=True)),
            ("highdicom", legacy_converted(slices)),
        ):
            folder = tmp_path / f"{kind} {number}"
            folder.mkdir()
            given = files(folder, [ct], marks)
            assert given.inputs.intent is Intent.ANALYSE
            assert given.inputs.missing == frozenset()
            results = run(given, classifier)
            assert results.outcome is Outcome.ANALYSED
            assert p(results) == pytest.approx(p(classic), abs=1e-6)
            assert "the annotation draws on its slices" in results.remarks[0]
            assert not any("does not name" in remark for remark in results.remarks)


def test_a_mark_on_an_image_of_several_frames_must_say_on_which(
    tmp_path: Path, classifier: TorchClassifier, slices: list[Dataset]
) -> None:
    enhanced = enhanced_ct(slices)
    results = run(files(tmp_path, [enhanced], outlined([enhanced])), classifier)
    assert results.outcome is Outcome.NOT_ANALYSED
    assert (
        f"it is drawn on image {enhanced.SOPInstanceUID}, which has 60 frames, "
        "and on which of them is not said" in results.headline
    )


@pytest.mark.parametrize("frame", [61, 4000])
def test_a_mark_on_a_frame_that_is_none_is_refused(
    tmp_path: Path, classifier: TorchClassifier, slices: list[Dataset], frame: int
) -> None:
    enhanced = enhanced_ct(slices)
    results = run(files(tmp_path, [enhanced], outlined([enhanced], [frame])), classifier)
    assert results.outcome is Outcome.NOT_ANALYSED
    assert f"drawn on frame {frame} of image" in results.headline


def test_an_odd_frame_number_refuses_the_mark_and_no_other(
    tmp_path: Path, classifier: TorchClassifier, slices: list[Dataset]
) -> None:
    enhanced = enhanced_ct(slices)
    odd, sound = outlined([enhanced], [21]), outlined([enhanced], [22])
    for item in _scoords(odd):
        item.ContentSequence[0].ReferencedSOPSequence[0].ReferencedFrameNumber = 0
    odd.SOPInstanceUID = odd.file_meta.MediaStorageSOPInstanceUID = "2.25.777"
    for item in _tracking_uids(odd):
        item.UID = "2.25.32"
    results = run(files(tmp_path, [enhanced], odd, sound), classifier)
    assert results.outcome is Outcome.PARTLY_ANALYSED
    assert "it is drawn on what is no frame number of image" in results.headline
    assert [nodule.reason is None for nodule in results.nodules] == [True, False]


def test_a_map_that_is_marked_is_not_analysed_with_that_reason(
    tmp_path: Path, classifier: TorchClassifier, slices: list[Dataset]
) -> None:
    blood = enhanced_ct(slices, image_type=["DERIVED", "PRIMARY", "PERFUSION", "RCBF"])
    results = run(files(tmp_path, [blood], outlined([blood], [21])), classifier)
    assert results.outcome is Outcome.NOT_ANALYSED
    assert r"its frames are of type DERIVED\PRIMARY\PERFUSION\RCBF" in results.headline


def test_its_report_and_captures_are_valid(
    tmp_path: Path, classifier: TorchClassifier, slices: list[Dataset]
) -> None:
    binary = require_binary("dciodvfy", "dicom3tools")
    results = run(
        files(tmp_path, [enhanced_ct(slices)], outlined([enhanced_ct(slices)], [21])), classifier
    )
    for number, artifact in enumerate(results.artifacts):
        path = tmp_path / f"result-{number}.dcm"
        artifact.dataset.save_as(path, enforce_file_format=True)
        said = subprocess.run([binary, path], capture_output=True, text=True, check=False)
        assert "Error" not in said.stderr, said.stderr


def _below(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence") or []:
        yield child
        yield from _below(child)


def _scoords(report: Dataset) -> list[Dataset]:
    return [item for item in _below(report) if item.get("ValueType") == "SCOORD"]


def _tracking_uids(report: Dataset) -> list[Dataset]:
    return [item for item in _below(report) if item.get("ValueType") == "UIDREF"]


def _images_drawn_on(results: Results) -> list[Dataset]:
    (report,) = [
        artifact.dataset for artifact in results.artifacts if artifact.kind is ArtifactKind.REPORT
    ]
    return [item.ContentSequence[0].ReferencedSOPSequence[0] for item in _scoords(report)]


VERDICTS = {
    "dcmqi__23x38x3_mf.dcm": "CT: 3 frames, 38 x 23 pixels",
    "dicomParser__CT0012.fragmented_no_bot_jpeg_ls.80.dcm": (
        r"no CT: its frames are of type DERIVED\PRIMARY\PERFUSION\RCBF"
    ),
    "dicom__5.dcm": r"no CT: its frames are of type DERIVED\PRIMARY\PERFUSION\RCBF",
    "pydicom-data__eCT_Supplemental.dcm": (
        r"no CT: its frames are of type DERIVED\PRIMARY\PERFUSION\RCBF"
    ),
}


@pytest.mark.lidc
@pytest.mark.parametrize("name", sorted(VERDICTS))
def test_objects_that_others_made(name: str) -> None:
    folder = Path(__file__).parents[4] / "shared" / "data"
    path = Path(os.environ.get("TESTS_LIDC") or folder) / "others" / "enhanced_ct" / name
    if not path.is_file():
        unavailable("no CT images of others beside the checkout")
    facts, _ = read_facts(
        dcmread(path, stop_before_pixels=True), transfer_syntax="1.2.840.10008.1.2.1"
    )
    assert facts.role is Role.CT
    try:
        volume = read_series_files([path])
        depth, rows, columns = volume.shape
        verdict = f"CT: {depth} frames, {rows} x {columns} pixels"
    except SeriesUnusable as reason:
        verdict = f"no CT: {str(reason).split(': ', 1)[1]}"
    assert verdict == VERDICTS[name]
