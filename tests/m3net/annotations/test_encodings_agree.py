"""One nodule marked in every encoding is at one place, and its outline says one thing."""

from collections.abc import Callable, Iterator, Sequence

import highdicom as hd
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset

from m3net.ct.series import read_series_files
from m3net.prediction import Classifier
from m3net.volume import CTVolume
from m3net.weights import load_classifier
from tests import lidc, synthetic
from tests.encodings import (
    ROI,
    Composite,
    Contour,
    Drawn,
    Finding,
    OnImages,
    Words,
    borders,
    chest_cad,
    presentation_state,
    structure_set,
    to_mm,
)
from tests.m3net.annotations.scene import as_received
from tests.m3net.annotations.test_lidc import found

pytestmark = pytest.mark.lidc

Study = lidc.LidcStudy
Nodules = Sequence[lidc.LidcNodule]


def outlines(study: Study, nodule: lidc.LidcNodule) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """(slice, closed border of the readers' mask) by pixel edges."""
    mask = study.mask(nodule)
    for z in np.flatnonzero(mask.any(axis=(1, 2))):
        for border in borders(mask[z]):
            yield int(z), border


def largest(study: Study, nodule: lidc.LidcNodule) -> tuple[int, NDArray[np.float64], float]:
    """The slice with the largest area, its centre as (column, row), and a circle's radius."""
    mask = study.mask(nodule)
    z = int(np.argmax(mask.sum(axis=(1, 2))))
    row, column = np.argwhere(mask[z]).mean(axis=0)
    return z, np.array([column, row]), float(np.sqrt(mask[z].sum() / np.pi))


def seg(kind: str) -> Callable[[Study], Dataset]:
    def make(study: Study) -> Dataset:
        masks = [study.mask(nodule) for nodule in study.nodules]
        return synthetic.segmentation(
            study.headers,
            [mask.astype(np.float64) for mask in masks] if kind == "fractional" else masks,
            name=kind,
            fractional=kind == "fractional",
            labelmap=kind == "labelmap",
        )

    return make


def rtstruct(study: Study) -> Dataset:
    rois = [
        ROI(
            name=f"Nodule {nodule.number}",
            contours=[
                Contour(points_mm=to_mm(study.headers[z], border[:-1]), image=study.headers[z])
                for z, border in outlines(study, nodule)
            ],
        )
        for nodule in study.nodules
    ]
    return structure_set(study.headers, rois)


def report(form: str) -> Callable[[Study], Dataset]:
    def make(study: Study) -> Dataset:
        groups = [
            hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
                tracking_identifier=hd.sr.TrackingIdentifier(
                    uid=nodule.tracking_uid, identifier=nodule.tracking_id
                ),
                finding_type=synthetic.codes.SCT.Nodule,
                **shape(study, nodule, form),
            )
            for nodule in study.nodules
        ]
        return synthetic.measurement_report(study.headers, groups, name=form)

    return make


def shape(study: Study, nodule: lidc.LidcNodule, form: str) -> dict[str, object]:
    if form == "circle":
        z, centre, radius = largest(study, nodule)
        points = [centre + 0.5, centre + 0.5 + [radius, 0]]
        return {"referenced_regions": [synthetic.scoord(study.headers[z], "CIRCLE", points)]}
    drawn = list(outlines(study, nodule))
    if form == "scoord":
        return {
            "referenced_regions": [
                synthetic.scoord(study.headers[z], "POLYLINE", border + 0.5) for z, border in drawn
            ]
        }
    return {
        "referenced_volume_surface": hd.sr.VolumeSurface(
            graphic_type="POLYGON",
            graphic_data=[to_mm(study.headers[z], border) for z, border in drawn],
            frame_of_reference_uid=study.headers[0].FrameOfReferenceUID,
            source_images=[
                hd.sr.SourceImageForSegmentation(image.SOPClassUID, image.SOPInstanceUID)
                for z in sorted({z for z, _ in drawn})
                for image in [study.headers[z]]
            ],
        )
    }


def cad(study: Study) -> Dataset:
    return chest_cad(
        study.headers,
        [
            Composite(
                parts=[
                    Finding(image=study.headers[z], outline=border + 0.5)
                    for z, border in outlines(study, nodule)
                ]
            )
            for nodule in study.nodules
        ],
    )


def cad_centres(study: Study) -> Dataset:
    findings = []
    for nodule in study.nodules:
        z, centre, _ = largest(study, nodule)
        findings.append(Finding(image=study.headers[z], centre=(centre + 0.5).tolist()))
    return chest_cad(study.headers, findings)


def gsps(study: Study) -> Dataset:
    return presentation_state(
        study.headers,
        [
            OnImages(
                graphics=[Drawn(shape="POLYLINE", points=border + 0.5)],
                texts=[Words(value=f"nodule {nodule.number}")],
                images=[study.headers[z]],
            )
            for nodule in study.nodules
            for z, border in outlines(study, nodule)
        ],
    )


OUTLINED = {
    "SEG, binary": seg("binary"),
    "SEG, fractional": seg("fractional"),
    "SEG, label map": seg("labelmap"),
    "RTSTRUCT": rtstruct,
    "SR, SCOORD": report("scoord"),
    "SR, SCOORD3D": report("scoord3d"),
    "Chest CAD, outlines": cad,
    "Presentation state": gsps,
}
PLACED = {"SR, circle": report("circle"), "Chest CAD, centres": cad_centres}


@pytest.fixture(scope="module", params=["LIDC-IDRI-0001", "LIDC-IDRI-0003"])
def study(request: pytest.FixtureRequest) -> Study:
    return lidc.study(request.param)


@pytest.fixture(scope="module")
def volume(study: Study) -> CTVolume:
    return read_series_files(study.ct)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return load_classifier("default", device="cpu")


@pytest.fixture(scope="module")
def probabilities(study: Study, volume: CTVolume, classifier: Classifier) -> NDArray[np.float64]:
    """Of the nodules as the binary segmentation has them."""
    nodules = found(study, volume, as_received(seg("binary")(study))).nodules
    return np.array([each.probability for each in classifier.classify(volume, nodules)])


@pytest.mark.parametrize("encoding", [*OUTLINED, *PLACED])
def test_a_nodule_is_where_the_object_has_it(study: Study, volume: CTVolume, encoding: str) -> None:
    made = {**OUTLINED, **PLACED}[encoding](study)
    result = found(study, volume, as_received(made))
    assert result.refused == ()
    assert len(result.nodules) == len(study.nodules)
    got = {tuple(np.round(volume.to_index(n.centre_mm), 3)) for n in result.nodules}
    for nodule in study.nodules:
        if encoding in PLACED:
            z, (column, row), _ = largest(study, nodule)
            own = np.array([z, row, column])
        else:
            own = np.argwhere(study.mask(nodule)).mean(axis=0)
        nearest = min(got, key=lambda at: float(np.linalg.norm(np.subtract(at, own))))
        off = np.abs(np.subtract(nearest, own))
        assert off[0] <= 0.5
        assert off[1:].max() <= 1.0
        got.remove(nearest)


@pytest.mark.parametrize("encoding", OUTLINED)
def test_an_outline_has_one_probability_in_every_encoding(
    study: Study,
    volume: CTVolume,
    classifier: Classifier,
    probabilities: NDArray[np.float64],
    encoding: str,
) -> None:
    nodules = found(study, volume, as_received(OUTLINED[encoding](study))).nodules
    told = [each.probability for each in classifier.classify(volume, nodules)]
    assert np.sort(told) == pytest.approx(np.sort(probabilities), abs=0.01)
