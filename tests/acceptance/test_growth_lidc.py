"""A real chest twice through the node: what is known to have grown is told, and nothing else.

No pair of real scans is at hand.  So the earlier CT is made of the later one: the patient lies
turned and a hand away, breathes otherwise, the scanner has other pixels and noise of its own; and
the mark in it is the later one's, made smaller about its centre.
"""

from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from scipy import ndimage

from m3net.ct.series import read_series_files
from m3net.weights import load_classifier
from node.config import ReceiverConfig, WorkerConfig
from node.core.completeness import StudyRules, WhenUnannotated
from node.core.results import ArtifactKind
from node.inbound.intake import Intake
from node.inbound.reading import Reading
from node.persistence.rows import DeliveryLease, JobTerms, Outbox
from node.persistence.spool import Spool
from node.persistence.store import Store, open_store
from node.work.planner import Planner
from node.work.worker import Analyst, Worker
from tests import lidc, synthetic, validators
from tests.node.core.test_pipeline import SETTINGS
from tests.taken_in import take_in

pytestmark = [pytest.mark.soak, pytest.mark.lidc, pytest.mark.timeout(900)]

NOW = datetime(2026, 1, 2, tzinfo=UTC)
DAY = datetime(1999, 7, 1)
"""Of the earlier CT."""
TURNED_DEG, SHIFT_MM = 7.0, (24.0, -18.0, 130.0)
PIXEL_MM, SIZE = 0.8, 448
SMALLER = 0.8
"""In each direction: the volume was 0.512 of today's."""


def there_from(volume_shape_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """(4, 4), where the patient lies later -> where the patient lay, LPS mm."""
    angle = np.deg2rad(TURNED_DEG)
    there = np.eye(4)
    there[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    there[:3, 3] = volume_shape_mm + SHIFT_MM - there[:3, :3] @ volume_shape_mm
    return there


def breathing(index: NDArray[np.float32], spacing_mm: NDArray[np.float64]) -> NDArray[np.float32]:
    """The places (3, ...) as they move by a breath: up to 8 mm at the bottom, none at the top."""
    z, y, x = index
    depth = np.clip(1 - z * spacing_mm[0] / 300, 0, 1)
    return np.stack(
        [
            z + 8 / spacing_mm[0] * depth * (1 + 0.3 * np.sin(x * spacing_mm[2] / 40)),
            y - 3 / spacing_mm[1] * depth,
            x,
        ]
    ).astype(np.float32)


@dataclass(frozen=True)
class Earlier:
    """The CT of half a year before with its segmentation, and how large each mark in it is."""

    objects: list[Dataset]
    volumes_mm3: list[float]


def earlier(study: lidc.LidcStudy) -> Earlier:
    """Made of today's, one segment a nodule."""
    volume = read_series_files(study.ct)
    spacing = np.array(volume.spacing_mm)
    middle = volume.to_mm((np.array(volume.shape) - 1) / 2)
    there = there_from(middle)
    affine = np.zeros((4, 4))
    affine[[2, 1, 0], [0, 1, 2]] = (spacing[0], PIXEL_MM, PIXEL_MM)
    size = (volume.shape[0], SIZE, SIZE)
    centre = (there @ [*middle, 1])[:3]
    affine[:3, 3] = centre - affine[:3, :3] @ ((np.array(size) - 1) / 2)
    affine[3, 3] = 1
    back = np.linalg.inv(volume.affine) @ np.linalg.inv(there) @ affine
    noise = np.random.default_rng(7)
    masks = [study.mask(nodule) for nodule in study.nodules]
    small = [np.zeros(size, dtype=bool) for _ in masks]
    slices = []
    for k in range(size[0]):
        plane = np.indices((1, SIZE, SIZE), dtype=np.float32)
        plane[0] += k
        index = np.tensordot(back[:3, :3], plane, axes=1) + back[:3, 3][:, None, None, None]
        index = breathing(index, spacing)
        hu = ndimage.map_coordinates(
            volume.hu, index, order=1, output=np.float32, mode="constant", cval=-1000
        )[0]
        hu += noise.normal(0, 20, hu.shape)
        for mask, into in zip(masks, small, strict=True):
            about = np.argwhere(mask).mean(axis=0)[:, None, None, None]
            inner = about + (index - about) / SMALLER
            into[k] = ndimage.map_coordinates(mask.astype(np.uint8), inner, order=0)[0]
        slices.append(_slice(study.headers[k], hu, affine, k))
    seg = synthetic.segmentation(slices, small, name=f"{study.name} earlier", tracking_uids=None)
    voxel_mm3 = float(np.prod((spacing[0], PIXEL_MM, PIXEL_MM)))
    return Earlier([*slices, seg], [float(mask.sum()) * voxel_mm3 for mask in small])


def _slice(
    header: Dataset, hu: NDArray[np.float32], affine: NDArray[np.float64], k: int
) -> Dataset:
    ds = deepcopy(header)
    ds.StudyInstanceUID = synthetic.uid("earlier", str(header.StudyInstanceUID))
    ds.SeriesInstanceUID = synthetic.uid("earlier", str(header.SeriesInstanceUID))
    ds.SOPInstanceUID = synthetic.uid("earlier", str(header.SOPInstanceUID))
    ds.FrameOfReferenceUID = synthetic.uid("earlier", str(header.FrameOfReferenceUID))
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    for keyword in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"):
        setattr(ds, keyword, f"{DAY:%Y%m%d}")
    ds.AccessionNumber = "EARLIER"
    ds.Rows = ds.Columns = SIZE
    ds.PixelSpacing = [PIXEL_MM, PIXEL_MM]
    ds.ImagePositionPatient = [f"{mm:.6f}" for mm in (affine @ [k, 0, 0, 1])[:3]]
    ds.RescaleIntercept, ds.RescaleSlope = "-1024", "1"
    ds.PixelRepresentation, ds.BitsAllocated, ds.BitsStored, ds.HighBit = 0, 16, 12, 11
    for keyword in ("PixelPaddingValue", "SmallestImagePixelValue", "LargestImagePixelValue"):
        ds.pop(keyword, None)
    ds.PixelData = np.clip(np.rint(hu) + 1024, 0, 4095).astype(np.uint16).tobytes()
    ds["PixelData"].VR = "OW"
    return ds


@pytest.mark.peers
@pytest.mark.parametrize("name", ["LIDC-IDRI-0001", "LIDC-IDRI-0003"])
def test_a_real_chest_half_a_year_later(tmp_path: Path, name: str) -> None:
    study = lidc.study(name)
    before = earlier(study)
    today = [*map(dcmread, study.ct), lidc.segmentation(study, tracking=False)]
    store = open_store(f"sqlite:///{tmp_path / 'm3node.sqlite'}")
    spool = Spool(tmp_path / "spool")
    intake = Intake(spool=spool, store=store, min_free_bytes=0, clock=lambda: NOW)
    worker = Worker(
        WorkerConfig(),
        store=store,
        spool=spool,
        analyst=Analyst(classifier=load_classifier("default", device="cpu"), settings=SETTINGS),
        outbox=Outbox(destinations=["pacs"], max_attempts=3),
        compares=True,
        clock=lambda: NOW,
    )
    for objects in (before.objects, today):
        for dataset in objects:
            take_in(intake, dataset)
        reading = Reading(store, spool, config=ReceiverConfig())
        reading.read(within_s=600)
        rules = StudyRules(quiet_period_s=0, max_wait_s=0, when_unannotated=WhenUnannotated.WAIT)
        terms = JobTerms(analysis_id="analysis", max_attempts=2)
        assert len(Planner(store, reading, rules=rules, terms=terms).plan(NOW)) == 1
        assert worker.work_one()

    job = store.list_jobs()[0]
    days = (datetime.strptime(study.headers[0].StudyDate, "%Y%m%d") - DAY).days
    told = {
        nodule["tracking_id"]: (nodule["measurements"]["volume_mm3"], nodule["growth"])
        for nodule in job.summary["nodules"]
    }
    assert sorted(told) == [nodule.tracking_id for nodule in study.nodules]
    for nodule, then_mm3 in zip(study.nodules, before.volumes_mm3, strict=True):
        now_mm3, growth = told[nodule.tracking_id]
        assert (growth["on"], growth["days"]) == ("1999-07-01", days)
        assert growth["volume_mm3"] == pytest.approx(then_mm3)
        assert growth["change_percent"] == pytest.approx(100 * (now_mm3 / then_mm3 - 1))
        assert growth["change_percent"] == pytest.approx(95, abs=45)  # 1 / 0.8 ** 3, in few voxels
        assert growth["doubling_days"] == pytest.approx(days / np.log2(now_mm3 / then_mm3))
    leases = [_sent(store), _sent(store)]
    (path,) = [
        spool.locate(artifact.path)
        for lease in leases
        if lease.job_id == job.job_id
        for artifact in lease.artifacts
        if artifact.kind is ArtifactKind.REPORT
    ]
    assert validators.dciodvfy(path) == []
    store.close()


def _sent(store: Store) -> DeliveryLease:
    lease = store.claim_delivery(destination="pacs", owner="test:1:1", lease_s=30, now=NOW)
    assert lease is not None
    store.finish_delivery(lease, now=NOW)
    return lease
