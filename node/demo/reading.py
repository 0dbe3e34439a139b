"""What the received objects say, read from the objects alone as any viewer would."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom import Dataset
from pydicom.sr.coding import Code

from m3net.uids import FrameKey, SOPInstanceUID
from sr_templates import codes


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadNodule:
    """One nodule of the report.

    centre_mm   : LPS, of what is drawn on the key slice; None if the slice is not at hand
    probability : of malignancy, in [0, 1]; None if it was not analysed
    captures    : SOP Instance UIDs of its visual explanation
    """

    tracking_id: str
    tracking_uid: str
    centre_mm: tuple[float, float, float] | None
    diameter_mm: float | None
    probability: float | None
    note: str
    captures: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadReport:
    """One report: its first line, its nodules, what else it remarks."""

    headline: str
    nodules: tuple[ReadNodule, ...]
    remarks: tuple[str, ...]


def read_report(report: Dataset, slices: Mapping[FrameKey, Dataset]) -> ReadReport:
    """The report as values.

    slices : headers of the CT slices; they place what the report draws
    """
    groups = [
        item
        for container in _children(report, codes_named="126010")
        for item in _children(container, codes_named="125007")
    ]
    evaluations = [
        item
        for container in _children(report, codes_named=codes.QUALITATIVE_EVALUATIONS.value)
        for item in container.get("ContentSequence", [])
    ]
    nodules = [_nodule(group, slices) for group in groups if _is_nodule(group)]
    nodules += [_nodule(item, slices) for item in evaluations if item.ValueType == "CODE"]
    return ReadReport(
        headline=next(iter(_texts(report, codes.SUMMARY)), ""),
        nodules=tuple(nodules),
        remarks=tuple(str(item.TextValue) for item in evaluations if item.ValueType == "TEXT"),
    )


def _is_nodule(group: Dataset) -> bool:
    return any(
        str(item.ConceptCodeSequence[0].CodeValue) == codes.NODULE.value
        for item in _children(group, codes_named=codes.FINDING.value)
    )


def _nodule(group: Dataset, slices: Mapping[FrameKey, Dataset]) -> ReadNodule:
    percent = _number(group, codes.PROBABILITY_OF_CANCER)
    if percent is None:
        percent = _number(group, codes.UNTRAINED_OUTPUT)
    uids = list(_children(group, codes_named=codes.TRACKING_UID.value))
    return ReadNodule(
        tracking_id=_text(group, codes.TRACKING_ID),
        tracking_uid=str(uids[0].UID) if uids else "",
        centre_mm=_centre_mm(group, slices),
        diameter_mm=_number(group, codes.DIAMETER),
        probability=None if percent is None else percent / 100,
        note=_text(group, codes.COMMENT),
        captures=tuple(
            str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
            for item in _children(group, codes_named=codes.VISUAL_EXPLANATION.value)
        ),
    )


def _children(item: Dataset, *, codes_named: str) -> Iterator[Dataset]:
    for child in item.get("ContentSequence", []):
        names = child.get("ConceptNameCodeSequence")
        if names and str(names[0].CodeValue) == codes_named:
            yield child


def _text(item: Dataset, name: Code) -> str:
    return " ".join(_texts(item, name))


def _texts(item: Dataset, name: Code) -> list[str]:
    return [str(child.TextValue) for child in _children(item, codes_named=name.value)]


def _number(item: Dataset, name: Code) -> float | None:
    for child in _children(item, codes_named=name.value):
        return float(child.MeasuredValueSequence[0].NumericValue)
    return None


def _centre_mm(
    group: Dataset, slices: Mapping[FrameKey, Dataset]
) -> tuple[float, float, float] | None:
    for region in group.get("ContentSequence", []):
        if region.ValueType != "SCOORD":
            continue
        points = np.array(region.GraphicData, dtype=float).reshape(-1, 2)
        # A circle is its centre and a point of its rim; an outline closes on its first point.
        column, row = points[0] if region.GraphicType == "CIRCLE" else _centroid(points)
        image = region.ContentSequence[0].ReferencedSOPSequence[0]
        frame = FrameKey(
            SOPInstanceUID(str(image.ReferencedSOPInstanceUID)),
            int(image.get("ReferencedFrameNumber") or 1),
        )
        if frame not in slices:
            return None
        plane = slices[frame]
        corner = np.array([float(v) for v in plane.ImagePositionPatient])
        directions = np.array([float(v) for v in plane.ImageOrientationPatient]).reshape(2, 3)
        between_rows, between_columns = (float(v) for v in plane.PixelSpacing)
        x, y, z = (
            corner
            + (column - 0.5) * between_columns * directions[0]
            + (row - 0.5) * between_rows * directions[1]
        )
        return float(x), float(y), float(z)
    return None


def _centroid(outline: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[float, float]:
    """Of the area inside the outline."""
    x, y = outline[:, 0], outline[:, 1]
    xn, yn = np.roll(x, -1), np.roll(y, -1)
    cross = x * yn - xn * y
    area = float(cross.sum()) / 2
    if abs(area) < 1e-9:
        return float(x.mean()), float(y.mean())
    return (
        float(((x + xn) * cross).sum() / (6 * area)),
        float(((y + yn) * cross).sum() / (6 * area)),
    )


def write_frames(captures: Sequence[Dataset], directory: Path, name: str) -> list[Path]:
    """Every frame of a nodule's captures lies in `directory` as `<name>-<number>.png`."""
    directory.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    for capture in captures:
        pixels = capture.pixel_array
        frames = pixels if pixels.ndim == 4 else pixels[None]
        for frame in frames:
            path = directory / f"{name}-{len(paths) + 1:02d}.png"
            Image.fromarray(frame).save(path)
            paths.append(path)
    return paths
