"""What stands beside report and captures: of the same nodules and study, and of the CT alone."""

import re
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pytest
from PIL import Image, ImageDraw
from pydicom import Dataset, dcmread
from scipy import ndimage

from node.core import companions
from node.core.results import COMPANIONS, ArtifactKind
from node.core.uids import is_own_series
from node.offline import AnalysedStudy, analyse_paths
from sr_templates.findings import ReportContent
from sr_templates.pdf.document import build_encapsulated_pdf
from tests import synthetic, validators
from tests.acceptance import studies
from tests.enhanced import cite_frames, enhanced_ct
from tests.node.core.test_pipeline import SHAPE, mask
from tests.node.offline.conftest import NOW, UNTRAINED, write

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def phantom() -> list[Dataset]:
    return studies.marked(studies.phantom("companions", slices=40), "Nodule 3", "Nodule 2")


def analysed(folder: Path, datasets: list[Dataset]) -> AnalysedStudy:
    write(folder / "in", datasets)
    (study,) = analyse_paths(
        [folder / "in"],
        out=folder / "out",
        config=UNTRAINED,
        companions=COMPANIONS,
        clock=lambda: NOW,
    ).studies
    return study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, phantom: list[Dataset]) -> AnalysedStudy:
    return analysed(tmp_path_factory.mktemp("companions"), phantom)


@pytest.fixture(scope="module")
def objects(study: AnalysedStudy) -> dict[str, Dataset]:
    return {path.name: dcmread(path) for path in sorted(study.folder.glob("*.dcm"))}


def test_each_kind_has_a_series_of_its_own_and_its_objects_are_numbered(
    objects: dict[str, Dataset],
) -> None:
    series = {(ds.Modality, int(ds.SeriesNumber)) for ds in objects.values()}
    assert series == {
        ("SR", 9101),
        ("OT", 9102),
        ("PR", 9103),
        ("KO", 9104),
        ("DOC", 9105),
        ("OT", 9106),
    }
    assert len({ds.SeriesInstanceUID for ds in objects.values()}) == len(ArtifactKind) - 1
    numbered = {ds.Modality: int(ds.InstanceNumber) for ds in objects.values()}
    assert [numbered[modality] for modality in ("PR", "KO", "DOC")] == [10001] * 3
    maps = [ds for name, ds in objects.items() if "parametric_map" in name]
    assert sorted(int(ds.InstanceNumber) for ds in maps) == [10001 + n for n in range(6)]


def test_they_are_ours_wherever_they_come_back_from(objects: dict[str, Dataset]) -> None:
    for dataset in objects.values():
        assert is_own_series(dataset.StudyInstanceUID, dataset.SeriesInstanceUID)


def test_they_refer_to_the_ct_alone(objects: dict[str, Dataset], phantom: list[Dataset]) -> None:
    slices = {str(ds.SOPInstanceUID) for ds in phantom if ds.Modality == "CT"}
    for name, dataset in objects.items():
        if name.startswith(("report", "nodule")) and "parametric" not in name:
            continue
        referred = set(_referred(dataset))
        assert referred, name
        assert referred <= slices, name


def _referred(dataset: Dataset) -> Iterator[str]:
    for element in dataset.iterall():
        if element.keyword == "ReferencedSOPInstanceUID":
            yield str(element.value)


def test_the_outline_lies_where_the_report_draws_it(objects: dict[str, Dataset]) -> None:
    scoords = sorted(tuple(_graphic_data(ds)) for ds in _items(objects["report.dcm"], "SCOORD"))
    state = objects["presentation_state.dcm"]
    drawn = sorted(
        tuple(float(v) for v in annotation.GraphicObjectSequence[0].GraphicData)
        for annotation in state.GraphicAnnotationSequence
    )
    assert drawn == scoords
    assert len(drawn) == 2


@pytest.mark.peers
def test_dcmtk_shows_the_ct_in_the_lung_window_and_draws_the_outline_about_the_nodule(
    objects: dict[str, Dataset], phantom: list[Dataset], tmp_path: Path
) -> None:
    """It writes no graphics into the picture; what it would draw, and on which pixels, it says."""
    by_uid = {str(ds.SOPInstanceUID): ds for ds in phantom}
    state = objects["presentation_state.dcm"]
    state.save_as(tmp_path / "state.dcm", enforce_file_format=True)
    for annotation in state.GraphicAnnotationSequence:
        ct = by_uid[annotation.ReferencedImageSequence[0].ReferencedSOPInstanceUID]
        ct.save_as(tmp_path / "ct.dcm", enforce_file_format=True)
        picture, told = validators.render_state(
            tmp_path / "state.dcm", tmp_path / "ct.dcm", tmp_path / "ct.pgm"
        )
        shown = np.asarray(Image.open(picture)).astype(float)
        hu = ct.pixel_array * float(ct.RescaleSlope) + float(ct.RescaleIntercept)
        lung_window = np.clip((hu + 1350) / 1500 * 255, 0, 255)
        assert np.abs(shown - lung_window).max() <= 2
        drawn = re.findall(r"type=polyline filled=no units=pixel\n.*coordinates: (.*)", told)
        assert len(drawn) == 1, told
        outline = [tuple(map(float, at.split("\\"))) for at in drawn[0].split(", ") if at.strip()]
        canvas = Image.new("1", shown.shape[::-1])
        ImageDraw.Draw(canvas).polygon([(x - 0.5, y - 0.5) for x, y in outline], fill=1)
        inside = np.asarray(canvas)
        beyond = ndimage.binary_dilation(inside, iterations=4)
        beyond &= ~ndimage.binary_dilation(inside, iterations=2)
        assert inside.sum() > 20
        assert np.median(shown[inside]) > np.median(shown[beyond]) + 80


def _items(dataset: Dataset, value_type: str) -> Iterator[Dataset]:
    for item in dataset.get("ContentSequence", []):
        if item.ValueType == value_type:
            yield item
        yield from _items(item, value_type)


def _graphic_data(item: Dataset) -> list[float]:
    return [float(value) for value in item.GraphicData]


def test_every_scale_of_every_nodule_has_a_map_in_the_cts_frame(
    objects: dict[str, Dataset], phantom: list[Dataset]
) -> None:
    maps = {name: ds for name, ds in objects.items() if "parametric_map" in name}
    assert Counter(name.split("-parametric")[0] for name in maps) == {"nodule-1": 3, "nodule-2": 3}
    for dataset in maps.values():
        assert dataset.FrameOfReferenceUID == phantom[0].FrameOfReferenceUID
        assert dataset.ImageComments.startswith("UNTRAINED, NOT A RESULT: Nodule ")


def test_the_document_lies_in_the_folder_as_well(study: AnalysedStudy) -> None:
    assert (study.folder / "report.pdf").read_bytes().startswith(b"%PDF-")


def test_the_same_analysis_makes_the_same_bytes(
    study: AnalysedStudy, phantom: list[Dataset], tmp_path: Path
) -> None:
    again = analysed(tmp_path, phantom)
    names = sorted(path.name for path in study.folder.glob("*.dcm"))
    assert names == sorted(path.name for path in again.folder.glob("*.dcm"))
    for name in names:
        assert (study.folder / name).read_bytes() == (again.folder / name).read_bytes(), name


def test_a_study_that_is_not_analysed_has_the_document_alone(
    phantom: list[Dataset], tmp_path: Path
) -> None:
    study = analysed(tmp_path, [*phantom[:-1], studies.of_another_patient(phantom[-1])])
    assert study.outcome == "not_analysed"
    assert sorted(path.name for path in study.folder.iterdir()) == [
        "pdf.dcm",
        "report.dcm",
        "report.pdf",
        "study.json",
    ]


@pytest.mark.peers
def test_on_a_multi_frame_ct_the_frame_is_named_and_the_map_lies_where_it_lay(
    study: AnalysedStudy, phantom: list[Dataset], tmp_path: Path
) -> None:
    *slices, marks = deepcopy(phantom)
    backwards = list(reversed(range(len(slices))))
    enhanced = enhanced_ct(slices, order=backwards)
    frame_of = {index: frame for frame, index in enumerate(backwards, start=1)}
    cite_frames(marks, slices, enhanced, frame_of)
    of_frames = analysed(tmp_path, [enhanced, marks])
    assert of_frames.outcome == "analysed"
    state, classic = (
        dcmread(each.folder / "presentation_state.dcm") for each in (of_frames, study)
    )
    assert _drawn_on(state) == {
        (enhanced.SOPInstanceUID, frame_of[_index(slices, uid)]) for uid, _ in _drawn_on(classic)
    }
    assert (state.RescaleSlope, state.RescaleIntercept) == (
        classic.RescaleSlope,
        classic.RescaleIntercept,
    )
    here, there = (
        hd.imread(each.folder / "nodule-1-parametric_map.dcm").get_volume()
        for each in (of_frames, study)
    )
    assert np.allclose(here.affine, there.affine, atol=1e-3)
    assert np.allclose(here.array, there.array, atol=1e-4)
    for path in of_frames.folder.glob("*.dcm"):
        assert validators.dciodvfy(path) == [], path.name


def test_no_sequence_of_any_object_says_the_same_twice(tmp_path: Path) -> None:
    """Of nodules on one slice, marked by two annotations, and a request of two scheduled steps."""
    ct = synthetic.ct_series(shape=SHAPE)
    for image in ct:
        image.RequestAttributesSequence = [_step("S1"), _step("S2")]
    on_one_slice = [mask(slice(20, 23)), mask(slice(20, 23), x=slice(14, 18))]
    marks = [
        synthetic.segmentation(ct, on_one_slice, name="first"),
        synthetic.segmentation(ct, [*on_one_slice, mask(slice(40, 43))], name="second"),
    ]
    study = analysed(tmp_path, [*ct, *marks])
    assert len(study.lines) == 3
    for path in sorted(study.folder.glob("*.dcm")):
        assert list(_repeated(dcmread(path))) == [], path.name


def _step(number: str) -> Dataset:
    step = Dataset()
    step.RequestedProcedureID, step.ScheduledProcedureStepID = "RP1", number
    return step


def _repeated(item: Dataset) -> Iterator[str]:
    """The sequences in which an item, or a reference to an object, stands twice."""
    for element in item:
        if element.VR != "SQ":
            continue
        items = [str(each.to_json_dict()) for each in element.value]
        named = [str(each.get("ReferencedSOPInstanceUID", n)) for n, each in enumerate(element)]
        if len(set(items)) < len(items) or len(set(named)) < len(named):
            yield element.keyword
        for each in element.value:
            yield from _repeated(each)


def _drawn_on(state: Dataset) -> set[tuple[str, int | None]]:
    images = (each.ReferencedImageSequence[0] for each in state.GraphicAnnotationSequence)
    return {(str(i.ReferencedSOPInstanceUID), i.get("ReferencedFrameNumber")) for i in images}


def _index(slices: list[Dataset], uid: str) -> int:
    return next(n for n, each in enumerate(slices) if each.SOPInstanceUID == uid)


def test_the_document_has_pictures_of_some_and_words_of_all(
    phantom: list[Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert companions.MOST_PICTURED == 20
    monkeypatch.setattr(companions, "MOST_PICTURED", 1)
    remarks: list[str] = []

    def built(*, content: ReportContent, **rest: Any) -> Dataset:
        remarks.extend(content.remarks)
        return build_encapsulated_pdf(content=content, **rest)

    monkeypatch.setattr(companions, "build_encapsulated_pdf", built)
    study = analysed(tmp_path, phantom)
    document = (study.folder / "report.pdf").read_bytes()
    assert document.count(b"/Subtype /Image") == 2
    assert remarks[-1] == "The captures have the pictures of 1 further nodule."


def test_one_that_cannot_be_made_keeps_no_report_from_being_written(
    phantom: list[Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def odd_header(*_: object, **__: object) -> None:
        raise AttributeError("PHANTOM^COMPANIONS")

    monkeypatch.setattr("node.core.companions.build_presentation_state", odd_header)
    study = analysed(tmp_path, phantom)
    assert study.outcome == "analysed"
    assert study.lines[0]["notes"] == ["presentation_state could not be made (AttributeError)"]
    names = {path.name for path in study.folder.glob("*.dcm")}
    assert {"report.dcm", "nodule-1.dcm", "key_objects.dcm", "pdf.dcm"} <= names
    assert "presentation_state.dcm" not in names


def test_what_was_not_asked_for_before_is_made_now(tmp_path: Path, phantom: list[Dataset]) -> None:
    write(tmp_path / "in", phantom)

    def finished(*companions: ArtifactKind) -> bool:
        (study,) = analyse_paths(
            [tmp_path / "in"],
            out=tmp_path / "out",
            config=UNTRAINED,
            companions=companions,
            clock=lambda: NOW,
        ).studies
        return study.finished

    asked = (ArtifactKind.KEY_OBJECTS,)
    assert [finished(), finished(*asked), finished(*asked), finished()] == [
        False,
        False,
        True,
        True,
    ]


@pytest.mark.peers
def test_dciodvfy_finds_no_error(study: AnalysedStudy) -> None:
    for path in sorted(study.folder.glob("*.dcm")):
        assert validators.dciodvfy(path) == [], path.name
