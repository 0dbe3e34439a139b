"""What is missing of a study comes from an archive, in each of the ways in which one gives it."""

from pathlib import Path

import pytest
import requests
from pydicom import Dataset

from node.demo.annotations import segmentation
from node.demo.phantom import Phantom
from tests.acceptance import studies
from tests.acceptance.bed import PATIENCE_S, Bed, bed
from tests.acceptance.studies import NODULE, study_uid
from tests.peers import Orthanc, orthanc, wait_until

pytestmark = [pytest.mark.soak, pytest.mark.acceptance, pytest.mark.peers, pytest.mark.timeout(600)]

_SOURCES = """
[[sources]]
name = "web"
kind = "dicomweb"
url = "{url}"

[[sources]]
name = "get"
kind = "dimse"
host = "127.0.0.1"
port = {port}
ae_title = "ORTHANC"

[[sources]]
name = "move"
kind = "dimse"
host = "127.0.0.1"
port = {port}
ae_title = "ORTHANC"
retrieve = "move"
"""


def test_withheld_slices_come_from_orthanc_and_the_report_counts_them(tmp_path: Path) -> None:
    with bed(tmp_path / "bed") as node:
        knows = {"M3NODE": ["M3NODE", "127.0.0.1", node.port]}
        settings = {
            "DicomModalities": knows,
            "DicomAlwaysAllowGet": True,
            "DicomAlwaysAllowFind": True,
            "DicomAlwaysAllowMove": True,
        }
        with orthanc(tmp_path, settings=settings, reaches=[node.port]) as archive:
            with node.config.open("a") as file:
                file.write(_SOURCES.format(url=archive.dicomweb_url, port=archive.dicom_port))
            node.start()
            checked = node.cli("check")
            assert all(f"source {name}" in checked for name in ("web", "get", "move"))
            by_itself = _archived("pull-web", archive)
            node.send([*by_itself.ct[:30], *by_itself.ct[33:], segmentation(by_itself, [NODULE])])
            by_uid = _archived("pull-get", archive, marked=True)
            (asked,) = node.json("fetch", "--study", study_uid(by_uid), "--source", "get")
            assert (asked["study_instance_uid"], asked["source"]) == (study_uid(by_uid), "get")
            by_number = _archived("pull-move", archive, marked=True)
            said = node.cli("fetch", "--accession", "A-pull-move", "--source", "move")
            assert said.endswith(f"from move queued: study {study_uid(by_number)}\n")
            by_item = _archived("pull-ups", archive, marked=True)
            item = _asked_for(node, by_item, f"{archive.dicomweb_url}/studies/{study_uid(by_item)}")
            for phantom, source in (
                (by_itself, "web"),
                (by_uid, "get"),
                (by_number, "move"),
                (by_item, "web"),
            ):
                (report,) = _reports(node, phantom)
                assert _completeness(report) == (
                    "60 of 60 slices of the CT series were received; every instance that the "
                    "annotation refers to was received; images of the series: 60 of 60 at "
                    f"{source}."
                )
            why = node.cli("why", study_uid(by_itself))
            assert "web done: 60 objects in 1 series there; 3 were asked for and 3 came" in why
            (fetched,) = node.json("study", "show", study_uid(by_itself))["fetches"]
            assert (fetched["source"], fetched["state"], fetched["tries"]) == ("web", "done", 1)
            (done,) = requests.get(item, timeout=30).json()
            assert done["00741000"]["Value"] == ["COMPLETED"]
            (performed,) = done["00741216"]["Value"]
            named = {
                each["00081155"]["Value"][0]
                for output in performed["00404033"]["Value"]
                for each in output["00081199"]["Value"]
            }
            (report,) = node.report_objects(study_uid(by_item))
            assert report.SOPInstanceUID in named


def _reports(node: Bed, phantom: Phantom) -> list[Dataset]:
    uid = study_uid(phantom)
    wait_until(lambda: bool(node.report_objects(uid)), f"a report of {uid}", PATIENCE_S)
    return node.report_objects(uid)


def _asked_for(node: Bed, phantom: Phantom, address: str) -> str:
    """Where the work item is that a client of UPS-RS has created for the study."""
    where = {"vr": "SQ", "Value": [{"00081190": {"vr": "UR", "Value": [address]}}]}
    study = {"vr": "UI", "Value": [study_uid(phantom)]}
    item = {
        "00741000": {"vr": "CS", "Value": ["SCHEDULED"]},
        "00404021": {"vr": "SQ", "Value": [{"0020000D": study, "0040E025": where}]},
    }
    answer = requests.post(
        f"http://127.0.0.1:{node.web_port}/dicom-web/workitems?2.25.11",
        json=[item],
        headers={"Content-Type": "application/dicom+json"},
        timeout=30,
    )
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"]


def _archived(name: str, archive: Orthanc, *, marked: bool = False) -> Phantom:
    phantom = studies.phantom(name)
    for each in studies.marked(phantom) if marked else phantom.ct:
        archive.add(each)
    return phantom


def _completeness(report: Dataset) -> str:
    (line,) = [line for line in _texts(report) if "slices of the CT series were received" in line]
    return line


def _texts(item: Dataset) -> list[str]:
    own = [str(item.TextValue)] if "TextValue" in item else []
    return own + [text for each in item.get("ContentSequence", ()) for text in _texts(each)]
