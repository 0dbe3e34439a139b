"""One heat map as numbers: a Parametric Map of 32 bit floats (PS3.3 A.75), for research PACS.

It lies on the patch's own grid, in the CT's frame of reference: each frame is one plane of the
patch, placed in LPS mm, so that a viewer lays it over the CT without being told anything.  A value
is the map's share of its greatest value in this patch, in [0, 1]; its quantity is coded as
(130403, DCM, "Gradient-weighted class activation").  Maps of two patches are not comparable.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import highdicom as hd
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import UID, CTImageStorage, ParametricMapStorage

from sr_templates import codes
from sr_templates.envelope import (
    RESEARCH_USE,
    evidence_items,
    finish,
    long_string,
    new_object,
    reference,
)
from sr_templates.findings import Algorithm, ObjectIdentity
from sr_templates.identity import IDENTITY_KEYWORDS
from sr_templates.probability import UNTRAINED
from sr_templates.uids import derive_uid

SERIES_DESCRIPTION = "AI nodule heat maps (research use)"
CONTENT_LABEL = "AI_HEAT_MAP"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatVolume:
    """One scale's map of one nodule.

    name      : of the nodule; must not name the patient
    scale     : "micro", "meso" or "macro"
    method    : how the map is made, by its name in the literature
    values    : (D, H, W) float32 in [0, 1]
    affine    : (4, 4), index (z, y, x) -> LPS mm; its axes are at right angles
    frame_of_reference_uid : of these mm, the CT's
    has_depth : False where every plane shows the same map
    """

    name: str
    scale: str
    method: str
    values: NDArray[np.float32]
    affine: NDArray[np.float64]
    frame_of_reference_uid: str
    has_depth: bool


def build_parametric_map(
    heat: HeatVolume,
    *,
    sources: Sequence[Dataset],
    subject: Dataset,
    algorithm: Algorithm,
    identity: ObjectIdentity,
) -> Dataset:
    """The map as an object; the same arguments, the same bytes.

    sources : headers of the CT slices on which the nodule is shown, of one series
    """
    made = new_object(
        sop_class_uid=ParametricMapStorage,
        modality="OT",
        series_description=SERIES_DESCRIPTION,
        subject=subject,
        algorithm=algorithm,
        identity=identity,
    )
    for element in _drawn(heat, sources[0], algorithm, identity):
        if element.tag not in made and element.keyword not in _OURS:
            made.add(element)
    made.BodyPartExamined = "CHEST"
    made.ImageComments = long_string(_in_words(heat, algorithm), limit=10240)
    _refer(made, sources)
    _make_repeatable(made, identity)
    finish(made)
    return made


_OURS = frozenset((*IDENTITY_KEYWORDS, "SpecificCharacterSet"))


def _drawn(
    heat: HeatVolume, source: Dataset, algorithm: Algorithm, identity: ObjectIdentity
) -> Dataset:
    """What highdicom makes of the grid and the numbers."""
    volume = hd.Volume(
        array=np.nan_to_num(heat.values, nan=0.0).astype(np.float32),
        affine=heat.affine,
        coordinate_system="PATIENT",
        frame_of_reference_uid=heat.frame_of_reference_uid,
    )
    made: Dataset = hd.pm.ParametricMap(
        source_images=[_stand_in(source, volume)],
        pixel_array=volume,
        series_instance_uid=identity.series_instance_uid,
        series_number=identity.series_number,
        sop_instance_uid=identity.sop_instance_uid,
        instance_number=identity.instance_number,
        manufacturer=long_string(algorithm.manufacturer),
        manufacturer_model_name=long_string(algorithm.device_model),
        software_versions=long_string(algorithm.software_version),
        device_serial_number=long_string(algorithm.device_serial),
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[_mapping(algorithm)],
        voi_lut_transformations=[hd.VOILUTTransformation(window_center=0.5, window_width=1.0)],
        content_label=CONTENT_LABEL,
        content_description=long_string(_in_words(heat, algorithm)),
        content_creator_name=f"{algorithm.device_model}^",
        derivation=codes.CLASS_ACTIVATION,
    )
    return made


def _stand_in(source: Dataset, volume: hd.Volume) -> Dataset:
    """An image of the map's own geometry that stands for the CT.

    highdicom asks a source for much that a CT may lack, and looks into texts that are none of its
    business: whatever is said of the CT is said by us.
    """
    image = Dataset()
    image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, source.SOPInstanceUID
    image.StudyInstanceUID = source.StudyInstanceUID
    image.SeriesInstanceUID = source.SeriesInstanceUID
    image.FrameOfReferenceUID = volume.frame_of_reference_uid
    image.Modality, image.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    image.Rows, image.Columns = volume.spatial_shape[1:]
    for keyword in (
        "PatientID",
        "PatientName",
        "PatientBirthDate",
        "PatientSex",
        "StudyID",
        "StudyDate",
        "StudyTime",
        "AccessionNumber",
        "ReferringPhysicianName",
    ):
        setattr(image, keyword, "")
    image.ImagePositionPatient = [float(value) for value in volume.position]
    image.ImageOrientationPatient = [
        float(value) for value in volume.get_plane_orientation()[0].ImageOrientationPatient
    ]
    image.PixelSpacing = [float(value) for value in volume.pixel_spacing]
    image.SliceThickness = float(volume.spacing_between_slices)
    return image


def _mapping(algorithm: Algorithm) -> hd.pm.RealWorldValueMapping:
    return hd.pm.RealWorldValueMapping(
        lut_label="HEAT" if algorithm.trained else "UNTRAINED",
        lut_explanation="share of the patch's greatest value",
        unit=codes.NO_UNITS,
        value_range=(0.0, 1.0),
        slope=1.0,
        intercept=0.0,
        quantity_definition=codes.CLASS_ACTIVATION,
    )


def _in_words(heat: HeatVolume, algorithm: Algorithm) -> str:
    warning = "" if algorithm.trained else f"{UNTRAINED}: "
    depth = "" if heat.has_depth else ", the same on every plane"
    return f"{warning}{heat.name}, {heat.method} at scale {heat.scale}{depth}. {RESEARCH_USE}"


def _refer(made: Dataset, sources: Sequence[Dataset]) -> None:
    """Every CT image that is meant: Common Instance Reference (PS3.3 C.12.2), source images."""
    (study,) = evidence_items(sources)
    series_items = study.ReferencedSeriesSequence
    for series in series_items:
        series.ReferencedInstanceSequence = series.ReferencedSOPSequence
        del series.ReferencedSOPSequence
    made.ReferencedSeriesSequence = series_items
    made.SourceImageSequence = [
        reference(source) for source in {str(s.SOPInstanceUID): s for s in sources}.values()
    ]


def _make_repeatable(made: Dataset, identity: ObjectIdentity) -> None:
    """What highdicom draws at random is derived."""
    organization = UID(derive_uid("m3node", "dimensions", identity.sop_instance_uid))
    for item in (*made.DimensionOrganizationSequence, *made.DimensionIndexSequence):
        item.DimensionOrganizationUID = organization
