"""OHIF 3.12 on what the node itself holds: it is found, opened and drawn from there alone.

The list is shown by pages of another origin, as a viewer's are, so `web.allowed_origins` is shown
too; the study by the node's own (`web.ohif_directory`).
"""

from collections.abc import Mapping
from pathlib import Path

import pytest

from node.persistence.store import open_store
from tests.node.web.serving import serving
from tests.peers import free_port
from tests.viewers import tour
from tests.viewers.conftest import Seen, Studies, of_kind, once, shared_folder
from tests.viewers.packages import OHIF, require_packages
from tests.viewers.pages import served
from tests.viewers.test_ohif import PIXEL_MM, slice_at

pytestmark = [pytest.mark.peers, pytest.mark.timeout(600)]
_TOUR_S = 300.0


@pytest.fixture(scope="session")
def on_node(answered: Studies, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """What OHIF showed of the judged study on the node that judged it."""
    require_packages()
    with shared_folder(tmp_path_factory) as shared:
        once(shared / "shown-on-node", lambda: _show(answered, shared))
        return Seen(shared, answered)


def _show(answered: Studies, shared: Path) -> None:
    study = answered["judged"]
    store = open_store(f"sqlite:///{study.storage / 'm3node.sqlite'}")
    port = free_port()
    with served(dicomweb=f"http://127.0.0.1:{port}/dicom-web") as base:
        web = {"port": port, "allowed_origins": [base], "ohif_directory": OHIF.folder / "dist"}
        with serving(study.storage, store=store, web=web):
            own = f"http://127.0.0.1:{port}"
            tour.visit(_visits(answered, base, own), shared, timeout_s=_TOUR_S)


def _visits(answered: Studies, base: str, own: str) -> list[Mapping[str, object]]:
    ct = answered["judged"].given.ct[0]
    return [
        {
            "name": "ohif_list-on-node",
            "viewer": "ohif_list",
            "base": base,
            "patient": str(ct.PatientID),
        },
        {
            "name": "ohif-on-node",
            "viewer": "ohif",
            "base": own,
            "study": str(ct.StudyInstanceUID),
            "marks": r"SEG\s*Nodule segmentation",
        },
    ]


def test_the_study_is_listed_and_found_by_its_patient_id(on_node: Seen) -> None:
    ct = on_node.studies["judged"].given.ct[0]
    seen = on_node.by("ohif_list", "on-node")
    for rows in (seen["listed"], seen["found"]):
        (row,) = rows
        assert str(ct.PatientID) in row
        assert "CT" in row


def test_the_ct_is_opened(on_node: Seen) -> None:
    ct = on_node.studies["judged"].given.ct[0]
    opened = on_node.by("ohif", "on-node")["opened"]
    assert opened == {"modality": "CT", "series_number": int(ct.SeriesNumber)}


def test_the_report_is_drawn_where_the_nodules_lie_with_their_probability(on_node: Seen) -> None:
    study = on_node.studies["judged"]
    (report,) = on_node.by("ohif", "on-node")["reports"]
    assert {one["tracking_uid"] for one in report["findings"]} == set(study.given.centres_mm)
    for one in report["findings"]:
        expected = study.given.centres_mm[one["tracking_uid"]]
        assert one["centre_mm"] == pytest.approx(expected, abs=PIXEL_MM)
        assert one["sop_instance_uid"] == slice_at(study, expected[2])
        assert one["lines"][0].startswith("Probability of cancer: ")


def test_every_frame_of_the_captures_is_reached(on_node: Seen) -> None:
    pictures = on_node.by("ohif", "on-node")["pictures"]
    captures = {
        str(each.SOPInstanceUID): int(each.NumberOfFrames)
        for each in of_kind(on_node.studies, "Multi-frame capture")
    }
    shown = {one["frames"][0]["sop_instance_uid"]: len(one["frames"]) for one in pictures}
    assert shown == captures


def test_the_marks_are_shown_over_the_ct(on_node: Seen) -> None:
    (marks,) = on_node.by("ohif", "on-node")["marks"]
    annotation = on_node.studies["judged"].given.annotation
    labels = [str(each.SegmentLabel) for each in annotation.SegmentSequence]
    assert marks["segments"] == labels


def test_the_document_is_opened(on_node: Seen) -> None:
    (document,) = on_node.by("ohif", "on-node")["documents"]
    assert document["begins"] == "%PDF-"
