"""The demo says what a folder holds before it sends anything."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import SurfaceSegmentationStorage

from node.demo.annotations import measurement_report, segmentation
from node.demo.phantom import Phantom, Subject, chest_phantom, header
from node.demo.run import run_demo
from node.demo.study import DemoFailed, survey
from tests import synthetic
from tests.enhanced import enhanced_ct


@cache
def tiny() -> Phantom:
    return chest_phantom(size=64, slices=12)


def write(directory: Path, datasets: list[Dataset]) -> Path:
    for number, ds in enumerate(datasets):
        ds.save_as(directory / f"{number}.dcm", enforce_file_format=True)
    return directory


def test_a_whole_study_lacks_nothing(tmp_path: Path):
    phantom = tiny()
    write(tmp_path, [*phantom.ct, segmentation(phantom, ["Nodule 3"])])
    study = survey(tmp_path)
    assert study.found == (
        "CT series with 12 slices",
        "annotation that this node reads (SEG)",
    )
    assert study.missing == ()
    assert len(study.files) == 13


def test_files_that_are_not_dicom_are_counted_and_left_behind(tmp_path: Path):
    phantom = tiny()
    write(tmp_path, [*phantom.ct, measurement_report(phantom, ["Nodule 3"])])
    (tmp_path / "readers.xml").write_text("<a/>")
    study = survey(tmp_path)
    assert study.missing == ("not DICOM, and left where they are: 1 file(s)",)
    assert len(study.files) == 13


def test_a_ct_alone_has_nothing_to_judge(tmp_path: Path):
    write(tmp_path, tiny().ct)
    with pytest.raises(DemoFailed, match="CT series with 12 slices, but no annotation"):
        survey(tmp_path)


def test_what_cannot_be_read_is_named(tmp_path: Path):
    ds = header(
        Subject(),
        sop_class_uid=SurfaceSegmentationStorage,
        sop_instance_uid="2.25.1",
        series_instance_uid="2.25.2",
        series_number=3,
        modality="SEG",
    )
    write(tmp_path, [*tiny().ct, ds])
    assert "Surface Segmentation, which this node cannot read yet" in survey(tmp_path).found


def test_two_studies_are_one_too_many(tmp_path: Path):
    other = chest_phantom(size=64, slices=12, subject=Subject(study="2"))
    write(tmp_path, [*tiny().ct, *other.ct])
    with pytest.raises(DemoFailed, match="holds 2 studies"):
        survey(tmp_path)


def test_a_folder_of_the_users_is_never_emptied(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "thesis.txt").write_text("mine")
    assert run_demo(output=tmp_path, size=64, slices=4) == 1
    assert (tmp_path / "thesis.txt").read_text() == "mine"
    assert "is not the demo's" in capsys.readouterr().out


def test_the_demo_fails_with_the_reason_where_there_is_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run_demo(empty, output=tmp_path / "out") == 1
    assert "holds no DICOM file" in capsys.readouterr().out


def test_an_enhanced_ct_is_counted_by_its_frames(tmp_path: Path):
    slices = synthetic.ct_series()
    write(tmp_path, [enhanced_ct(slices), synthetic.segmentation(slices, [np.ones((8, 16, 20))])])
    study = survey(tmp_path)
    assert "CT series with 8 slices" in study.found
    assert len(study.headers) == 8
