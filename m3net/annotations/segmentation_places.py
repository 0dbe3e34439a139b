"""Where a segmentation's frames stand, held against the CT slices that they name."""

from collections.abc import Sequence

import numpy as np
from pydicom import Dataset

from m3net.annotations.segmentation_frames import Frame, Frames
from m3net.annotations.types import Planes, SlicePlane
from m3net.uids import FrameOfReferenceUID

SAME_PLACE_MM = 0.5
"""Further than this from the slice that it names, a frame on the slice's grid is elsewhere."""


def contradiction(
    frame: Frame,
    frames: Frames,
    planes: Planes,
    dataset: Dataset,
) -> str | None:
    """The reason if a frame stands elsewhere than every slice that it says it was drawn on."""
    sources = [plane for source in sorted(frame.sources) for plane in planes.named(source).values()]
    if not sources:
        return None
    nearest = np.inf
    for plane in sources:
        offset = np.subtract(frame.position_mm, plane.position_mm)
        normal = np.cross(plane.row_direction, plane.col_direction)
        same_grid = (
            (plane.rows, plane.columns) == (dataset.Rows, dataset.Columns)
            and np.allclose(plane.spacing_mm, frames.spacing_mm, rtol=1e-3)
            and np.allclose(plane.row_direction, frames.row_direction, atol=1e-3)
            and np.allclose(plane.col_direction, frames.col_direction, atol=1e-3)
        )
        if same_grid:
            off = float(np.linalg.norm(offset)) - SAME_PLACE_MM
        else:  # resampled: at least within one of its own slices of the named slice's plane
            off = abs(float(offset @ normal)) - max(frames.step_mm, SAME_PLACE_MM)
        nearest = min(nearest, off)
    if nearest <= 0:
        return None
    x, y, z = frame.position_mm
    a, b, c = sources[0].position_mm
    return (
        f"its geometry contradicts its references: a frame stands at ({x:.1f}, {y:.1f}, {z:.1f}) "
        f"mm and the CT slice that it names at ({a:.1f}, {b:.1f}, {c:.1f}) mm"
    )


def frame_of_reference(
    dataset: Dataset, frames: Frames, named: Sequence[Frame], planes: Planes
) -> tuple[FrameOfReferenceUID, tuple[str, ...]]:
    """The frame of reference that the mask lies in, and what is to be said of it.

    Where every frame's pixels are pixels of a CT slice that it names, it lies in the slices'.
    """
    own = FrameOfReferenceUID(str(dataset.get("FrameOfReferenceUID") or ""))
    slices: set[FrameOfReferenceUID] = set()
    for frame in named:
        drawn_on = [
            plane
            for source in frame.sources
            for plane in planes.named(source).values()
            if _on_pixels_of(plane, frame, frames)
        ]
        if not drawn_on:
            return own, ()
        slices.update(plane.frame_of_reference_uid for plane in drawn_on)
    if own in slices or len(slices) != 1:
        return own, ()
    return slices.pop(), (
        "The segmentation is in another frame of reference than the CT slices that its frames name "
        "and lie on; it was read in theirs.",
    )


def _on_pixels_of(plane: SlicePlane, frame: Frame, frames: Frames) -> bool:
    """Whether the frame's pixels are the slice's, or a part of them."""
    directions = (frames.row_direction, frames.col_direction)
    offset = np.subtract(frame.position_mm, plane.position_mm)
    rows, columns = (offset @ directions[1 - i] / frames.spacing_mm[i] for i in (0, 1))
    return bool(
        np.allclose(plane.spacing_mm, frames.spacing_mm, rtol=1e-3)
        and np.allclose((plane.row_direction, plane.col_direction), directions, atol=1e-3)
        and abs(offset @ np.cross(*directions)) <= SAME_PLACE_MM
        and np.allclose((rows, columns), np.round((rows, columns)), atol=0.1)
    )
