"""Annotated DICOM as the node receives it, through the node's own readers, with labels from a CSV.

    tracking_uid,label          label: benign or malignant, 0 or 1
    tracking_id,label           instead, where the tracking identifier is unique
    tracking_uid,malignancy_scores      instead of a label: every reader's, "4 3 5"
    ...,study_instance_uid      optional, so that "Nodule 1" may stand in every study

Of a study, the CT series is analysed that the annotations draw on; else that they refer to; else of
those in their frame of reference the one with most slices.  A patient is known by a digest of the
Patient ID, so that crops hold no identity and splits by patient still work.
"""

import csv
import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread

from m3net.annotations.nodules import find_nodules
from m3net.annotations.reader import AnnotationReader
from m3net.annotations.readers import READERS, reader_for, recognise
from m3net.annotations.types import Planes
from m3net.ct.frame_types import shows_no_slice
from m3net.ct.series import read_series_files, slice_plane
from m3net.errors import StudyError
from m3net.nodule import Nodule
from m3net.uids import FrameKey, SeriesInstanceUID, SOPClassUID, SOPInstanceUID
from m3net.volume import CTVolume, why_not_whole
from training.data.crops import BlockSize, Crop, CropLabel, Skipped, cut_block
from training.data.dicom_files import DicomFile, by_series, find_dicom
from training.data.errors import LabelsUnusable
from training.data.lidc.placing import DEPTH
from training.data.prepare import Cut

_SCORES = {"benign": (1,), "0": (1,), "malignant": (5,), "1": (5,)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Scores by (study or "", tracking UID or identifier)."""

    scores: Mapping[tuple[str, str], tuple[int, ...]]

    def of(self, nodule: Nodule, study: str) -> tuple[int, ...] | None:
        """The nodule's; its tracking UID counts before its identifier, its study before none."""
        for tracking in (nodule.tracking_uid, nodule.tracking_id):
            for of_study in (study, ""):
                found = self.scores.get((of_study, tracking))
                if found is not None:
                    return found
        return None


def read_label_table(path: Path) -> Labels:
    """The table's labels.

    Raises LabelsUnusable if a row says nothing, something else, or something twice.
    """
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    scores: dict[tuple[str, str], tuple[int, ...]] = {}
    for number, row in enumerate(rows, start=2):
        tracking = (row.get("tracking_uid") or row.get("tracking_id") or "").strip()
        key = ((row.get("study_instance_uid") or "").strip(), tracking)
        if not tracking or key in scores:
            what = "names no tracking_uid or tracking_id" if not tracking else "repeats a nodule"
            raise LabelsUnusable(f"line {number} of {path.name} {what}")
        scores[key] = _scores(row, where=f"line {number} of {path.name}")
    return Labels(scores=scores)


def _scores(row: Mapping[str, str], *, where: str) -> tuple[int, ...]:
    label = (row.get("label") or "").strip().lower()
    if label in _SCORES:
        return _SCORES[label]
    given = (row.get("malignancy_scores") or "").split()
    if label or not given or not all(each in {"1", "2", "3", "4", "5"} for each in given):
        raise LabelsUnusable(
            f"{where} has the label {label or ' '.join(given)!r}; expected benign, malignant, 0, 1 "
            "or malignancy_scores from 1 to 5"
        )
    return tuple(int(each) for each in given)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyUnit:
    """One study: its CT series and the objects that may be annotations."""

    name: str
    series: Mapping[SeriesInstanceUID, Sequence[DicomFile]]
    objects: Sequence[Path]
    labels: Labels

    def cut(self, size: BlockSize) -> Cut:
        """Every nodule that is marked, labelled and can be analysed."""
        objects = [dcmread(path) for path in self.objects]
        annotations = sorted((each for each in objects if recognise(each) is not None), key=_age)
        if not annotations:
            raise StudyError("the study has no annotation that can be read")
        files = [file.path for file in self._choose(annotations)]
        headers = [dcmread(path, stop_before_pixels=True) for path in files]
        patients = {str(each.get("PatientID") or "") for each in (*headers, *annotations)}
        if len(patients) > 1:
            raise StudyError("its slices and annotations name different patients")
        planes = Planes(
            {
                FrameKey(SOPInstanceUID(str(header.SOPInstanceUID))): slice_plane(header)
                for header in headers
                if not shows_no_slice(header)
            }
        )
        volume = read_series_files(files)
        found = find_nodules([_reader(each).read(each, planes) for each in annotations], volume)
        patient = hashlib.sha256(patients.pop().encode()).hexdigest()[:16]
        crops: list[Crop] = []
        skipped = [Skipped(name=each.tracking_uid, reason=each.reason) for each in found.refused]
        for nodule in found.nodules:
            scores = self.labels.of(nodule, self.name)
            reason = why_not_whole(volume, _window(volume, nodule), nodule.centre_mm)
            if scores is None:
                reason = "the table of labels does not name it"
            if reason is not None or scores is None:
                skipped.append(Skipped(name=nodule.tracking_uid, reason=str(reason)))
                continue
            label = CropLabel(name=nodule.tracking_uid, patient_id=patient, scores=scores)
            crops.append(cut_block(volume, nodule, label, size))
        return Cut(crops=tuple(crops), skipped=tuple(skipped))

    def _choose(self, annotations: Sequence[Dataset]) -> Sequence[DicomFile]:
        """The series to analyse."""
        if not self.series:
            raise StudyError("the study has no CT series")
        references = [_reader(each).references(each) for each in annotations]
        marked = {uid for each in references for uid in each.marked_images}
        referred = {uid for each in references for uid in each.sop_instance_uids}
        frames = {str(each.frame_of_reference_uid) for each in references}
        for wanted in (marked, referred):
            counts = Counter(
                {
                    uid: sum(file.sop_instance_uid in wanted for file in files)
                    for uid, files in self.series.items()
                }
            )
            uid, most = min(counts.items(), key=lambda count: (-count[1], count[0]))
            if most:
                return self.series[uid]
        in_frame = [files for files in self.series.values() if _frame(files[0]) in frames]
        if not in_frame:
            raise StudyError("no CT series is in the annotation's frame of reference")
        return min(in_frame, key=lambda files: (-len(files), files[0].series_instance_uid))


def find_studies(directory: Path, labels: Labels, *, jobs: int = 1) -> list[StudyUnit]:
    """Every study of the folder that holds an object which may mark nodules."""
    studies: dict[str, list[DicomFile]] = defaultdict(list)
    for file in find_dicom(directory, jobs=jobs):
        studies[file.study_instance_uid].append(file)
    return [
        StudyUnit(name=uid, series=by_series(files), objects=objects, labels=labels)
        for uid, files in sorted(studies.items())
        if (objects := [file.path for file in files if reader_for(file.sop_class_uid)])
    ]


def _window(volume: CTVolume, nodule: Nodule) -> range:
    """The slices about a nodule that any of the presets looks at (eq. 1)."""
    first = round(float(volume.to_index(nodule.centre_mm)[0])) - DEPTH // 2
    return range(first, first + DEPTH)


def _reader(annotation: Dataset) -> AnnotationReader:
    """Of an object that was recognised."""
    return READERS[SOPClassUID(str(annotation.SOPClassUID))]


def _age(annotation: Dataset) -> tuple[str, str, str]:
    """Oldest first, as `find_nodules` wants them."""
    when = (str(annotation.get("ContentDate") or ""), str(annotation.get("ContentTime") or ""))
    return *when, str(annotation.SOPInstanceUID)


def _frame(file: DicomFile) -> str:
    header = dcmread(file.path, stop_before_pixels=True, specific_tags=["FrameOfReferenceUID"])
    return str(header.get("FrameOfReferenceUID") or file.series_instance_uid)
