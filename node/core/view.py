"""One judged nodule as the report draws it and as the capture shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from m3net.nodule import Nodule
from m3net.outline import outline
from m3net.prediction import HeatMap, Prediction
from m3net.resample import heat_map_on_grid, mask_on_grid
from m3net.scales import Scale
from m3net.uids import FrameKey, SOPInstanceUID
from m3net.volume import CTVolume, transform
from sr_templates.capture_view import CaptureSlice, Direction, NoduleView, choose_slices
from sr_templates.findings import Circle, ImageReference, Polyline

NOMINAL_RADIUS_MM = 5.0
"""Radius of the circle that stands for a bare point."""

AIR_HU = -1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A part of the CT grid: `first` index (z, y, x), may be outside the volume, and `shape`."""

    first: tuple[int, int, int]
    shape: tuple[int, int, int]

    def affine(self, volume: CTVolume) -> NDArray[np.float64]:
        """(4, 4), index (z, y, x) in the box -> LPS mm."""
        affine = volume.affine.copy()
        affine[:3, 3] = volume.to_mm(self.first)
        return affine


def nodule_on_ct(nodule: Nodule, volume: CTVolume) -> tuple[Box, NDArray[np.bool_]]:
    """The nodule's voxels on the CT grid, in a box just about them.

    A mask is laid over the grid; without one, or where it is finer than the grid, a sphere of the
    stated diameter or of NOMINAL_RADIUS_MM stands for it.  Never empty on the centre's slice if it
    is a sphere.
    """
    if nodule.mask is not None:
        size = np.array(nodule.mask.voxels.shape)
        corners = np.stack(np.meshgrid(*((-0.5, n - 0.5) for n in size), indexing="ij"), axis=-1)
        index = volume.to_index(transform(nodule.mask.affine, corners.reshape(-1, 3)))
        box = _box_about(index)
        laid = mask_on_grid(nodule.mask, affine=box.affine(volume), shape=box.shape)
        if laid.any():
            return box, laid
    radius = nodule.diameter_mm / 2 if nodule.diameter_mm else NOMINAL_RADIUS_MM
    centre = volume.to_index(nodule.centre_mm)
    reach = np.ceil(radius / np.array(volume.spacing_mm)) + 1
    box = _box_about(np.stack([centre - reach, centre + reach]))
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in box.shape), indexing="ij"), axis=-1)
    points = transform(box.affine(volume), grid)
    sphere = np.linalg.norm(points - np.array(nodule.centre_mm), axis=-1) <= radius
    sphere[tuple((np.rint(centre) - box.first).astype(int))] = True
    return box, sphere


def key_slice(nodule: Nodule, volume: CTVolume, box: Box, voxels: NDArray[np.bool_]) -> int:
    """The slice on which the finding is drawn: of those it is on, the nearest to its centre."""
    on = [
        box.first[0] + int(z)
        for z in np.flatnonzero(voxels.any(axis=(1, 2)))
        if _received(volume, box.first[0] + int(z))
    ]
    centre = float(volume.to_index(nodule.centre_mm)[0])
    if not on:
        on = [z for z in range(volume.shape[0]) if _received(volume, z)]
    return min(on, key=lambda z: (abs(z - centre), z))


def region_of(
    nodule: Nodule,
    volume: CTVolume,
    *,
    box: Box,
    voxels: NDArray[np.bool_],
    key: int,
    image: ImageReference,
) -> Circle | Polyline:
    """Where the finding is drawn on its key slice: the mask's outline, or a circle."""
    plane = key - box.first[0]
    if nodule.mask is not None and 0 <= plane < len(voxels) and voxels[plane].any():
        _, y, x = box.first
        points = tuple((column + x, row + y) for column, row in outline(voxels[plane]))
        return Polyline(image=image, points=points)
    _, y, x = volume.to_index(nodule.centre_mm)
    radius_mm = nodule.diameter_mm / 2 if nodule.diameter_mm else NOMINAL_RADIUS_MM
    return Circle(
        image=image,
        centre=(float(x) + 0.5, float(y) + 0.5),
        radius=radius_mm / volume.spacing_mm[2],
    )


def nodule_view(
    nodule: Nodule,
    prediction: Prediction,
    volume: CTVolume,
    *,
    box: Box,
    voxels: NDArray[np.bool_],
    shown: Sequence[int],
    key: int,
    headers: Mapping[SOPInstanceUID, Dataset],
) -> NoduleView:
    """The slices through the nodule with the maps and the outline on the CT's own grid.

    shown   : as `slices_shown` chose them
    headers : of the images that hold these slices
    """
    crop = _square(nodule, volume, prediction.heat_maps, shown)
    offsets = [z - crop.first[0] for z in shown]
    affine = crop.affine(volume)
    return NoduleView(
        slab_hu=_cut(volume.hu, crop)[offsets],
        spacing_mm=volume.spacing_mm[1:],
        row_direction=_unit(volume.affine[:3, 2]),
        col_direction=_unit(volume.affine[:3, 1]),
        outline=_moved(voxels, box, crop)[offsets],
        maps={
            scale.value: heat_map_on_grid(heat, affine=affine, shape=crop.shape)[offsets]
            for scale, heat in prediction.heat_maps.items()
        },
        slices=[_named(volume, z, headers) for z in shown],
        total_slices=volume.shape[0],
        key=shown.index(key),
        flat_scales=frozenset(s.value for s, h in prediction.heat_maps.items() if not h.has_depth),
    )


def slices_shown(
    volume: CTVolume, *, box: Box, voxels: NDArray[np.bool_], key: int, max_frames: int
) -> list[int]:
    """The slices of the capture, ascending; absent ones are left out."""
    marked = np.flatnonzero(voxels.any(axis=(1, 2))) + box.first[0]
    chosen = choose_slices(
        first=int(marked[0]),
        last=int(marked[-1]),
        key=key,
        total=volume.shape[0],
        at_most=max_frames,
    )
    return [z for z in chosen if _received(volume, z)]


def _square(
    nodule: Nodule,
    volume: CTVolume,
    heat_maps: Mapping[Scale, HeatMap],
    shown: Sequence[int],
) -> Box:
    """The field of the largest patch, about the nodule, over all slices that are shown."""
    reach_mm = max(
        (
            np.linalg.norm(heat.affine[:3, 1]) * heat.values.shape[1] / 2
            for heat in heat_maps.values()
        ),
        default=35.0,
    )
    half = max(8, round(float(reach_mm) / volume.spacing_mm[1]))
    _, y, x = (round(float(value)) for value in volume.to_index(nodule.centre_mm))
    first, last = min(shown), max(shown)
    return Box(first=(first, y - half, x - half), shape=(last - first + 1, 2 * half, 2 * half))


def _box_about(index: NDArray[np.float64]) -> Box:
    """The voxels about these points (N, 3)."""
    low = np.floor(index.min(axis=0)).astype(int)
    high = np.ceil(index.max(axis=0)).astype(int)
    z, y, x = (int(n) for n in low)
    depth, height, width = (int(n) for n in high - low + 1)
    return Box(first=(z, y, x), shape=(depth, height, width))


def _cut(array: NDArray[np.int16], box: Box) -> NDArray[np.int16]:
    """That part of the volume, air where there is none."""
    cut = np.full(box.shape, AIR_HU, dtype=np.int16)
    here, there = _overlap(Box(first=(0, 0, 0), shape=array.shape), box)
    cut[there] = array[here]
    return cut


def _moved(voxels: NDArray[np.bool_], box: Box, wanted: Box) -> NDArray[np.bool_]:
    """Voxels of one box in another."""
    moved = np.zeros(wanted.shape, dtype=np.bool_)
    here, there = _overlap(box, wanted)
    moved[there] = voxels[here]
    return moved


def _overlap(one: Box, other: Box) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """What two boxes share, as indices into each."""
    first = [max(a, b) for a, b in zip(one.first, other.first, strict=True)]
    last = [
        max(begin, min(a + n, b + m))
        for begin, a, n, b, m in zip(
            first, one.first, one.shape, other.first, other.shape, strict=True
        )
    ]
    return _slices(one, first, last), _slices(other, first, last)


def _slices(box: Box, first: Sequence[int], last: Sequence[int]) -> tuple[slice, ...]:
    return tuple(
        slice(begin - origin, end - origin)
        for begin, end, origin in zip(first, last, box.first, strict=True)
    )


def _received(volume: CTVolume, z: int) -> bool:
    return 0 <= z < volume.shape[0] and volume.frames[z] is not None


def _named(volume: CTVolume, z: int, headers: Mapping[SOPInstanceUID, Dataset]) -> CaptureSlice:
    frame = frame_of(volume, z)
    header = headers[frame.sop_instance_uid]
    normal = np.cross(volume.affine[:3, 2], volume.affine[:3, 1])
    position = volume.to_mm((z, 0, 0)) @ (normal / np.linalg.norm(normal))
    return CaptureSlice(
        source=image_reference(header, frame),
        number=z + 1,
        position_mm=float(position),
        instance_number=number_in_viewers(header, frame),
    )


def frame_of(volume: CTVolume, z: int) -> FrameKey:
    """The frame of a slice that is there."""
    frame = volume.frames[z]
    assert frame is not None  # noqa: S101  # absent slices are never chosen
    return frame


def number_in_viewers(header: Dataset, frame: FrameKey) -> int | None:
    """By which a viewer finds the slice: its Instance Number, or the number of its frame."""
    if is_multi_frame(header):
        return frame.frame
    number = header.get("InstanceNumber")
    return None if number is None else int(number)


def is_multi_frame(header: Dataset) -> bool:
    """Whether a reference to one slice of the image must name its frame."""
    return int(header.get("NumberOfFrames") or 1) > 1


def image_reference(header: Dataset, frame: FrameKey) -> ImageReference:
    """The slice as a report refers to it."""
    return ImageReference(
        sop_class_uid=str(header.SOPClassUID),
        sop_instance_uid=str(header.SOPInstanceUID),
        frame_number=frame.frame if is_multi_frame(header) else None,
    )


def _unit(vector: NDArray[np.float64]) -> Direction:
    x, y, z = vector / np.linalg.norm(vector)
    return float(x), float(y), float(z)
