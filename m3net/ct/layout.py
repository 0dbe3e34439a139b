"""Which images of a CT series make its volume, and where each of them stands; from headers alone.

Planning and analysis ask the same question here, so that what is waited for is what is analysed.

- images of another orientation, size, pixel spacing or frame of reference than most, and images
  without a place, are left out if they are few, or if the others make a whole volume without them
- of several acquisitions (`acquisitions`) the one that is marked is used; if none is, and none of
  them is by far the largest, nothing is guessed
- of two slices at one place a marked one is kept, else that with the lower acquisition, then
  instance number
- positions may be rounded (`stack`); whole slices may be absent inside; any other distance is
  refused
"""

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from m3net.annotations.types import SlicePlane
from m3net.ct.acquisitions import tell_apart, told_by
from m3net.ct.stack import JITTER_MM, IrregularStack, Stack, fit_stack, mixed_spacing
from m3net.errors import SeriesUnusable
from m3net.uids import FrameKey, FrameReference, SeriesInstanceUID

SAME_DIRECTION = 1e-3
"""Largest difference of direction cosines of one orientation (0.06 degrees)."""

SAME_SPACING_MM = 1.5e-4
"""Largest difference of pixel spacings that are one, rounded: under 0.08 mm across 512 pixels."""

STRAY_SHARE = 0.1
"""Below this share, images that do not belong to the others are left out."""

STRAY_SHARE_OF_WHOLE = 0.25
"""The same, where the others make a volume that lacks no slice."""

ACQUISITION_SHARE = 0.1
ACQUISITION_SLICES = 3
"""What has fewer slices, or less than this share of the largest acquisition's, is stray images."""

_STANDS_ELSEWHERE = (
    "it is drawn on slices of the CT series that others of the series stand in the place of; "
    "send each acquisition as a series of its own"
)
_OTHER_ACQUISITION = (
    "it is drawn on another acquisition of the CT series than the one that was analysed; "
    "send each acquisition as a series of its own"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The images that make the volume.

    frames   : ascending along the normal, one at each place
    plane    : of the first of them
    stack    : `numbers` in the order of `frames`
    left_out : why a mark on any other image of the series cannot be judged
    notes    : sentences for the report
    """

    frames: tuple[FrameKey, ...]
    plane: SlicePlane
    normal: NDArray[np.float64]
    stack: Stack
    left_out: Mapping[FrameKey, str]
    notes: tuple[str, ...]

    @property
    def missing(self) -> frozenset[int]:
        """Slice numbers at which no image stands."""
        numbers = set(self.stack.numbers.tolist())
        return frozenset(range(self.depth)) - numbers

    @property
    def depth(self) -> int:
        """Slices of the volume, missing ones included."""
        return int(self.stack.numbers.max()) + 1


def lay_out(
    planes: Mapping[FrameKey, SlicePlane],
    *,
    marked: Collection[FrameReference] = (),
    unplaced: Mapping[FrameKey, str] | None = None,
) -> Layout:
    """The volume that the images of one series make.

    marked   : what annotations draw on
    unplaced : images whose header has no place for them, each with the reason

    Raises SeriesUnusable if they make none.
    """
    return _Series(planes, marked, unplaced or {}).lay_out()


class _Series:
    """The images that still belong to the volume, and what became of the others."""

    def __init__(
        self,
        planes: Mapping[FrameKey, SlicePlane],
        marked: Collection[FrameReference],
        unplaced: Mapping[FrameKey, str],
    ) -> None:
        self.planes = dict(planes)
        self.total = len(planes) + len(unplaced)
        self.marked = {key for key in planes if any(reference.names(key) for reference in marked)}
        self.left_out: dict[FrameKey, str] = {}
        self.notes: list[str] = []
        self.objections: list[str] = []
        """Why the series would be refused, if what was left out were more than stray images."""
        if unplaced:
            self._leave_out(
                unplaced, what="have no place in the patient", objection=min(unplaced.values())
            )
        self.name = next((plane.series_instance_uid for plane in planes.values()), None)

    def lay_out(self) -> Layout:
        if self.name is None:
            raise SeriesUnusable(self.objections[0] if self.objections else "there are no slices")
        self._take_frame_of_reference_from_the_others()
        self._keep_one_orientation(self.name)
        self._keep_one_grid(self.name)
        strays = len(self.left_out)
        normal = self._normal()
        self._keep_one_acquisition(self.name, normal)
        frames = self._one_at_each_place(normal)
        if len(frames) < 2:
            raise SeriesUnusable(
                f"series {self.name} has {len(frames)} slice at 1 place; a volume needs 2 or more"
            )
        try:
            stack = self._stack(frames, normal, self.name)
        except SeriesUnusable as reason:
            self._object(strays, whole=False, cause=reason)
            raise
        layout = Layout(
            frames=tuple(frames),
            plane=self.planes[frames[0]],
            normal=normal,
            stack=stack,
            left_out=self.left_out,
            notes=tuple(self.notes),
        )
        absent = layout.depth - len(frames)  # of a slice that is said to be miles away, millions
        self._object(strays, whole=not absent)
        if absent > len(frames):
            raise SeriesUnusable(
                f"series {self.name} lacks {absent} of {layout.depth} slices; resend the series"
            )
        return layout

    def _object(self, strays: int, *, whole: bool, cause: SeriesUnusable | None = None) -> None:
        """Nothing, if what was left out may have been."""
        share = strays / self.total
        if share < (STRAY_SHARE_OF_WHOLE if whole else STRAY_SHARE) or not self.objections:
            return
        raise SeriesUnusable(self.objections[0]) from cause

    def _leave_out(self, keys: Collection[FrameKey], *, what: str, objection: str) -> None:
        self.left_out |= dict.fromkeys(
            keys, f"it is drawn on images of the CT series that were left out: they {what}"
        )
        self.notes.append(
            f"{len(keys)} of {self.total} images of the CT series {what} and were left out."
        )
        self.objections.append(objection)
        for key in keys:
            self.planes.pop(key, None)

    def _take_frame_of_reference_from_the_others(self) -> None:
        """Images that name no frame of reference are in the one that all others name."""
        nameless = [key for key, plane in self.planes.items() if not plane.names_frame_of_reference]
        named = {
            plane.frame_of_reference_uid
            for plane in self.planes.values()
            if plane.names_frame_of_reference
        }
        if not nameless or len(named) != 1:
            return
        (frame,) = named
        for key in nameless:
            self.planes[key] = replace(self.planes[key], frame_of_reference_uid=frame)
        self.notes.append(
            f"{len(nameless)} of {self.total} images of the CT series name no frame of reference; "
            "they were taken to be in that of the others."
        )

    def _keep_one_orientation(self, series: SeriesInstanceUID) -> None:
        keys = list(self.planes)
        cosines = np.array([(*p.row_direction, *p.col_direction) for p in self.planes.values()])
        off = np.abs(cosines - np.median(cosines, axis=0)).max(axis=1)
        stray = off > SAME_DIRECTION
        if not stray.any():
            return
        objection = (
            f"series {series} mixes orientations: {int(stray.sum())} of {len(keys)} slices "
            "are turned against the others; send each orientation as a series of its own"
        )
        if (off[stray] < _NEARLY_THE_SAME).any() or stray.all():
            raise SeriesUnusable(objection)
        self._leave_out(
            [key for key, is_stray in zip(keys, stray, strict=True) if is_stray],
            what="are of another orientation",
            objection=objection,
        )

    def _keep_one_grid(self, series: SeriesInstanceUID) -> None:
        grids: Mapping[str, tuple[str, Mapping[FrameKey, Hashable]]] = {
            "frame of reference": (
                "frames of reference",
                {key: plane.frame_of_reference_uid for key, plane in self.planes.items()},
            ),
            "image size": (
                "image sizes",
                {key: (plane.rows, plane.columns) for key, plane in self.planes.items()},
            ),
            "pixel spacing": (
                "pixel spacings",
                self._spacings(),
            ),
        }
        for what, (several, value_of) in grids.items():
            counted = Counter(value_of[key] for key in self.planes)
            if len(counted) == 1:
                continue
            usual = min(counted, key=lambda value: (-counted[value], str(value)))
            found = ", ".join(sorted(str(value) for value in counted)[:3])
            self._leave_out(
                [key for key in self.planes if value_of[key] != usual],
                what=f"are of another {what}",
                objection=f"series {series} mixes {len(counted)} {several}: {found}",
            )

    def _spacings(self) -> dict[FrameKey, tuple[float, ...]]:
        """Each image's pixel spacing; one number for all that differ in rounding alone."""
        written = np.array([plane.spacing_mm for plane in self.planes.values()])
        usual = np.median(written, axis=0)
        same = np.abs(written - usual).max(axis=1) <= SAME_SPACING_MM
        return {
            key: tuple((usual if is_usual else spacing).tolist())
            for key, spacing, is_usual in zip(self.planes, written, same, strict=True)
        }

    def _normal(self) -> NDArray[np.float64]:
        plane = next(iter(self.planes.values()))
        return np.cross(plane.row_direction, plane.col_direction)

    def _keep_one_acquisition(self, series: SeriesInstanceUID, normal: NDArray[np.float64]) -> None:
        keys = list(self.planes)
        traits = [self.planes[key].traits for key in keys]
        positions = np.array([self.planes[key].position_mm for key in keys])
        heaps = tell_apart(positions, normal, traits)
        if len(heaps) == 1:
            return
        least = max(ACQUISITION_SHARE * len(heaps[0]), min(ACQUISITION_SLICES, len(heaps[0])))
        rivals = [heap for heap in heaps if len(heap) >= least]
        by = told_by([traits[index] for index in heaps[0]], [traits[index] for index in heaps[1]])
        marks = [sum(keys[index] in self.marked for index in heap) for heap in rivals]
        if len(rivals) > 1 and not any(marks):
            sizes = " and ".join(str(len(heap)) for heap in rivals)
            raise SeriesUnusable(
                f"series {series} holds {len(rivals)} acquisitions in one another ({sizes} slices, "
                f"told apart by {by}), and the annotation names slices of none of them, so which "
                "one it marks is not known; send each acquisition as a series of its own"
            )
        used = rivals[int(np.argmax(marks))]
        others = [keys[index] for heap in heaps if heap is not used for index in heap]
        self.left_out |= dict.fromkeys(others, _OTHER_ACQUISITION)
        for key in others:
            del self.planes[key]
        self.notes.append(
            f"The CT series holds {len(rivals)} acquisitions, told apart by {by}; the one that is "
            f"marked was used, {len(used)} of {self.total} images."
            if len(rivals) > 1
            else f"{len(others)} of {self.total} images of the CT series differ from the others "
            f"in {by}, stand among them and were left out."
        )

    def _one_at_each_place(self, normal: NDArray[np.float64]) -> list[FrameKey]:
        """Slices closer than the jitter stand at one place."""
        heights = {key: float(np.dot(p.position_mm, normal)) for key, p in self.planes.items()}
        places: list[list[FrameKey]] = []
        for key in sorted(heights, key=lambda key: heights[key]):
            if places and heights[key] - heights[places[-1][0]] <= JITTER_MM:
                places[-1].append(key)
            else:
                places.append([key])
        kept = [min(place, key=self._rank) for place in places]
        doubles = set(heights).difference(kept)
        if doubles:
            self.left_out |= dict.fromkeys(doubles, _STANDS_ELSEWHERE)
            self.notes.append(
                f"{len(doubles)} {'slice' if len(doubles) == 1 else 'slices'} of the CT "
                f"{'stands' if len(doubles) == 1 else 'stand'} where another one stands; at each "
                "place the one with the lower acquisition and instance number was used."
            )
        return kept

    def _rank(self, key: FrameKey) -> tuple[bool, int, int, FrameKey]:
        traits = self.planes[key].traits
        return (
            key not in self.marked,
            traits.acquisition_number or 0,
            traits.instance_number or 0,
            key,
        )

    def _stack(
        self,
        frames: Sequence[FrameKey],
        normal: NDArray[np.float64],
        series: SeriesInstanceUID,
    ) -> Stack:
        positions = np.array([self.planes[key].position_mm for key in frames])
        mixed = mixed_spacing(np.diff(positions @ normal))
        if mixed is not None:
            index, before, after = mixed
            raise SeriesUnusable(
                f"series {series} mixes slice distances: {before:.4g} mm up to slice {index} of "
                f"{len(frames)}, at ({_mm(positions[index - 1])}) mm, and {after:.4g} mm from "
                "there; send each part as a series of its own"
            )
        try:
            return fit_stack(positions, normal)
        except IrregularStack as error:
            where = (
                f"slice {error.index + 1} of {len(frames)}, at ({_mm(positions[error.index])}) mm"
            )
            if error.aside_mm:
                raise SeriesUnusable(
                    f"series {series}: {where}, stands {error.aside_mm:.2f} mm off the regular "
                    "places of the others; resend the series"
                ) from error
            raise SeriesUnusable(
                f"series {series} has gaps: {error.found_mm:.4g} mm before {where}, "
                f"{error.expected_mm:.4g} mm elsewhere; resend the series"
            ) from error


_NEARLY_THE_SAME = 0.1
"""Difference of direction cosines (6 degrees) below which an image is no reformat, but turned."""


def _mm(point: NDArray[np.float64]) -> str:
    return ", ".join(f"{value:.1f}" for value in point)
