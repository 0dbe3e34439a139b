"""One judged nodule as the report draws it and as the capture shows it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from m3net import attributes
from m3net.borders import beyond_image
from m3net.grid import GridBox
from m3net.nodule import Nodule
from m3net.outline import outline
from m3net.placed import PlacedNodule, Voxels
from m3net.prediction import HeatMap, Prediction
from m3net.resample import heat_map_on_grid, shown_on_grid
from m3net.scales import Scale
from m3net.uids import FrameKey, SOPInstanceUID
from m3net.volume import CTVolume
from node.core.locating import locate
from sr_templates.findings import Circle, ImageReference, Polyline
from sr_templates.pictures.capture_view import (
    BEYOND_HU,
    CaptureSlice,
    Direction,
    Locator,
    NoduleView,
    choose_slices,
)

NOMINAL_RADIUS_MM = 5.0
"""Radius of the circle that stands for a bare point."""

Headers = Mapping[SOPInstanceUID, Dataset]


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnNodule:
    """Where a nodule is drawn.

    voxels : on the CT's own grid
    key    : the slice on which the report draws it: where most of it is marked
    shown  : the slices of the capture, `key` among them; none that was not received
    """

    placed: PlacedNodule
    voxels: Voxels
    key: int
    shown: tuple[int, ...]

    @property
    def key_frame(self) -> FrameKey:
        """The frame that the key slice was read from."""
        return _frame(self.placed.volume, self.key)

    def images(self) -> list[SOPInstanceUID]:
        """The images that hold the slices shown, each once."""
        frames = (_frame(self.placed.volume, z) for z in self.shown)
        return list(dict.fromkeys(frame.sop_instance_uid for frame in frames))

    def region(self, header: Dataset) -> Circle | Polyline:
        """The mask's outline on the key slice, or a circle.

        header : of the image that holds the key slice
        """
        image = image_reference(header, self.key_frame)
        first, inside = self.voxels.box.first, self.voxels.inside
        nodule, volume = self.placed.nodule, self.placed.volume
        if nodule.mask is not None and self.key in self.voxels.slices():
            plane = self.key - first[0]
            points = tuple((col + first[2], row + first[1]) for col, row in outline(inside[plane]))
            return Polyline(image=image, points=points)
        _, y, x = self.placed.centre_index
        return Circle(
            image=image,
            centre=(float(x) + 0.5, float(y) + 0.5),
            radius=self.placed.radius_mm(NOMINAL_RADIUS_MM) / volume.spacing_mm[2],
            nominal=self.placed.nodule.is_bare,
        )

    def view(self, prediction: Prediction, headers: Headers) -> NoduleView:
        """The slices shown, as viewers page, with the maps and the outline on the CT's own grid.

        headers : of the images that hold them
        """
        volume = self.placed.volume
        square = self._square(prediction.heat_maps)
        shown = self._as_viewers_page(headers)
        offsets = [z - square.first[0] for z in shown]
        affine = square.affine(volume)
        slab = square.cut(volume.hu, of=GridBox.whole(volume.hu), fill=BEYOND_HU)
        slab[beyond_image(square, volume)] = BEYOND_HU
        return NoduleView(
            slab_hu=slab[offsets],
            spacing_mm=volume.spacing_mm[1:],
            row_direction=_unit(volume.affine[:3, 2]),
            col_direction=_unit(volume.affine[:3, 1]),
            outline=square.cut(self.voxels.inside, of=self.voxels.box, fill=False)[offsets],
            maps={
                scale.value: heat_map_on_grid(heat, affine=affine, shape=square.shape)[offsets]
                for scale, heat in prediction.heat_maps.items()
            },
            shown={
                scale.value: shown_on_grid(heat, affine=affine, shape=square.shape)[offsets]
                for scale, heat in prediction.heat_maps.items()
            },
            slices=[_named(volume, z, headers) for z in shown],
            key=shown.index(self.key),
            locator=self._locator(square, headers),
            nominal=self.placed.nodule.is_bare,
            flat_scales=frozenset(
                scale.value for scale, heat in prediction.heat_maps.items() if not heat.has_depth
            ),
        )

    def _as_viewers_page(self, headers: Headers) -> list[int]:
        """By the CT's image numbers, where each has one of its own; else along the normal."""
        numbers = {z: _image_number(self.placed.volume, z, headers) for z in self.shown}
        known = {z: number for z, number in numbers.items() if number is not None}
        if len(set(known.values())) < len(numbers):
            return sorted(self.shown)
        return sorted(self.shown, key=lambda z: known[z])

    def _locator(self, square: GridBox, headers: Headers) -> Locator | None:
        """None where the scan says that its pixels hold writing, which may name the patient.

        Cut about the nodule they hold none of it; a whole slice may.
        """
        written = (attributes.text(header, "BurnedInAnnotation") for header in headers.values())
        if any(word.upper() == "YES" for word in written):
            return None
        return locate(
            self.placed.volume,
            self.placed.nodule.centre_mm,
            key=self.key,
            first=square.first[1:],
        )

    def _square(self, heat_maps: Mapping[Scale, HeatMap]) -> GridBox:
        """The field of the largest patch, about the nodule, over all slices that are shown."""
        reach_mm = max(
            (
                np.linalg.norm(heat.affine[:, 1]) * heat.values.shape[1] / 2
                for heat in heat_maps.values()
            ),
            default=35.0,
        )
        half = max(8, round(float(reach_mm) / self.placed.volume.spacing_mm[1]))
        _, y, x = (round(float(value)) for value in self.placed.centre_index)
        first, last = min(self.shown), max(self.shown)
        return GridBox(
            first=(first, y - half, x - half), shape=(last - first + 1, 2 * half, 2 * half)
        )


def draw(nodule: Nodule, volume: CTVolume, *, max_slices: int) -> DrawnNodule:
    """Where the nodule is drawn in the CT; its capture shows at most `max_slices` slices."""
    placed = PlacedNodule(nodule=nodule, volume=volume)
    voxels = placed.voxels(bare_radius_mm=NOMINAL_RADIUS_MM)
    marked = voxels.slices()
    key = placed.key_slice(voxels)
    chosen = choose_slices(
        first=marked[0], last=marked[-1], key=key, total=volume.shape[0], at_most=max_slices
    )
    shown = tuple(z for z in chosen if volume.has_slice(z))
    return DrawnNodule(placed=placed, voxels=voxels, key=key, shown=shown)


def image_reference(header: Dataset, frame: FrameKey) -> ImageReference:
    """The slice as a report refers to it."""
    return ImageReference(
        sop_class_uid=str(header.SOPClassUID),
        sop_instance_uid=str(header.SOPInstanceUID),
        frame_number=frame.frame if _is_multi_frame(header) else None,
    )


def number_in_viewers(header: Dataset, frame: FrameKey) -> int | None:
    """By which a viewer finds the slice: its Instance Number, or the number of its frame."""
    if _is_multi_frame(header):
        return frame.frame
    return attributes.whole(header, "InstanceNumber")


def count_in_viewers(header: Dataset, volume: CTVolume, z: int) -> int | None:
    """Of how many slice z is one: the frames of its object, or the images of its series that came.

    None where images are not numbered one by one from either end: "Im 70 / 70" may be the middle.
    """
    if _is_multi_frame(header):
        return _frame_count(header)
    number = attributes.whole(header, "InstanceNumber")
    if number is None:
        return None
    depth, beside = volume.shape[0], len(volume.left_out)  # which may stand before it, a scout
    if not any(0 <= number - place <= beside for place in (z + 1, depth - z)):
        return None
    return sum(frame is not None for frame in volume.frames) + beside


def _is_multi_frame(header: Dataset) -> bool:
    """Whether a reference to one slice of the image must name its frame."""
    return _frame_count(header) > 1


def _frame_count(header: Dataset) -> int:
    return attributes.whole(header, "NumberOfFrames") or 1


def _frame(volume: CTVolume, z: int) -> FrameKey:
    frame = volume.frames[z]
    assert frame is not None  # noqa: S101  # absent slices are never chosen
    return frame


def _named(volume: CTVolume, z: int, headers: Headers) -> CaptureSlice:
    frame = _frame(volume, z)
    header = headers[frame.sop_instance_uid]
    normal = np.cross(volume.affine[:3, 2], volume.affine[:3, 1])
    position = volume.to_mm((z, 0, 0)) @ (normal / np.linalg.norm(normal))
    return CaptureSlice(
        source=image_reference(header, frame),
        position_mm=float(position),
        image_number=number_in_viewers(header, frame),
    )


def _image_number(volume: CTVolume, z: int, headers: Headers) -> int | None:
    frame = _frame(volume, z)
    return number_in_viewers(headers[frame.sop_instance_uid], frame)


def _unit(vector: NDArray[np.float64]) -> Direction:
    x, y, z = vector / np.linalg.norm(vector)
    return float(x), float(y), float(z)
