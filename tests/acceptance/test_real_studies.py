"""LIDC-IDRI-0001 and 0003, marked as their readers marked them, to every kind of destination."""

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from m3net.uids import FrameKey
from node.demo.reading import read_report
from tests import lidc, validators
from tests.acceptance.bed import Bed, bed
from tests.peers import orthanc, storescp

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.lidc,
    pytest.mark.peers,
    pytest.mark.timeout(600),
]

_DESTINATIONS = """
[[destinations]]
name = "storescp"
kind = "dimse"
host = "127.0.0.1"
port = {storescp}
ae_title = "STORESCP"

[[destinations]]
name = "orthanc"
kind = "dimse"
host = "127.0.0.1"
port = {orthanc}
ae_title = "ORTHANC"

[[destinations]]
name = "web"
kind = "dicomweb"
url = "{web}"
"""

READERS_MEAN = (89.66, 366.80, 315.98)
"""Slice (ascending z), row, column of the nodule of LIDC-IDRI-0001, 0-based."""


def test_0001_is_judged_where_its_readers_drew_and_arrives_everywhere(
    tmp_path: Path, lidc_0001: lidc.LidcStudy
):
    seg = lidc.segmentation(lidc_0001)
    uid = str(seg.StudyInstanceUID)
    with ExitStack() as stack:
        peer = stack.enter_context(storescp(tmp_path))
        first, web = (
            stack.enter_context(orthanc(_folder(tmp_path, name))) for name in ("dimse", "web")
        )
        node = stack.enter_context(
            bed(
                _folder(tmp_path, "bed"),
                more_destinations=_DESTINATIONS.format(
                    storescp=peer.port, orthanc=first.dicom_port, web=web.dicomweb_url
                ),
            )
        )
        node.start()
        node.send([*lidc_0001.ct, seg])
        node.wait_for_reports(uid)
        shown = node.settle(uid)
        assert [d["state"] for d in shown["deliveries"]] == ["done"] * 4

        (nodule,) = shown["job_list"][0]["summary"]["nodules"]
        centroid = np.argwhere(lidc_0001.mask(lidc_0001.nodules[0])).mean(axis=0)
        assert nodule["centre_index"] == pytest.approx(centroid.tolist(), abs=0.01)
        assert nodule["centre_index"] == pytest.approx(READERS_MEAN, abs=1.0)
        assert nodule["tracking_uid"] == lidc_0001.nodules[0].tracking_uid

        assert sorted(ds.Modality for ds in peer.received()) == ["OT", "SR"]
        expected = {str(ds.SOPInstanceUID) for ds in peer.received()}
        assert first.sop_instance_uids() == expected
        assert web.sop_instance_uids() == expected
        for path in peer.files():
            assert validators.dciodvfy(path) == []
            if dcmread(path, stop_before_pixels=True).Modality == "SR":
                validators.pixelmed_sr(path)
                assert "1 of 1 nodule analysed" in validators.dsrdump(path)


def test_0003_has_its_four_nodules_and_their_tracking_uids(node: Bed, lidc_0003: lidc.LidcStudy):
    report = lidc.measurement_report(lidc_0003)
    uid = str(report.StudyInstanceUID)
    node.send([*lidc_0003.ct, report])
    (result,) = node.wait_for_reports(uid)
    headers = {FrameKey(ds.SOPInstanceUID): ds for ds in lidc_0003.headers}
    read = read_report(result, headers)
    assert read.headline == "UNTRAINED, NOT A RESULT. 4 of 4 nodules analysed."
    assert [n.tracking_uid for n in read.nodules] == [n.tracking_uid for n in lidc_0003.nodules]
    found = node.settle(uid)["job_list"][0]["summary"]["nodules"]
    for nodule, truth in zip(found, lidc_0003.nodules, strict=True):
        assert nodule["centre_index"] == pytest.approx(truth.centre_index, abs=1.5)
    assert len(node.captures(uid)) == 5  # one a nodule, and one of all of them


def test_the_segmentation_that_lies_is_refused_with_one_reason_everywhere(
    node: Bed, lidc_0001: lidc.LidcStudy
):
    lie = lidc.lying_segmentation()
    uid = str(dcmread(lie, stop_before_pixels=True).StudyInstanceUID)
    node.send([*lidc_0001.ct, lie])
    (result,) = node.wait_for_reports(uid)
    read = read_report(result, {})
    assert read.headline.startswith("Not analysed: ")
    assert [n.probability for n in read.nodules] == [None] * len(read.nodules)
    assert not node.captures(uid)
    reason = read.headline.removeprefix("Not analysed: ").rstrip(".")
    assert reason in node.cli("why", uid)


def _folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    return folder
