"""Three studies that the node answers, each in its own way."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydicom import Dataset

from node.config.profiles import CompanionName, ProfileName
from tests import synthetic
from tests.acceptance import studies

Centre = tuple[float, float, float]

BEYOND_OURS = 3000566
"""The Series Number of a CT, as in LIDC-IDRI: above what results have as configured."""
SHAPE = (60, 24, 24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the node receives, and how it is set up.

    centres_mm : of the nodules that are marked, by tracking UID; LPS
    profile    : of both destinations
    companions : what these want besides; None: as the profile says
    """

    ct: Sequence[Dataset]
    annotation: Dataset
    centres_mm: Mapping[str, Centre]
    weights: Literal["default", "untrained"]
    profile: ProfileName
    companions: tuple[CompanionName, ...] | None = None


def judged() -> Given:
    """Two nodules of the phantom by the shipped weights; the richest form, and all companions."""
    phantom = studies.phantom("judged")
    for image in phantom.ct:
        image.SeriesNumber = BEYOND_OURS
    names = (studies.NODULE, "Nodule 1")
    *ct, segmentation = studies.marked(phantom, *names)
    return Given(
        ct=ct,
        annotation=segmentation,
        centres_mm={n.tracking_uid: n.centre_mm for n in phantom.nodules if n.tracking_id in names},
        weights="default",
        profile="ohif",
        companions=("presentation_state", "key_objects", "pdf", "parametric_map"),
    )


def untrained() -> Given:
    """A small CT, weights that know nothing; the poorest form, for old PACS."""
    ct = synthetic.ct_series(shape=SHAPE, study="untrained", patient_id="SYN-2")
    # 2.5 mm above -100, 0.7 mm a row from -20, 0.8 mm a column from -10.
    boxes = {
        (-4.0, -11.95, -47.5): (slice(20, 23), slice(10, 14), slice(6, 10)),
        (2.4, -11.95, 0.0): (slice(39, 42), slice(10, 14), slice(14, 18)),
    }
    masks = []
    for box in boxes.values():
        masks.append(np.zeros(SHAPE, bool))
        masks[-1][box] = True
    uids = [synthetic.uid("untrained mark", centre) for centre in boxes]
    return Given(
        ct=ct,
        annotation=synthetic.segmentation(ct, masks, name="untrained marks", tracking_uids=uids),
        centres_mm=dict(zip(uids, boxes, strict=True)),
        weights="untrained",
        profile="basic",
    )


def refused() -> Given:
    """A small CT and a segmentation whose frames say nothing of where they lie."""
    ct = synthetic.ct_series(shape=SHAPE, study="refused", patient_id="SYN-3")
    marked = np.zeros(SHAPE, bool)
    marked[20:23, 10:14, 6:10] = True
    segmentation = synthetic.segmentation(ct, [marked], name="refused marks")
    del segmentation.PerFrameFunctionalGroupsSequence
    return Given(
        ct=ct, annotation=segmentation, centres_mm={}, weights="untrained", profile="standard"
    )


STUDIES = {"judged": judged, "untrained": untrained, "refused": refused}


def orthanc_id(*levels: object) -> str:
    """Orthanc's name for a patient, study, series or instance: by its identifiers from the top."""
    digest = hashlib.sha1("|".join(map(str, levels)).encode()).hexdigest()
    return "-".join(digest[start : start + 8] for start in range(0, 40, 8))


def series_id(dataset: Dataset) -> str:
    """Orthanc's name for the series of an object."""
    return orthanc_id(dataset.PatientID, dataset.StudyInstanceUID, dataset.SeriesInstanceUID)


def instance_id(dataset: Dataset) -> str:
    """Orthanc's name for an object."""
    return orthanc_id(
        dataset.PatientID,
        dataset.StudyInstanceUID,
        dataset.SeriesInstanceUID,
        dataset.SOPInstanceUID,
    )
