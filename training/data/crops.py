"""Prepared nodules on disk: of each a block of its CT with all that serving wants to know.

    DIR/manifest.jsonl     what was prepared from what, and what was left out and why
    DIR/crops/NAME.npz     hu, mask, affines, and a JSON text

A block is a small CT volume with margin, cut from the series' own voxels, not yet patches: so it
serves every preset and augmentation, and goes through the functions that serve.  Where it ends
because the scan ends, it says so.

A file is whole or absent (written aside, fsynced, renamed), and only then named in the manifest, of
which each line is one unit of work: a series, a study, a cut-out.  A later line about a unit
replaces an earlier one.
"""

import hashlib
import json
import os
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from m3net.nodule import Mask, Nodule
from m3net.uids import FrameOfReferenceUID, SeriesInstanceUID, StudyInstanceUID
from m3net.volume import CTVolume, transform
from training.data.errors import CropsUnusable
from training.data.labels import Label, is_malignant

FORMAT = 1
MANIFEST = "manifest.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockSize:
    """How large a block is about the nodule's centre: the larger of voxels and millimetres.

    The macro patch is 96 x 96 x 56 voxels; turned and seen in perspective (preset `clinical`) it
    reaches over 178 x 178.
    """

    depth: int = 64
    side: int = 192
    extent_mm: float = 96.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CropLabel:
    """What is known of a nodule.

    name   : unique in the folder; splits refer to it
    scores : every reader's malignancy, 1 to 5; a label that is no reader's stands as one score, 1
             or 5
    """

    name: str
    patient_id: str
    scores: tuple[int, ...]

    @property
    def malignant(self) -> bool:
        """The paper's label: mean malignancy above 3 (Sec. 4.1)."""
        return is_malignant(self.scores)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """One nodule with the block of the CT about it.

    ends : (3, 2) bool, per axis (z, y, x) whether the block's low and high end are the scan's
    """

    label: CropLabel
    volume: CTVolume
    nodule: Nodule
    ends: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """What was left out, and the one reason."""

    name: str
    reason: str


def cut_block(
    volume: CTVolume,
    nodule: Nodule,
    label: CropLabel,
    size: BlockSize,
    *,
    whole_ends: tuple[bool, bool] = (True, True),
) -> Crop:
    """The block of the CT about a nodule's centre; where the volume ends, it begins further in.

    whole_ends : whether the volume's first and last slice are the scan's
    """
    shape = np.array(volume.shape)
    wanted = np.array([size.depth, size.side, size.side]) / 2
    half = np.ceil(np.maximum(wanted, size.extent_mm / 2 / np.array(volume.spacing_mm))).astype(int)
    centre = np.rint(volume.to_index(nodule.centre_mm)).astype(int)
    length = 2 * half + 1
    low = np.clip(centre - half, 0, np.maximum(shape - length, 0))
    high = np.minimum(low + length, shape)
    ends = np.column_stack([low == 0, high == shape])
    ends[0] &= whole_ends
    affine = volume.affine.copy()
    affine[:3, 3] = transform(volume.affine, low)
    z, y, x = (slice(a, b) for a, b in zip(low, high, strict=True))
    block = CTVolume(
        hu=np.ascontiguousarray(volume.hu[z, y, x]),
        affine=affine,
        study_instance_uid=volume.study_instance_uid,
        series_instance_uid=volume.series_instance_uid,
        frame_of_reference_uid=volume.frame_of_reference_uid,
        frames=volume.frames[z],
        missing=frozenset(int(n - low[0]) for n in volume.missing if low[0] <= n < high[0]),
        lossy=volume.lossy,
    )
    return Crop(label=label, volume=block, nodule=nodule, ends=ends)


def write_crop(directory: Path, crop: Crop) -> str:
    """The crop as DIR/crops/..., durably; the file's name."""
    mask, volume = crop.nodule.mask, crop.volume
    about = {
        "label": asdict(crop.label),
        "study_instance_uid": volume.study_instance_uid,
        "series_instance_uid": volume.series_instance_uid,
        "frame_of_reference_uid": volume.frame_of_reference_uid,
        "missing": sorted(volume.missing),
        "lossy": volume.lossy,
        "centre_mm": crop.nodule.centre_mm,
        "diameter_mm": crop.nodule.diameter_mm,
        "tracking_uid": crop.nodule.tracking_uid,
        "tracking_id": crop.nodule.tracking_id,
    }
    arrays: dict[str, Any] = {"hu": volume.hu, "affine": volume.affine, "ends": crop.ends}
    if mask is not None:
        arrays |= {"mask": mask.voxels, "mask_affine": mask.affine}
    folder = directory / "crops"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{_file_stem(crop.label.name)}.npz"
    part = folder / f"{name}.{os.getpid()}.part"
    with part.open("wb") as file:
        np.savez(file, about=np.array(json.dumps(about)), **arrays)
        file.flush()
        os.fsync(file.fileno())
    part.rename(folder / name)
    _sync(folder)
    return name


def _sync(folder: Path) -> None:
    """A rename is durable once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _file_stem(name: str) -> str:
    """Readable where the name allows it; two names never share one."""
    plain = re.sub(r"[^A-Za-z0-9.-]", "_", name)[:60]
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def read_crop(path: Path) -> Crop:
    """The crop that `write_crop` wrote.

    Raises CropsUnusable if the file is damaged or absent.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            arrays = {name: file[name] for name in file.files if name != "about"}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise CropsUnusable(f"{path.name} cannot be read ({error}); prepare it again") from error
    mask = None
    if "mask" in arrays:
        mask = Mask(voxels=arrays["mask"], affine=arrays["mask_affine"])
    return Crop(
        label=_label(about["label"]),
        volume=CTVolume(
            hu=arrays["hu"],
            affine=arrays["affine"],
            study_instance_uid=StudyInstanceUID(about["study_instance_uid"]),
            series_instance_uid=SeriesInstanceUID(about["series_instance_uid"]),
            frame_of_reference_uid=FrameOfReferenceUID(about["frame_of_reference_uid"]),
            frames=[None] * len(arrays["hu"]),
            missing=frozenset(about["missing"]),
            lossy=about["lossy"],
        ),
        nodule=Nodule(
            centre_mm=tuple(about["centre_mm"]),
            mask=mask,
            diameter_mm=about["diameter_mm"],
            tracking_uid=about["tracking_uid"],
            tracking_id=about["tracking_id"],
            sources=(),
        ),
        ends=arrays["ends"],
    )


def _label(about: Mapping[str, Any]) -> CropLabel:
    return CropLabel(
        name=about["name"], patient_id=about["patient_id"], scores=tuple(about["scores"])
    )


class CropFolder:
    """A folder of prepared crops: the labels of all, and each read when it is asked for."""

    def __init__(self, directory: Path) -> None:
        """Raises CropsUnusable if nothing was prepared there, or if preparing was cut short."""
        lines = manifest_lines(directory)
        if not lines:
            raise CropsUnusable(f"{directory} holds no prepared crops; m3train prepare makes them")
        if not lines[-1].get("finished"):
            raise CropsUnusable(f"preparing {directory} was cut short; give the command again")
        self._directory = directory
        self._files: dict[str, str] = {}
        labels, skipped = [], []
        for record in latest(lines).values():
            skipped += [Skipped(**each) for each in record["skipped"]]
            for each in record["crops"]:
                label = _label(each)
                if label.name in self._files:
                    raise CropsUnusable(f"{directory} holds two nodules named {label.name}")
                self._files[label.name] = each["file"]
                labels.append(label)
        self.labels: Sequence[CropLabel] = sorted(labels, key=lambda label: label.name)
        self.skipped: Sequence[Skipped] = skipped

    def read(self, label: Label) -> Crop:
        """One nodule's crop."""
        return read_crop(self._directory / "crops" / self._files[label.name])


def manifest_lines(directory: Path) -> list[dict[str, Any]]:
    """The manifest's whole lines; a last one that was cut short does not count."""
    path = directory / MANIFEST
    if not path.is_file():
        return []
    text = path.read_bytes()
    whole = text[: text.rfind(b"\n") + 1].decode()
    lines: list[dict[str, Any]] = [json.loads(line) for line in whole.splitlines()]
    if lines and lines[0].get("format") != FORMAT:
        raise CropsUnusable(f"{path} is not of format {FORMAT}; prepare into an empty folder")
    return lines


def latest(lines: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The last record of each unit."""
    return {line["unit"]: line for line in lines if "unit" in line}
