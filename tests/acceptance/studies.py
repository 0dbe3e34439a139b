"""Studies for the acceptance tests: small phantoms, and what goes wrong with real ones."""

from collections.abc import Sequence
from copy import deepcopy

import numpy as np
from pydicom import Dataset
from pydicom.uid import (
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
    XRayRadiationDoseSRStorage,
)
from scipy import ndimage

from node.demo.annotations import segmentation
from node.demo.phantom import (
    Phantom,
    Subject,
    chest_phantom,
    ct_series,
    header,
    phantom_uid,
    place_plane,
    set_pixels,
)
from tests import encodings

NODULE = "Nodule 3"
"""Spiculated, 21 mm, at (-82, 34, -140) mm: slice 32 of 60."""


def phantom(name: str, *, slices: int = 60) -> Phantom:
    """The phantom as the study `name`; 128 x 128, over 300 mm."""
    subject = Subject(study=name, patient_id=f"PHANTOM-{name}", accession_number=f"A-{name}"[:16])
    return chest_phantom(size=128, slices=slices, subject=subject)


def study_uid(of: Phantom) -> str:
    return of.subject.study_instance_uid


def marked(of: Phantom, *tracking_ids: str) -> list[Dataset]:
    """The CT and a SEG of the named nodules."""
    return [*of.ct, segmentation(of, tracking_ids or (NODULE,))]


def renamed(datasets: Sequence[Dataset], patient_name: str) -> list[Dataset]:
    """The same objects under the same UIDs, the patient's name corrected."""
    copies = [deepcopy(ds) for ds in datasets]
    for ds in copies:
        ds.PatientName = patient_name
    return copies


def of_another_patient(dataset: Dataset) -> Dataset:
    """The same annotation, said to be another patient's."""
    other = deepcopy(dataset)
    other.PatientID, other.PatientName = "PHANTOM-OTHER", "PHANTOM^OTHER"
    return other


def structure_set(of: Phantom, *, roi: str) -> Dataset:
    """An RT Structure Set whose one ROI, of that name, is the outline of nodule 3."""
    (nodule,) = (each for each in of.nodules if each.tracking_id == NODULE)
    contours = [
        encodings.Contour(points_mm=encodings.to_mm(image, border), image=image)
        for image, drawn in zip(of.ct, of.mask(nodule), strict=True)
        for border in encodings.borders(drawn)
    ]
    return encodings.structure_set(of.ct, [encodings.ROI(name=roi, contours=contours)])


def soft_kernel(of: Phantom) -> list[Dataset]:
    """The same chest again as a scanner's second reconstruction: smooth, same geometry."""
    smooth = ndimage.gaussian_filter(of.clean, (0, 1, 1))
    return ct_series(
        smooth, of.grid, of.subject, number=3, series_description="CHEST SOFT", kernel="SOFT"
    )


def scout(of: Phantom) -> Dataset:
    """A frontal localizer."""
    ds = _image(of, "scout", number=1, description="SCOUT")
    side = of.grid.size
    place_plane(
        ds,
        position_mm=(-180, 0, 0),
        orientation=(1, 0, 0, 0, 0, -1),
        spacing_mm=(300 / side, 360 / side),
    )
    ds.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    ds.SliceThickness = "300"
    set_pixels(ds, np.full((side, side), 900, np.uint16))
    return ds


def coronal_reformat(of: Phantom) -> list[Dataset]:
    """Coronal slices through the same chest, as a series of its own."""
    stored = np.clip(np.rint(of.clean) + 1024, 0, 4095).astype(np.uint16)
    grid, datasets = of.grid, []
    for row in range(0, grid.size, 8):
        ds = _image(of, f"coronal {row}", number=4, description="CHEST COR")
        place_plane(
            ds,
            position_mm=(float(grid.x_mm[0]), float(grid.x_mm[row]), float(grid.z_mm[-1])),
            orientation=(1, 0, 0, 0, 0, -1),
            spacing_mm=(grid.slice_mm, grid.pixel_mm),
        )
        ds.ImageType = ["DERIVED", "SECONDARY", "REFORMATTED"]
        ds.SliceThickness = f"{8 * grid.pixel_mm:g}"
        ds.InstanceNumber = row // 8 + 1
        set_pixels(ds, np.ascontiguousarray(stored[::-1, row, :]))
        datasets.append(ds)
    return datasets


def dose_report(of: Phantom) -> Dataset:
    """A radiation dose SR, empty but for its title."""
    ds = header(
        of.subject,
        sop_class_uid=XRayRadiationDoseSRStorage,
        sop_instance_uid=phantom_uid(study_uid(of), "dose"),
        series_instance_uid=phantom_uid(study_uid(of), "dose series"),
        series_number=99,
        modality="SR",
    )
    title = Dataset()
    title.CodeValue, title.CodingSchemeDesignator = "113701", "DCM"
    title.CodeMeaning = "X-Ray Radiation Dose Report"
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence, ds.ContentSequence = [title], []
    ds.CompletionFlag, ds.VerificationFlag = "COMPLETE", "UNVERIFIED"
    return ds


COMPRESSIONS = {
    "JPEG-LS": JPEGLSLossless,
    "JPEG 2000": JPEG2000Lossless,
    "RLE": RLELossless,
}
"""Those that pydicom encodes; JPEG lossless is dcmtk's."""


def compressed(dataset: Dataset, transfer_syntax_uid: str) -> Dataset:
    """The same slice, its pixels encoded without loss, under the same UIDs."""
    copy = deepcopy(dataset)
    copy.compress(transfer_syntax_uid, generate_instance_uid=False)
    return copy


def _image(of: Phantom, name: str, *, number: int, description: str) -> Dataset:
    ds = header(
        of.subject,
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        sop_instance_uid=phantom_uid(study_uid(of), name),
        series_instance_uid=phantom_uid(study_uid(of), "series", str(number)),
        series_number=number,
    )
    ds.SeriesDescription, ds.InstanceNumber = description, 1
    return ds
