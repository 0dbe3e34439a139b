"""Where the frames of a segmentation stand, from its functional groups (PS3.3 C.7.6.16)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from m3net.annotations.image_references import frames_named
from m3net.ct.stack import JITTER_MM, IrregularStack, Stack, fit_stack
from m3net.errors import AnnotationUnusable
from m3net.nodule import Point
from m3net.uids import FrameReference


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame's place in the object and in the patient."""

    index: int
    segment: int | None
    position_mm: Point
    sources: frozenset[FrameReference]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """All frames of one object and the grid that they share."""

    frames: Sequence[Frame]
    row_direction: NDArray[np.float64]
    col_direction: NDArray[np.float64]
    spacing_mm: tuple[float, float]
    step_mm: float
    stack: Stack
    affine: NDArray[np.float64]


def frame_sources(group: Dataset) -> frozenset[FrameReference]:
    """The images, and the frames of them, that a frame says it was drawn on."""
    return frozenset(
        named
        for derivation in group.get("DerivationImageSequence") or []
        for image in derivation.get("SourceImageSequence") or []
        for named in frames_named(image)
    )


def read_frames(dataset: Dataset) -> Frames:
    """Every frame's place, and the grid that they share.

    Raises AnnotationUnusable if a frame has no place, or the frames no common grid.
    """
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    groups = dataset.get("PerFrameFunctionalGroupsSequence") or []
    if not groups:
        raise AnnotationUnusable("the segmentation has no frames with a place of their own")

    def macro(group: Dataset, sequence: str) -> Dataset:
        items = group.get(sequence) or shared.get(sequence)
        if not items:
            raise AnnotationUnusable(f"a frame of the segmentation has no {sequence}")
        return items[0]  # type: ignore[no-any-return]  # pydicom's sequences are untyped

    frames = []
    orientations, spacings = [], []
    measures = Dataset()
    try:
        for index, group in enumerate(groups):
            x, y, z = (float(v) for v in macro(group, "PlanePositionSequence").ImagePositionPatient)
            orientations.append(
                [float(v) for v in macro(group, "PlaneOrientationSequence").ImageOrientationPatient]
            )
            measures = macro(group, "PixelMeasuresSequence")
            spacings.append([float(v) for v in measures.PixelSpacing])
            segment = (
                None
                if dataset.get("SegmentationType") == "LABELMAP"
                else int(macro(group, "SegmentIdentificationSequence").ReferencedSegmentNumber)
            )
            frames.append(
                Frame(
                    index=index,
                    segment=segment,
                    position_mm=(x, y, z),
                    sources=frame_sources(group),
                )
            )
    except AttributeError as error:  # names an attribute, never a value
        raise AnnotationUnusable(f"a frame of the segmentation has no place: {error}") from error
    except (TypeError, ValueError) as error:
        raise AnnotationUnusable(
            "a frame of the segmentation has no place: an attribute of it is no number"
        ) from error
    if np.ptp(orientations, axis=0).max() > 1e-3 or np.ptp(spacings, axis=0).max() > 1e-3:
        raise AnnotationUnusable("the segmentation's frames are of several grids")
    row, col = np.array(orientations[0][:3]), np.array(orientations[0][3:])
    if not np.allclose([row @ row, col @ col, row @ col], [1, 1, 0], atol=0.01):
        raise AnnotationUnusable("the segmentation's frames have no orthonormal orientation")
    spacing_mm = (spacings[0][0], spacings[0][1])
    if min(spacing_mm) <= 0:
        raise AnnotationUnusable("the segmentation's pixel spacing is not positive")
    stack, step_mm = _stack(frames, np.cross(row, col), measures)
    return Frames(
        frames=frames,
        row_direction=row,
        col_direction=col,
        spacing_mm=spacing_mm,
        step_mm=step_mm,
        stack=stack,
        affine=stack.affine(row_direction=row, col_direction=col, spacing_mm=spacing_mm),
    )


def _stack(
    frames: Sequence[Frame], normal: NDArray[np.float64], measures: Dataset
) -> tuple[Stack, float]:
    """Slice numbers for all frames.  Empty frames are usually left out, so gaps are no fault.

    The step is Spacing Between Slices, unless three or more places never stand that close.
    """
    positions = np.array([frame.position_mm for frame in frames])
    heights = positions @ normal
    order = np.argsort(heights, kind="stable")
    steps = np.diff(heights[order])
    place_of = np.empty(len(frames), dtype=np.int64)
    place_of[order] = np.concatenate(([0], np.cumsum(steps > JITTER_MM)))
    gaps = steps[steps > JITTER_MM]
    if len(gaps) == 0:
        step = float(measures.get("SpacingBetweenSlices") or measures.get("SliceThickness") or 1)
        alone = np.zeros(len(frames), dtype=np.int64)
        return Stack(numbers=alone, origin_mm=positions[0], step_mm=normal * step), step
    _, firsts = np.unique(place_of, return_index=True)
    stack, step = _fit(positions[firsts], normal, gaps, measures)
    numbers = stack.numbers[place_of]
    return Stack(numbers=numbers, origin_mm=stack.origin_mm, step_mm=stack.step_mm), step


def _fit(
    places: NDArray[np.float64],
    normal: NDArray[np.float64],
    gaps: NDArray[np.float64],
    measures: Dataset,
) -> tuple[Stack, float]:
    """By the spacing that the object states if the frames bear it out, else by the least distance.

    Frames that all stand at one other distance show that the stated spacing is wrong.
    """
    least = float(gaps.min())
    said = float(measures.get("SpacingBetweenSlices") or 0)
    belied = len(gaps) > 1 and np.ptp(gaps) <= JITTER_MM and abs(least - said) > JITTER_MM
    if said > 0 and not belied:
        try:
            return fit_stack(places, normal, step_mm=said), said
        except IrregularStack:
            pass
    try:
        return fit_stack(places, normal, step_mm=least), least
    except IrregularStack as error:
        raise AnnotationUnusable(
            f"the segmentation's frames make no regular stack: {error}"
        ) from error
