"""A chest phantom as a CT study: nobody's images, with nodules whose places are known to the mm.

`chest_phantom` makes the slices; `node.demo.annotations` marks the nodules on them.  The demo and
the tests stand on it, since no patient's images may travel with the program.
"""

import functools
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from node.demo import lesions
from node.demo.anatomy import add_noise, chest_hu
from node.demo.grid import FIELD_MM, Grid
from node.demo.lesions import Margin, PhantomNodule

__all__ = ["NODULES", "Grid", "Margin", "Phantom", "PhantomNodule", "chest_phantom", "ct_series"]

_NAMESPACE = uuid.UUID("6b1f5a34-3f0e-5c0e-9f5e-6d336e6f6465")


def phantom_uid(*parts: str) -> str:
    """A UID of the phantom's, derived from its parts: 2.25 and a name-based UUID (PS3.5 B.2)."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, json.dumps(parts)).int}"


def frame_of_reference_uid(study_instance_uid: str) -> str:
    """All images of one study stand in one frame."""
    return phantom_uid("frame of reference", study_instance_uid)


def _nodule(
    number: int, centre_mm: tuple[float, float, float], diameter_mm: float, margin: Margin
) -> PhantomNodule:
    return PhantomNodule(
        centre_mm=centre_mm,
        diameter_mm=diameter_mm,
        margin=margin,
        tracking_id=f"Nodule {number}",
        tracking_uid=phantom_uid("nodule", str(number)),
        seed=100 + number,
    )


NODULES: tuple[PhantomNodule, ...] = (
    _nodule(1, (-72.0, -14.0, -80.0), 9.0, Margin.SMOOTH),
    _nodule(2, (74.0, -22.0, -110.0), 16.0, Margin.LOBULATED),
    _nodule(3, (-82.0, 34.0, -140.0), 21.0, Margin.SPICULATED),
    _nodule(4, (84.0, 36.0, -185.0), 18.0, Margin.PART_SOLID),
    _nodule(5, (-78.0, -44.0, -170.0), 14.0, Margin.GROUND_GLASS),
    _nodule(6, (66.0, 79.0, -150.0), 12.0, Margin.JUXTAPLEURAL),
)
"""LPS mm; the same in every phantom, however coarse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whose study it says it is.  `study` is any word: another word is another study."""

    study: str = "1"
    patient_name: str = "PHANTOM^CHEST"
    patient_id: str = "PHANTOM-1"
    accession_number: str = "PHANTOM-A1"
    at: datetime = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)

    @property
    def study_instance_uid(self) -> str:
        """Derived from `study` and the patient alone."""
        return phantom_uid("study", self.study, self.patient_id)

    @property
    def frame_of_reference_uid(self) -> str:
        """One per study."""
        return frame_of_reference_uid(self.study_instance_uid)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phantom:
    """The study's CT series, and the truth about it.

    ct    : one dataset a slice, ascending z, uncompressed, with file meta
    clean : (Z, Y, X) float32 HU before blur and noise, for further series of the same chest
    """

    ct: list[Dataset]
    nodules: tuple[PhantomNodule, ...]
    grid: Grid
    subject: Subject
    clean: NDArray[np.float32] = field(repr=False)

    def mask(self, nodule: PhantomNodule) -> NDArray[np.bool_]:
        """(Z, Y, X) the nodule's voxels."""
        return lesions.mask(nodule, self.grid)

    def slice_nearest(self, nodule: PhantomNodule) -> Dataset:
        """The slice that shows the nodule's centre."""
        return self.ct[int(np.argmin(np.abs(self.grid.z_mm - nodule.centre_mm[2])))]


def chest_phantom(
    *,
    size: int = 512,
    slices: int = 120,
    subject: Subject | None = None,
    nodules: Sequence[PhantomNodule] = NODULES,
    seed: int = 1,
) -> Phantom:
    """A chest CT of `size` x `size` x `slices` voxels over 360 x 360 x 300 mm.

    The whole chest is always there: fewer slices are farther apart.  120 slices of 512 take about
    ten seconds of one core, 60 of 128 well under one.
    """
    grid, subject = Grid(size=size, slices=slices), subject or Subject()
    clean, noisy = _volumes(grid, tuple(nodules), seed)
    ct = ct_series(noisy, grid, subject, number=2, series_description="CHEST LUNG", kernel="LUNG")
    return Phantom(ct=ct, nodules=tuple(nodules), grid=grid, subject=subject, clean=clean)


@functools.lru_cache(maxsize=1)  # the same chest under another subject costs nothing
def _volumes(
    grid: Grid, nodules: tuple[PhantomNodule, ...], seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    clean = chest_hu(grid, nodules, seed)
    return clean, add_noise(clean, grid, deviation_hu=20.0, sharp=True, seed=seed)


def ct_series(
    hu: NDArray[np.float32],
    grid: Grid,
    subject: Subject,
    *,
    number: int,
    series_description: str,
    kernel: str,
) -> list[Dataset]:
    """The volume (Z, Y, X) HU as CT Image Storage, one dataset a slice, ascending z."""
    stored = np.clip(np.rint(hu) + 1024, 0, 4095).astype(np.uint16)
    series = phantom_uid("series", subject.study, subject.patient_id, str(number), _name(grid))
    corner = -FIELD_MM / 2 + grid.pixel_mm / 2
    datasets: list[Dataset] = []
    for k, z in enumerate(grid.z_mm):
        ds = header(
            subject,
            sop_class_uid=CTImageStorage,
            sop_instance_uid=phantom_uid(series, str(k)),
            series_instance_uid=series,
            series_number=number,
        )
        ds.InstanceNumber = grid.slices - k
        ds.SeriesDescription = series_description
        ds.ConvolutionKernel = kernel
        ds.SliceThickness = f"{grid.slice_mm:g}"
        place_plane(
            ds,
            position_mm=(corner, corner, float(z)),
            orientation=(1, 0, 0, 0, 1, 0),
            spacing_mm=(grid.pixel_mm, grid.pixel_mm),
        )
        set_pixels(ds, stored[k])
        datasets.append(ds)
    return datasets


def header(
    subject: Subject,
    *,
    sop_class_uid: str,
    sop_instance_uid: str,
    series_instance_uid: str,
    series_number: int,
    modality: str = "CT",
) -> FileDataset:
    """Patient, study, series and equipment of a phantom object, with its file meta."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    ds = FileDataset("", {}, preamble=b"\0" * 128, file_meta=meta)
    date, time = subject.at.strftime("%Y%m%d"), subject.at.strftime("%H%M%S")
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class_uid, sop_instance_uid
    ds.StudyDate = ds.SeriesDate = ds.ContentDate = ds.AcquisitionDate = date
    ds.StudyTime = ds.SeriesTime = ds.ContentTime = ds.AcquisitionTime = time
    ds.TimezoneOffsetFromUTC = "+0000"
    ds.AccessionNumber = subject.accession_number
    ds.Modality = modality
    ds.Manufacturer, ds.ManufacturerModelName = "m3node", "Chest phantom"
    ds.DeviceSerialNumber, ds.SoftwareVersions = "1", "1"
    ds.InstitutionName = "Phantom hospital"
    ds.ReferringPhysicianName = ""
    ds.StudyDescription = "CT CHEST PHANTOM"
    ds.PatientName, ds.PatientID = subject.patient_name, subject.patient_id
    ds.PatientBirthDate, ds.PatientSex = "", "O"
    ds.BodyPartExamined = "CHEST"
    ds.StudyID = subject.study[:16]
    ds.StudyInstanceUID = subject.study_instance_uid
    ds.SeriesInstanceUID, ds.SeriesNumber = series_instance_uid, series_number
    return ds


def place_plane(
    ds: Dataset,
    *,
    position_mm: tuple[float, float, float],
    orientation: tuple[float, float, float, float, float, float],
    spacing_mm: tuple[float, float],
) -> None:
    """The dataset is a CT slice that lies there (Image Plane, Frame of Reference, CT Image)."""
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.FrameOfReferenceUID = frame_of_reference_uid(ds.StudyInstanceUID)
    ds.PositionReferenceIndicator = ""
    ds.PatientPosition = "HFS"
    ds.AcquisitionNumber = 1
    ds.KVP = "120"
    ds.ImagePositionPatient = [f"{value:.10g}" for value in position_mm]
    ds.ImageOrientationPatient = [f"{value:g}" for value in orientation]
    ds.PixelSpacing = [f"{value:.9g}" for value in spacing_mm]
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "-1024", "1", "HU"
    ds.WindowCenter, ds.WindowWidth = ["-500", "40"], ["1500", "400"]
    ds.WindowCenterWidthExplanation = ["LUNG", "SOFT TISSUE"]
    ds.IrradiationEventUID = phantom_uid("irradiation", ds.StudyInstanceUID)


def set_pixels(ds: Dataset, stored: NDArray[np.uint16]) -> None:
    """The dataset holds these stored values (Rows, Columns), 12 bit unsigned."""
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = stored.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PixelData = stored.tobytes()
    ds["PixelData"].VR = "OW"


def _name(grid: Grid) -> str:
    return f"{grid.size}x{grid.size}x{grid.slices}"
