"""In a CT of any geometry a mark is where it was drawn, within half a voxel."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom import Dataset
from scipy.spatial.transform import Rotation

from m3net.ct.series import read_series
from tests import synthetic
from tests.encodings import (
    ROI,
    Contour,
    Drawn,
    OnImages,
    Words,
    borders,
    presentation_state,
    structure_set,
    to_mm,
)
from tests.enhanced import cite_frames, enhanced_ct
from tests.m3net.annotations.scene import as_received, found

PHASES = (Phase.explicit, Phase.generate)  # a failing scene is told as it is
SLICES, ROWS, COLUMNS = 9, 26, 31

LYING = {
    "axial": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    "feet first": (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    "prone": (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0),
    "decubitus": (0.0, 1.0, 0.0, -1.0, 0.0, 0.0),
    "sagittal": (0.0, 1.0, 0.0, 0.0, 0.0, -1.0),
    "coronal": (1.0, 0.0, 0.0, 0.0, 0.0, -1.0),
}


@dataclass(frozen=True)
class Scene:
    """A CT with an ellipsoid in it; `order` is that of the frames of an enhanced CT."""

    of: str
    slices: Sequence[Dataset] = field(repr=False)
    mask: NDArray[np.bool_] = field(repr=False)
    order: Sequence[int] = field(repr=False)

    @property
    def centre_index(self) -> NDArray[np.float64]:
        centre: NDArray[np.float64] = np.argwhere(self.mask).mean(axis=0)
        return centre

    def drawn(self) -> list[tuple[int, NDArray[np.float64]]]:
        """(slice, border by pixels' edges), pixels' centres being whole numbers."""
        marked = np.flatnonzero(self.mask.any(axis=(1, 2)))
        return [(int(z), border) for z in marked for border in borders(self.mask[z])]


orientations = st.one_of(
    st.sampled_from(list(LYING.values())),
    st.tuples(*[st.floats(-180, 180)] * 3).map(
        lambda angles: tuple(
            float(value)
            for value in np.round(
                Rotation.from_euler("zyx", angles, degrees=True).as_matrix()[:, :2].T.ravel(), 9
            )
        )
    ),
)


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    orientation = draw(orientations)
    spacing = [draw(st.floats(low, high)) for low, high in ((0.5, 6.0), (0.35, 1.3), (0.35, 1.3))]
    spacing = [round(mm, 4) for mm in spacing]
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    tilt = draw(st.sampled_from([0.0, 0.0, 0.3, -0.2]))  # of the step, along the columns
    step = (np.cross(row, column) + tilt * column) * spacing[0]
    shape = (SLICES, ROWS, COLUMNS)
    # also at the very border, where it is cut off
    centre = [draw(st.integers(0, n - 1)) for n in shape]
    radii = [draw(st.floats(1.0, 3.5)), *(draw(st.floats(3.0, 8.0)) for _ in range(2))]
    places = np.moveaxis(np.indices(shape), 0, -1)
    mask = (((places - centre) / radii) ** 2).sum(axis=-1) <= 1
    assume(mask.sum() * np.prod(spacing) >= 5)  # less is a slip of the brush
    slices = synthetic.ct_series(
        shape=shape,
        spacing_mm=(spacing[0], spacing[1], spacing[2]),
        origin_mm=[draw(st.floats(-500, 500)) for _ in range(3)],
        orientation=orientation,
        step_mm=step,
    )
    of = f"{orientation=} {spacing=} {step=} {centre=} {radii=}"
    return Scene(of, slices, mask, draw(st.permutations(range(SLICES))))


def seg(scene: Scene, **kind: bool) -> Dataset:
    marked = scene.mask.astype(np.float64) if kind.get("fractional") else scene.mask
    return synthetic.segmentation(scene.slices, [marked], **kind)


def outlined(scene: Scene) -> Dataset:
    regions = [synthetic.scoord(scene.slices[z], "POLYLINE", b + 0.5) for z, b in scene.drawn()]
    group = synthetic.measurement_group(regions, tracking_id="Nodule 1", tracking_uid="2.25.9")
    return synthetic.measurement_report(scene.slices, [group])


def structures(scene: Scene) -> Dataset:
    contours = [
        Contour(points_mm=to_mm(scene.slices[z], border[:-1]), image=scene.slices[z])
        for z, border in scene.drawn()
    ]
    return structure_set(scene.slices, [ROI(name="Nodule 1", contours=contours)])


def graphics(scene: Scene) -> Dataset:
    return presentation_state(
        scene.slices,
        [
            OnImages(
                graphics=[Drawn(shape="POLYLINE", points=border + 0.5)],
                texts=[Words(value="nodule 1")],
                images=[scene.slices[z]],
            )
            for z, border in scene.drawn()
        ],
    )


ENCODINGS = {
    "SEG, binary": seg,
    "SEG, fractional": lambda scene: seg(scene, fractional=True),
    "SEG, label map": lambda scene: seg(scene, labelmap=True),
    "SR, outlines": outlined,
    "RTSTRUCT": structures,
    "presentation state": graphics,
}


def check(ct: Sequence[Dataset], marks: Dataset, scene: Scene) -> None:
    result = found(ct, as_received(marks))
    assert result.refused == ()
    (nodule,) = result.nodules
    off = read_series(ct).to_index(nodule.centre_mm) - scene.centre_index
    assert np.abs(off).max() <= 0.5


@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(max_examples=20, deadline=None, derandomize=True, phases=PHASES)
@given(scene=scenes())
def test_a_mark_is_where_it_was_drawn(encoding: str, scene: Scene) -> None:
    check([as_received(ds) for ds in scene.slices], ENCODINGS[encoding](scene), scene)


@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(max_examples=20, deadline=None, derandomize=True, phases=PHASES)
@given(scene=scenes())
def test_so_it_is_on_the_frames_of_an_enhanced_ct(encoding: str, scene: Scene) -> None:
    enhanced = enhanced_ct(scene.slices, order=scene.order)
    frame_of = {index: number for number, index in enumerate(scene.order, start=1)}
    marks = ENCODINGS[encoding](scene)
    cite_frames(marks, scene.slices, enhanced, frame_of)
    check([as_received(enhanced)], marks, scene)
