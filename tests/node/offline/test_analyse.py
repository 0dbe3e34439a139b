"""Folders in, a folder of results out: nothing is dropped in silence, nothing is done twice."""

import json
import os
import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread

from node.core.errors import ConfigError
from node.offline import Analysis, analyse_paths
from node.offline.out_folder import open_out_folder
from tests.acceptance import studies
from tests.node.inbound.test_lidc_xml import BOXED, message, written
from tests.node.offline.conftest import NOW, UNTRAINED, Call, write


def table(analysis: Analysis) -> list[dict[str, Any]]:
    return [json.loads(line) for line in analysis.results.read_text().splitlines()]


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_study_has_a_report_its_pictures_and_a_line_a_nodule(study: Path, call: Call) -> None:
    analysis = call(study)
    (one,) = analysis.studies
    (line,) = table(analysis)
    assert (one.outcome, analysis.complete, analysis.failed) == ("analysed", True, False)
    assert line["study_instance_uid"] == one.study_instance_uid
    assert line["series_instance_uid"] == dcmread(study / "0000").SeriesInstanceUID
    assert (line["nodule"], line["tracking_id"], line["reason"]) == (1, "Nodule 3", None)
    assert np.allclose(line["centre_mm"], (-82, 34, -140), atol=1.5)
    assert line["diameter_mm"] == pytest.approx(21, abs=4)
    assert 0 < line["probability"] < 1
    assert (line["trained"], line["call"], line["indeterminate"]) == (False, None, None)
    assert len(line["model_fingerprint"]) == len(line["analysis_id"]) == 64
    report = dcmread(one.folder / "report.dcm")
    assert (report.Modality, report.StudyInstanceUID) == ("SR", one.study_instance_uid)
    capture = dcmread(one.folder / "nodule-1.dcm")
    frames = [name for name in line["files"] if name.endswith(".png")]
    assert len(frames) == capture.NumberOfFrames
    picture = np.asarray(Image.open(one.folder / frames[0]))
    assert np.array_equal(picture, capture.pixel_array[0])
    assert {"report.dcm", "study.json", *line["files"]} == set(tree(one.folder))


def test_it_says_what_the_nodes_pipeline_says(study: Path, call: Call) -> None:
    """The place is the index of the nodule in slices ascending along the normal."""
    (line,) = table(call(study))
    z, _, x = line["centre_index"]
    slices = sorted(
        (dcmread(path, stop_before_pixels=True) for path in study.iterdir() if _is_ct(path)),
        key=lambda header: float(header.ImagePositionPatient[2]),
    )
    at = slices[round(z)]
    assert float(at.ImagePositionPatient[2]) == pytest.approx(line["centre_mm"][2], abs=4)
    left = float(at.ImagePositionPatient[0]) + x * float(at.PixelSpacing[1])
    assert left == pytest.approx(line["centre_mm"][0], abs=0.01)


def _is_ct(path: Path) -> bool:
    return str(dcmread(path, stop_before_pixels=True).Modality) == "CT"


def test_a_finished_study_is_not_judged_again(study: Path, call: Call, tmp_path: Path) -> None:
    first = call(study)
    before = {p: p.stat().st_mtime_ns for p in first.studies[0].folder.iterdir()}
    again = call(study)
    assert [s.finished for s in (*first.studies, *again.studies)] == [False, True]
    assert {p: p.stat().st_mtime_ns for p in first.studies[0].folder.iterdir()} == before
    assert (tmp_path / "out" / "results.jsonl").read_text().count("\n") == 1


def test_other_inputs_other_settings_and_lost_files_are_judged_again(
    study: Path, call: Call, tmp_path: Path
) -> None:
    folder = call(study).studies[0].folder
    (folder / "report.dcm").unlink()
    assert not call(study).studies[0].finished
    (folder / "study.json").write_text("{")
    assert not call(study).studies[0].finished
    other = UNTRAINED.model_copy(
        update={"results": UNTRAINED.results.model_copy(update={"max_frames": 3})}
    )
    analysis = analyse_paths([study], out=tmp_path / "out", config=other, clock=lambda: NOW)
    assert not analysis.studies[0].finished
    assert len(table(analysis)) == 1
    slice_ = dcmread(study / "0000")
    slice_.PatientID = "PHANTOM-CORRECTED"
    slice_.save_as(study / "0000")
    assert not call(study).studies[0].finished


def test_other_results_of_a_study_are_its_next_revision_and_the_same_again_are_not(
    study: Path, call: Call
) -> None:
    folder = call(study).studies[0].folder

    def numbered() -> tuple[int, str]:
        report = dcmread(folder / "report.dcm")
        return int(report.InstanceNumber), str(report.SeriesDescription)

    (folder / "report.dcm").unlink()
    call(study)
    assert numbered() == (1, "AI nodule report (research use)")
    slice_ = dcmread(study / "0000")
    slice_.AccessionNumber = "A-CORRECTED"
    slice_.save_as(study / "0000")
    for _ in range(2):
        call(study)
        assert numbered() == (2, "AI nodule report, revision 2 (research use)")
        (folder / "report.dcm").unlink()


def test_a_study_without_a_result_has_a_line_that_says_so(
    tmp_path: Path, marked: list[Dataset], call: Call
) -> None:
    bare = studies.phantom("bare", slices=8)
    magnetic = deepcopy(marked[0])
    magnetic.SOPClassUID, magnetic.Modality = "1.2.840.10008.5.1.4.1.1.4", "MR"
    magnetic.StudyInstanceUID = "1.2.3.4"
    magnetic.file_meta.MediaStorageSOPClassUID = magnetic.SOPClassUID
    alone = deepcopy(marked[-1])
    alone.StudyInstanceUID = "1.2.3.5"
    analysis = call(write(tmp_path / "in", [*bare.ct, magnetic, alone]))
    lines = {line["study_instance_uid"]: line for line in table(analysis)}
    assert len(lines) == len(analysis.studies) == 3
    assert all(line["probability"] is None and line["reason"] for line in lines.values())
    assert lines["1.2.3.4"]["outcome"] == "nothing_for_the_node"
    assert lines["1.2.3.5"]["outcome"] == "not_analysed"
    assert lines[studies.study_uid(bare)]["outcome"] == "not_annotated"
    assert (analysis.complete, analysis.failed) == (False, False)


def test_a_refused_nodule_has_a_line_with_its_reason(
    tmp_path: Path, marked: list[Dataset], call: Call
) -> None:
    gap = [*marked[:17], *marked[23:]]
    (line,) = table(call(write(tmp_path / "in", gap)))
    assert (line["nodule"], line["tracking_id"], line["probability"]) == (1, "Nodule 3", None)
    assert line["centre_mm"] is None
    assert "slices about the nodule are missing" in line["reason"]


def test_two_patients_in_one_folder_are_two_studies(
    tmp_path: Path, marked: list[Dataset], call: Call
) -> None:
    other = studies.marked(studies.phantom("offline-other", slices=40))
    analysis = call(write(tmp_path / "in", [*marked, *other]))
    assert [study.outcome for study in analysis.studies] == ["analysed", "analysed"]


def test_another_patients_annotation_in_the_study_judges_nothing(
    tmp_path: Path, marked: list[Dataset], call: Call
) -> None:
    swapped = [*marked[:-1], studies.of_another_patient(marked[-1])]
    (line,) = table(call(write(tmp_path / "in", swapped)))
    assert line["probability"] is None
    assert "another patient" in line["reason"]


def test_the_same_series_twice_is_one(study: Path, marked: list[Dataset], call: Call) -> None:
    write(study / "copy", marked)
    (line,) = table(call(study))
    assert (line["outcome"], line["notes"]) == ("analysed", [])


def test_versions_that_differ_are_said(study: Path, marked: list[Dataset], call: Call) -> None:
    write(study / "later", studies.renamed(marked, "PHANTOM^CORRECTED"))
    analysis = call(study)
    (line,) = table(analysis)
    assert line["outcome"] == "analysed"
    assert line["notes"] == [
        f"{len(marked)} objects lie there in several versions that differ; the one whose file "
        "comes last by name was read"
    ]
    report = dcmread(analysis.studies[0].folder / "report.dcm")
    assert str(report.PatientName) == "PHANTOM^CORRECTED"


def test_junk_is_skipped_and_what_is_broken_is_refused(study: Path, call: Call) -> None:
    (study / "notes.txt").write_text("no DICOM")
    (study / "empty").touch()
    (study / "broken").write_bytes((study / "0000").read_bytes()[:300])
    (study / "damaged.xml").write_text(message(BOXED)[:-9])
    (study / "gone").symlink_to(study / "nowhere")
    (study / "itself").symlink_to(study / "itself")
    os.mkfifo(study / "pipe")
    analysis = call(study)
    assert [path.name for path in analysis.skipped] == [
        "empty",
        "gone",
        "itself",
        "notes.txt",
        "pipe",
    ]
    assert [odd.path and odd.path.name for odd in analysis.unread] == ["broken", "damaged.xml"]
    assert (analysis.studies[0].outcome, analysis.failed) == ("analysed", True)


def test_a_file_without_a_header_is_read_and_named(
    study: Path, call: Call, marked: list[Dataset]
) -> None:
    plain = (study / "0005").read_bytes()
    start = plain.index(b"\x08\x00", 132 + 12)
    (study / "0005").write_bytes(plain[start:])
    analysis = call(study)
    assert analysis.studies[0].outcome == "analysed"
    (said,) = analysis.remarks
    assert said.says == "no File Meta Information; taken as the Data Set that follows"
    assert table(analysis)[0]["notes"] == [said.says]


def test_folders_behind_links_are_read_once(tmp_path: Path, study: Path, call: Call) -> None:
    far = tmp_path / "far"
    shutil.move(study, far)
    study.mkdir()
    (study / "link").symlink_to(far)
    (study / "loop").symlink_to(study)
    assert call(study).studies[0].outcome == "analysed"


def test_results_within_the_input_are_no_input(study: Path) -> None:
    for again in (False, True):
        analysis = analyse_paths([study], out=study / "out", config=UNTRAINED, clock=lambda: NOW)
        assert (analysis.studies[0].finished, analysis.skipped) == (again, ())


def test_the_readers_marks_of_an_xml_are_read_as_ingest_reads_them(
    tmp_path: Path, call: Call
) -> None:
    folder = tmp_path / "series"
    folder.mkdir()
    written(folder, message(BOXED + "<nonNodule/>", BOXED))
    (line,) = table(call(folder))
    assert line["notes"] == [
        "LIDC-IDRI's XML: 1 marks without an outline (nodules under 3 mm, non-nodules) are left out"
    ]
    assert (line["outcome"], line["tracking_id"]) == ("analysed", "Nodule 1")


def test_nothing_at_all_is_a_failure(tmp_path: Path, call: Call) -> None:
    (tmp_path / "in").mkdir()
    analysis = call(tmp_path / "in")
    assert (analysis.studies, analysis.failed, table(analysis)) == ((), True, [])


def test_a_study_at_which_the_machinery_fails_is_said_and_tried_again(
    study: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_memory(*_: object, **__: object) -> None:
        raise MemoryError("PHANTOM^OFFLINE")

    with monkeypatch.context() as patch:
        patch.setattr("node.offline.judging.analyse", out_of_memory)
        analysis = call(study)
        (line,) = table(analysis)
        assert (line["outcome"], line["probability"]) == ("technical_failure", None)
        assert "MemoryError" in line["headline"]
        assert "PHANTOM^OFFLINE" not in json.dumps(line)
        assert (analysis.studies[0].folder / "report.dcm").exists()
        assert analysis.failed
    assert call(study).studies[0].outcome == "analysed"


def test_a_slice_that_goes_away_while_it_works_fails_that_study_alone(
    study: Path, tmp_path: Path, call: Call
) -> None:
    other = write(tmp_path / "other", studies.marked(studies.phantom("offline-other", slices=40)))
    done = analyse_paths(
        [study, other],
        out=tmp_path / "out",
        config=UNTRAINED,
        clock=lambda: NOW,
        on_file=lambda number, of: shutil.rmtree(study) if number == of else None,
    )
    assert sorted(each.outcome for each in done.studies) == ["analysed", "technical_failure"]
    assert len(table(done)) == 2


def test_no_name_in_the_results_is_a_patients(tmp_path: Path, marked: list[Dataset], call: Call):
    named = studies.renamed(marked, "Schmidt^Erika")
    folder = write(tmp_path / "Schmidt_Erika", named)
    out = tmp_path / "out"
    call(folder)
    assert not any("schmidt" in name.casefold() for name in tree(out))
    assert "Schmidt" not in (out / "results.jsonl").read_text()


def test_the_folder_is_ours_alone(tmp_path: Path, study: Path, call: Call) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").touch()
    with pytest.raises(ConfigError, match="holds something else"):
        call(study)
    (out / "thesis.tex").unlink()
    with open_out_folder(out), pytest.raises(ConfigError, match="another process"):
        call(study)


def test_what_a_killed_process_left_half_done_is_swept(
    tmp_path: Path, study: Path, call: Call
) -> None:
    call(study)
    out = tmp_path / "out"
    (out / ".work" / "made").mkdir(parents=True)
    (out / ".work" / "made" / "report.dcm").touch()
    (out / "results.jsonl").write_text('{"study_instance_uid": "torn')
    analysis = call(study)
    assert analysis.studies[0].finished
    assert len(table(analysis)) == 1
    assert not (out / ".work").exists()
