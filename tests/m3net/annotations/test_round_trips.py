"""For any geometry and every encoding: what is written, received and read is where it was drawn."""

from collections.abc import Sequence
from dataclasses import dataclass

import highdicom as hd
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom import Dataset
from scipy.spatial.transform import Rotation

from m3net.ct.series import read_series
from tests import synthetic
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
from tests.m3net.annotations.scene import as_received, found

SHAPE = (7, 18, 22)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A CT of any geometry, and an ellipsoid of voxels in it."""

    ct: Sequence[Dataset]
    mask: NDArray[np.bool_]

    def outlines(self) -> list[tuple[int, NDArray[np.float64]]]:
        return [
            (int(z), border)
            for z in np.flatnonzero(self.mask.any(axis=(1, 2)))
            for border in borders(self.mask[z])
        ]


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    turn = Rotation.random(random_state=draw(st.integers(0, 2**32 - 1))).as_matrix()
    if draw(st.booleans()):  # axial, one of the ways that a patient lies in a scanner
        turn = np.diag(draw(st.sampled_from([(1, 1, 1), (-1, -1, 1), (-1, 1, -1), (1, -1, -1)])))
    mm = st.floats(0.8, 3.0)
    ct = synthetic.ct_series(
        shape=SHAPE,
        spacing_mm=(draw(mm), draw(mm), draw(mm)),
        origin_mm=[draw(st.floats(-400, 400)) for _ in range(3)],
        orientation=(*turn[:, 0], *turn[:, 1]),
    )
    radii = np.array([draw(st.floats(0.6, most)) for most in (2.2, 4.5, 5.5)])
    middle = [
        draw(st.floats(radius, size - 1 - radius))
        for radius, size in zip(radii, SHAPE, strict=True)
    ]
    offset = (np.moveaxis(np.indices(SHAPE), 0, -1) - middle) / np.maximum(radii, 1.0)
    mask = np.linalg.norm(offset, axis=-1) <= 1
    nearest = tuple(round(at) for at in middle)
    mask[
        nearest[0] : nearest[0] + 2,
        nearest[1] - 1 : nearest[1] + 2,
        nearest[2] - 1 : nearest[2] + 2,
    ] = True
    return Scene(ct=ct, mask=mask)


def report(scene: Scene, *, three_d: bool) -> Dataset:
    ct, drawn = scene.ct, scene.outlines()
    how: dict[str, object]
    if three_d:
        slices = sorted({z for z, _ in drawn})
        how = {
            "referenced_volume_surface": hd.sr.VolumeSurface(
                graphic_type="POLYGON",
                graphic_data=[to_mm(ct[z], border) for z, border in drawn],
                frame_of_reference_uid=ct[0].FrameOfReferenceUID,
                source_images=[
                    hd.sr.SourceImageForSegmentation(ct[z].SOPClassUID, ct[z].SOPInstanceUID)
                    for z in slices
                ],
            )
        }
    else:
        how = {
            "referenced_regions": [
                synthetic.scoord(ct[z], "POLYLINE", border + 0.5) for z, border in drawn
            ]
        }
    group = hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid="1.2.3", identifier="Nodule"),
        finding_type=synthetic.codes.SCT.Nodule,
        **how,
    )
    return synthetic.measurement_report(ct, [group])


def encoded(scene: Scene, encoding: str) -> Dataset:
    ct, drawn = scene.ct, scene.outlines()
    match encoding:
        case "binary" | "fractional" | "labelmap":
            mask = scene.mask.astype(np.float64) if encoding == "fractional" else scene.mask
            return synthetic.segmentation(
                ct, [mask], fractional=encoding == "fractional", labelmap=encoding == "labelmap"
            )
        case "structure set":
            contours = [Contour(points_mm=to_mm(ct[z], b[:-1]), image=ct[z]) for z, b in drawn]
            return structure_set(ct, [ROI(name="Nodule", contours=contours)])
        case "SCOORD" | "SCOORD3D":
            return report(scene, three_d=encoding == "SCOORD3D")
        case "CAD":
            parts = [Finding(image=ct[z], outline=border + 0.5) for z, border in drawn]
            return chest_cad(ct, [Composite(parts=parts)])
        case "pixels" | "displayed":
            size = np.array([SHAPE[2], SHAPE[1]]) if encoding == "displayed" else 1
            units = "DISPLAY" if encoding == "displayed" else "PIXEL"
            return presentation_state(
                ct,
                [
                    OnImages(
                        graphics=[
                            Drawn(shape="POLYLINE", points=(border + 0.5) / size, units=units)
                        ],
                        texts=[Words(value="nodule")],
                        images=[ct[z]],
                    )
                    for z, border in drawn
                ],
            )
    raise AssertionError(encoding)


ENCODINGS = [
    "binary",
    "fractional",
    "labelmap",
    "structure set",
    "SCOORD",
    "SCOORD3D",
    "CAD",
    "pixels",
    "displayed",
]


@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(max_examples=10, deadline=None, derandomize=True, phases=[Phase.generate])
@given(scene=scenes())
def test_a_nodule_comes_back_within_half_a_voxel(encoding: str, scene: Scene) -> None:
    result = found(scene.ct, as_received(encoded(scene, encoding)))
    assert result.refused == ()
    volume = read_series(scene.ct)
    (nodule,) = result.nodules
    own = np.argwhere(scene.mask).mean(axis=0)
    assert np.abs(volume.to_index(nodule.centre_mm) - own).max() < 0.5
    assert nodule.mask is not None
    assert nodule.mask.voxels.sum() == scene.mask.sum()
