"""The readers' XML files."""

from pathlib import Path

import pytest

from training.data.errors import LidcUnusable
from training.data.lidc.xml_files import SECOND_SCANS, read_message

ROI = """<roi><imageZposition>{z} </imageZposition><inclusion>{inclusion}</inclusion>
<edgeMap><xCoord>20</xCoord><yCoord>10</yCoord></edgeMap>
<edgeMap><xCoord>21</xCoord><yCoord>10</yCoord></edgeMap>
<edgeMap><xCoord>21</xCoord><yCoord>11</yCoord></edgeMap></roi>"""
SCORED = "<characteristics><malignancy>4</malignancy></characteristics>"


def _file(folder: Path, nodules: str, *, root: str = "LidcReadMessage") -> Path:
    path = folder / "069.xml"
    path.write_text(
        f'<{root} xmlns="http://www.nih.gov"><ResponseHeader><SeriesInstanceUid>1.2.3'
        f"</SeriesInstanceUid></ResponseHeader><readingSession>{nodules}</readingSession></{root}>"
    )
    return path


def _marked(inside: str) -> str:
    return f"<unblindedReadNodule>{inside}</unblindedReadNodule>"


def test_a_marking_is_read_by_ascending_slice_with_points_as_row_column(tmp_path: Path) -> None:
    rois = ROI.format(z="-122.5", inclusion="TRUE") + ROI.format(z="-125.0", inclusion="FALSE")
    message = read_message(_file(tmp_path, _marked(SCORED + rois)))
    assert message is not None
    assert message.series_instance_uid == "1.2.3"
    (reading,) = message.readings
    assert reading.malignancy == 4
    assert [(c.z_mm, c.is_hole) for c in reading.contours] == [(-125.0, True), (-122.5, False)]
    assert reading.contours[0].points.tolist() == [[10, 20], [10, 21], [11, 21]]


def test_a_marking_without_a_score_is_left_out(tmp_path: Path) -> None:
    message = read_message(_file(tmp_path, _marked(ROI.format(z="0", inclusion="TRUE"))))
    assert message is not None
    assert message.readings == ()


def test_files_about_radiographs_are_passed_over(tmp_path: Path) -> None:
    assert read_message(_file(tmp_path, "", root="IdriReadMessage")) is None


def test_a_file_cut_short_is_refused_by_name(tmp_path: Path) -> None:
    path = _file(tmp_path, "")
    path.write_text(path.read_text()[:100])
    with pytest.raises(LidcUnusable, match=r"069\.xml is no whole XML file"):
        read_message(path)


def test_eight_patients_have_a_second_scan() -> None:
    assert len(SECOND_SCANS) == 8
