"""The study that the demo sends: the phantom's, or what a folder of the user's holds."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.uid import CTImageStorage

from m3net.annotations.kinds import UNSUPPORTED
from m3net.annotations.readers import recognise
from m3net.ct.enhanced import ENHANCED_CT
from m3net.ct.series import slice_headers
from m3net.errors import StudyError
from m3net.uids import FrameKey, SOPClassUID
from node.demo.annotations import measurement_report, segmentation
from node.demo.phantom import chest_phantom


class DemoFailed(Exception):
    """The demo cannot go on; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoStudy:
    """Files of one study, and what they are.

    found   : sentences about what is there
    missing : sentences about what is not, and what that means
    headers : of the CT slices, without pixels
    """

    files: tuple[Path, ...]
    found: tuple[str, ...]
    missing: tuple[str, ...]
    headers: dict[FrameKey, Dataset]


def write_phantom(directory: Path, *, size: int, slices: int) -> None:
    """The phantom's CT, SEG and SR lie in `directory` as files."""
    directory.mkdir(parents=True, exist_ok=True)
    phantom = chest_phantom(size=size, slices=slices)
    for number, ds in enumerate(phantom.ct, start=1):
        ds.save_as(directory / f"ct-{number:03d}.dcm", enforce_file_format=True)
    segmentation(phantom).save_as(directory / "nodules-seg.dcm", enforce_file_format=True)
    measurement_report(phantom).save_as(directory / "nodules-sr.dcm", enforce_file_format=True)


def survey(directory: Path) -> DemoStudy:
    """What lies in a folder and below it; names no patient.

    Raises DemoFailed if there is no study, more than one, or nothing that a node could judge.
    """
    if not directory.is_dir():
        raise DemoFailed(f"{directory} is no folder; give one that holds a chest CT and its SEG/SR")
    files: list[Path] = []
    studies: set[str] = set()
    slices: Counter[str] = Counter()
    annotations: Counter[str] = Counter()
    others = not_dicom = 0
    headers: dict[FrameKey, Dataset] = {}
    for path, ds in _datasets(directory):
        if ds is None:
            not_dicom += 1
            continue
        files.append(path)
        studies.add(str(ds.StudyInstanceUID))
        sop_class = SOPClassUID(str(ds.SOPClassUID))
        if ds.SOPClassUID == CTImageStorage or sop_class in ENHANCED_CT:
            slices[str(ds.SeriesInstanceUID)] += int(ds.get("NumberOfFrames") or 1)
            with suppress(StudyError):  # of a multi-frame object that is no CT; the report says so
                headers |= slice_headers(ds)
        elif recognise(ds) is not None:
            annotations[f"annotation that this node reads ({ds.Modality})"] += 1
        elif sop_class in UNSUPPORTED:
            annotations[f"{UNSUPPORTED[sop_class]}, which this node cannot read yet"] += 1
        else:
            others += 1
    if not files:
        raise DemoFailed(f"{directory} holds no DICOM file ({not_dicom} files of other kinds)")
    if len(studies) > 1:
        raise DemoFailed(f"{directory} holds {len(studies)} studies; give the folder of one")
    found = [f"CT series with {n} slices" for n in sorted(slices.values(), reverse=True)]
    found += [f"{n} x {kind}" if n > 1 else kind for kind, n in annotations.items()]
    if others:
        found.append(f"{others} other DICOM objects, which are sent and not read")
    missing = []
    if not_dicom:
        missing.append(f"not DICOM, and left where they are: {not_dicom} file(s)")
    if not slices:
        missing.append("there is no CT: the annotation alone cannot be judged")
    if not annotations:
        raise DemoFailed(
            f"found {'; '.join(found)}, but no annotation: the node judges nodules that a SEG or a"
            " TID 1500 SR marks. Put one beside the CT"
        )
    return DemoStudy(
        files=tuple(files), found=tuple(found), missing=tuple(missing), headers=headers
    )


def _datasets(directory: Path) -> Iterator[tuple[Path, Dataset | None]]:
    """Every file's header, or None for what is not DICOM or no composite object (a DICOMDIR)."""
    for path in sorted(p for p in directory.rglob("*") if p.is_file()):
        try:
            ds = dcmread(path, stop_before_pixels=True)
        except (InvalidDicomError, OSError):
            yield path, None
            continue
        composite = "SOPInstanceUID" in ds and "StudyInstanceUID" in ds
        yield path, ds if composite else None
