"""Which DICOM objects lie in a folder, at any depth and in any order, from their headers alone."""

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from m3net.uids import SeriesInstanceUID, SOPClassUID, SOPInstanceUID, StudyInstanceUID

CT_IMAGE = SOPClassUID("1.2.840.10008.5.1.4.1.1.2")
_KEYWORDS = ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomFile:
    """One object; a UID that it lacks is empty."""

    path: Path
    sop_class_uid: SOPClassUID
    sop_instance_uid: SOPInstanceUID
    study_instance_uid: StudyInstanceUID
    series_instance_uid: SeriesInstanceUID


def find_dicom(directory: Path, *, jobs: int = 1) -> list[DicomFile]:
    """Every DICOM file below the folder, by path; what is none is passed over."""
    folders = [Path(folder) for folder, _, files in os.walk(directory) if files]
    if jobs == 1:
        found = [_in_folder(folder) for folder in folders]
    else:
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            found = list(pool.map(_in_folder, folders, chunksize=4))
    return sorted((each for some in found for each in some), key=lambda each: each.path)


def by_series(files: Sequence[DicomFile]) -> dict[SeriesInstanceUID, list[DicomFile]]:
    """The CT images among the files."""
    series: dict[SeriesInstanceUID, list[DicomFile]] = defaultdict(list)
    for file in files:
        if file.sop_class_uid == CT_IMAGE:
            series[file.series_instance_uid].append(file)
    return series


def _in_folder(folder: Path) -> list[DicomFile]:
    return list(_headers(folder))


def _headers(folder: Path) -> Iterator[DicomFile]:
    for path in sorted(folder.iterdir()):
        if not path.is_file() or path.suffix.lower() in {".xml", ".csv", ".txt"}:
            continue
        try:
            header = dcmread(path, stop_before_pixels=True, specific_tags=_KEYWORDS)
        except InvalidDicomError:
            continue
        yield DicomFile(
            path=path,
            sop_class_uid=SOPClassUID(str(header.get("SOPClassUID") or "")),
            sop_instance_uid=SOPInstanceUID(str(header.get("SOPInstanceUID") or "")),
            study_instance_uid=StudyInstanceUID(str(header.get("StudyInstanceUID") or "")),
            series_instance_uid=SeriesInstanceUID(str(header.get("SeriesInstanceUID") or "")),
        )
