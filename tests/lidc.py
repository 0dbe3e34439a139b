"""The real CT series beside the checkout, and annotations made from their readers' outlines.

`study("LIDC-IDRI-0001")` unpacks a series once into the system's temporary folder; where the data
is absent the test is skipped by name (or fails under TESTS_FORBID_SKIPS=1).  TESTS_LIDC names the
data's folder, ../shared/data by default.

    study = lidc.study("LIDC-IDRI-0003")
    seg = lidc.segmentation(study)                       # a segment a nodule, half of the readers
    sr = lidc.measurement_report(study)                  # closed POLYLINEs on the slices
    sr = lidc.measurement_report(study, form="scoord3d") # POLYGONs in LPS mm
    sr = lidc.measurement_report(study, form="segments", segmentation=seg)
    ct = lidc.without_slices(study, 3)                   # the middle of nodule 1 is missing
    seg = lidc.of_another_patient(seg)
"""

import os
import shutil
import tarfile
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import highdicom as hd
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pydicom import Dataset, dcmread

from tests import synthetic
from tests.required import unavailable

ARCHIVES = {
    "LIDC-IDRI-0001": "LIDC-IDRI-0001_ct_133slices_xml.tar.xz",
    "LIDC-IDRI-0003": "LIDC-IDRI-0003_ct_140slices_xml.tar.xz",
    "LIDC-IDRI-0023": "LIDC-IDRI-0023_ct_101slices.tar.xz",
}
LYING_SEGMENTATION = "LIDC-IDRI-0001_nodule_SEG.dcm"
SAME_NODULE_VOXELS = 8.0
_XML = {"n": "http://www.nih.gov"}

Outline = NDArray[np.int64]
"""(N, 2) as (column, row): the first pixels outside of the nodule, 0-based."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One reader's outlines of one nodule: (slice number ascending z, outline)."""

    outlines: tuple[tuple[int, Outline], ...]
    malignancy: int

    @property
    def centre_index(self) -> tuple[float, float, float]:
        """(z, row, column): the mean of the outlines' points, as pylidc has it."""
        points = np.concatenate(
            [np.column_stack([np.full(len(o), z), o[:, 1], o[:, 0]]) for z, o in self.outlines]
        )
        z, row, column = points.mean(axis=0).tolist()
        return z, row, column


@dataclass(frozen=True, kw_only=True)
class LidcNodule:
    """One nodule and what each of its readers drew; `number` counts from 1, by ascending z."""

    number: int
    readings: tuple[Reading, ...]

    @property
    def centre_index(self) -> tuple[float, float, float]:
        """(z, row, column): the readers' mean."""
        z, row, column = np.mean([r.centre_index for r in self.readings], axis=0).tolist()
        return z, row, column

    @property
    def middle_reading(self) -> Reading:
        """The reader whose centre is nearest the mean."""
        return min(
            self.readings,
            key=lambda r: float(np.linalg.norm(np.subtract(r.centre_index, self.centre_index))),
        )

    @property
    def tracking_uid(self) -> str:
        return synthetic.uid("lidc nodule", self.number)

    @property
    def tracking_id(self) -> str:
        return f"Nodule {self.number}"


@dataclass(frozen=True, kw_only=True)
class LidcStudy:
    """A series: its files and their headers by ascending z, and the nodules of 3 mm and more."""

    name: str
    ct: list[Path]
    headers: list[Dataset]
    nodules: list[LidcNodule]

    def mask(self, nodule: LidcNodule) -> NDArray[np.bool_]:
        """(Z, Y, X): voxels that at least half of the nodule's readers have inside."""
        votes = np.zeros((len(self.ct), self.headers[0].Rows, self.headers[0].Columns), np.uint8)
        for reading in nodule.readings:
            for z, outline in reading.outlines:
                votes[z] += _inside(outline, votes.shape[1:])
        return votes * 2 >= len(nodule.readings)


def data_directory() -> Path:
    """Where the real data lies."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    return Path(os.environ.get("TESTS_LIDC") or beside)


def lying_segmentation() -> Path:
    """A real SEG of LIDC-IDRI-0001 whose frames do not stand in its CT."""
    return _needed(data_directory() / "lidc-dicom" / LYING_SEGMENTATION)


@cache
def study(name: str) -> LidcStudy:
    """The study, unpacked; 0023 comes without its readers' outlines."""
    folder = _unpacked(_needed(data_directory() / "lidc-dicom" / ARCHIVES[name]))
    files = sorted(folder.rglob("*.dcm"))
    headers = {path: dcmread(path, stop_before_pixels=True) for path in files}
    ct = sorted(files, key=lambda path: float(headers[path].ImagePositionPatient[2]))
    xml = next(folder.rglob("*.xml"), None)
    slices = {str(headers[path].SOPInstanceUID): z for z, path in enumerate(ct)}
    return LidcStudy(
        name=name,
        ct=ct,
        headers=[headers[path] for path in ct],
        nodules=_nodules(xml, slices) if xml else [],
    )


def segmentation(
    lidc: LidcStudy,
    *,
    name: str = "lidc seg",
    tracking: bool = True,
    fractional: bool = False,
) -> Dataset:
    """A right SEG of all nodules, one segment each, that refers to the slices it was drawn on."""
    masks = [lidc.mask(nodule) for nodule in lidc.nodules]
    return synthetic.segmentation(
        lidc.headers,
        [mask.astype(np.float64) for mask in masks] if fractional else masks,
        name=f"{lidc.name} {name}",
        tracking_uids=[n.tracking_uid if tracking else None for n in lidc.nodules],
        fractional=fractional,
    )


def measurement_report(
    lidc: LidcStudy,
    *,
    form: Literal["scoord", "scoord3d", "segments"] = "scoord",
    name: str = "lidc sr",
    segmentation: Dataset | None = None,
) -> Dataset:
    """A TID 1500 report with one measurement group per nodule, outlined by its middle reader.

    form : "segments" refers to the segments of `segmentation` instead of drawing
    """
    groups = []
    evidence: dict[str, Dataset] = {}
    for nodule in lidc.nodules:
        tracking = {
            "tracking_identifier": hd.sr.TrackingIdentifier(
                uid=nodule.tracking_uid, identifier=nodule.tracking_id
            ),
            "finding_type": synthetic.codes.SCT.Nodule,
        }
        outlines = nodule.middle_reading.outlines
        images = [lidc.headers[z] for z, _ in outlines]
        evidence |= {str(image.SOPInstanceUID): image for image in images}
        if form == "scoord":
            shape = {
                "referenced_regions": [
                    synthetic.scoord(lidc.headers[z], "POLYLINE", _closed(outline) + 0.5)
                    for z, outline in outlines
                ]
            }
        elif form == "scoord3d":
            shape = {"referenced_volume_surface": _surface(lidc, outlines, images)}
        else:
            assert segmentation is not None, "the form 'segments' needs a segmentation"
            evidence[str(segmentation.SOPInstanceUID)] = segmentation
            shape = {
                "referenced_segment": hd.sr.ReferencedSegment(
                    sop_class_uid=segmentation.SOPClassUID,
                    sop_instance_uid=segmentation.SOPInstanceUID,
                    segment_number=nodule.number,
                    source_images=[
                        hd.sr.SourceImageForSegmentation(image.SOPClassUID, image.SOPInstanceUID)
                        for image in images
                    ],
                )
            }
        groups.append(hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(**tracking, **shape))
    return synthetic.measurement_report(
        lidc.headers, groups, name=f"{lidc.name} {name}", evidence=list(evidence.values())
    )


def without_slices(lidc: LidcStudy, count: int) -> list[Path]:
    """The series without `count` slices through the middle of its first nodule."""
    middle = round(lidc.nodules[0].centre_index[0])
    first = middle - count // 2
    return [path for z, path in enumerate(lidc.ct) if not first <= z < first + count]


def of_another_patient(dataset: Dataset) -> Dataset:
    """A copy that belongs to another patient, in the same study and frame of reference."""
    other = deepcopy(dataset)
    other.PatientID, other.PatientName = "ANOTHER-1", "Another^Patient"
    other.SOPInstanceUID = synthetic.uid("another", str(dataset.SOPInstanceUID))
    other.SeriesInstanceUID = synthetic.uid("another", str(dataset.SeriesInstanceUID))
    other.file_meta.MediaStorageSOPInstanceUID = other.SOPInstanceUID
    return other


def _surface(
    lidc: LidcStudy, outlines: Sequence[tuple[int, Outline]], images: Sequence[Dataset]
) -> hd.sr.VolumeSurface:
    polygons = []
    for z, outline in outlines:
        header = lidc.headers[z]
        origin = np.array(header.ImagePositionPatient, dtype=np.float64)
        rows_apart, columns_apart = (float(mm) for mm in header.PixelSpacing)
        closed = _closed(outline)
        points = origin + np.column_stack(
            [closed[:, 0] * columns_apart, closed[:, 1] * rows_apart, np.zeros(len(closed))]
        )
        polygons.append(points)
    return hd.sr.VolumeSurface(
        graphic_type="POLYGON",
        graphic_data=polygons,
        frame_of_reference_uid=lidc.headers[0].FrameOfReferenceUID,
        source_images=[
            hd.sr.SourceImageForSegmentation(image.SOPClassUID, image.SOPInstanceUID)
            for image in images
        ],
    )


def _closed(outline: Outline) -> Outline:
    if np.array_equal(outline[0], outline[-1]):
        return outline
    return np.concatenate([outline, outline[:1]])


def _inside(outline: Outline, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Pixels within the outline, which runs outside of the nodule; a point is its own pixel."""
    image = Image.new("1", (shape[1], shape[0]))
    points = [(int(x), int(y)) for x, y in outline]
    ImageDraw.Draw(image).polygon(points, fill=1, outline=1)
    filled = np.array(image, dtype=np.uint8)
    if len(points) > 2:
        filled[outline[:, 1], outline[:, 0]] = 0
    return filled


def _nodules(xml: Path, slices: dict[str, int]) -> list[LidcNodule]:
    clusters: list[list[Reading]] = []
    for session in ET.parse(xml).getroot().findall("n:readingSession", _XML):
        for marked in session.findall("n:unblindedReadNodule", _XML):
            reading = _reading(marked, slices)
            if reading is None:
                continue
            near = [
                cluster
                for cluster in clusters
                if np.linalg.norm(np.subtract(cluster[0].centre_index, reading.centre_index))
                < SAME_NODULE_VOXELS
            ]
            near[0].append(reading) if near else clusters.append([reading])
    clusters.sort(key=lambda cluster: np.mean([r.centre_index[0] for r in cluster]))
    return [
        LidcNodule(number=number, readings=tuple(cluster))
        for number, cluster in enumerate(clusters, start=1)
    ]


def _reading(marked: ET.Element, slices: dict[str, int]) -> Reading | None:
    """None for a nodule under 3 mm, which is one point without characteristics."""
    malignancy = marked.findtext(".//n:malignancy", None, _XML)
    if malignancy is None:
        return None
    outlines = []
    for roi in marked.findall("n:roi", _XML):
        uid = roi.findtext("n:imageSOP_UID", "", _XML).strip()
        points = [
            (int(p.findtext("n:xCoord", "", _XML)), int(p.findtext("n:yCoord", "", _XML)))
            for p in roi.findall("n:edgeMap", _XML)
        ]
        outlines.append((slices[uid], np.array(points, dtype=np.int64)))
    if sum(len(outline) for _, outline in outlines) < 3:
        return None
    return Reading(outlines=tuple(sorted(outlines, key=lambda o: o[0])), malignancy=int(malignancy))


def _needed(path: Path) -> Path:
    if not path.exists():
        unavailable(f"{path.name} is not in {path.parent}: set TESTS_LIDC to the data's folder")
    return path


def _unpacked(archive: Path) -> Path:
    """The archive's folder; processes that unpack at once end with one whole folder."""
    stat = archive.stat()
    key = f"{archive.name.removesuffix('.tar.xz')}-{stat.st_size}-{int(stat.st_mtime)}"
    folder = Path(tempfile.gettempdir()) / f"m3node-lidc-{os.getuid()}" / key
    if not folder.exists():
        folder.parent.mkdir(exist_ok=True, mode=0o700)
        part = Path(tempfile.mkdtemp(dir=folder.parent))
        with tarfile.open(archive) as tar:
            tar.extractall(part, filter="data")
        try:
            part.rename(folder)
        except OSError:  # another process was faster
            shutil.rmtree(part)
    return folder
