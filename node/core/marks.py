"""A study's CT as a volume, and what its annotations mark in it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from m3net.annotations.nodules import Found, find_nodules
from m3net.annotations.readers import READERS
from m3net.annotations.types import Annotation
from m3net.ct.series import read_series_files
from m3net.errors import AnnotationUnusable
from m3net.uids import SOPInstanceUID
from m3net.volume import CTVolume
from node.core.conversions import conversions_of, followed, planes_of
from node.core.inputs import StudyInputs
from node.core.reading import read_annotation
from node.core.series_choice import marked_frames


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What is marked, and in which volume.

    inputs : those that were given, their annotations followed to the CT that was converted
    unread : one sentence per annotation object that cannot be read
    """

    inputs: StudyInputs
    volume: CTVolume
    found: Found
    unread: tuple[str, ...]


def read_marks(
    inputs: StudyInputs,
    *,
    paths: Mapping[SOPInstanceUID, Path],
    judge_unlabelled: bool,
    assumed_character_set: str | None,
) -> Marks:
    """The study's marks in its CT, read from the files.

    paths                 : the file of each instance of `inputs`
    judge_unlabelled      : bidirectional and arrow marks without a finding count as nodules
    assumed_character_set : of annotations that declare none

    Raises StudyError if the CT is no volume.
    """
    conversions = conversions_of((*inputs.ct, *inputs.elsewhere))
    inputs = replace(inputs, annotations=followed(inputs.annotations, conversions))
    annotations, unread = _read_annotations(inputs, paths, assumed_character_set)
    volume = read_series_files(
        [paths[facts.sop_instance_uid] for facts in inputs.ct],
        marked=marked_frames(inputs.annotations),
    )
    return Marks(
        inputs=inputs,
        volume=volume,
        found=find_nodules(annotations, volume, judge_unlabelled=judge_unlabelled),
        unread=unread,
    )


def _read_annotations(
    inputs: StudyInputs,
    paths: Mapping[SOPInstanceUID, Path],
    assumed_character_set: str | None,
) -> tuple[list[Annotation], tuple[str, ...]]:
    planes = planes_of((*inputs.ct, *inputs.elsewhere), scouts=inputs.scouts)
    annotations, unreadable = [], []
    for facts in inputs.annotations:
        try:
            dataset = read_annotation(
                paths[facts.sop_instance_uid], assumed_character_set=assumed_character_set
            )
            annotations.append(READERS[facts.sop_class_uid].read(dataset, planes))
        except AnnotationUnusable as reason:
            unreadable.append(f"{facts.kind}: {reason}")
    return annotations, tuple(unreadable)


def slice_thickness_mm(inputs: StudyInputs) -> float | None:
    """Of the thickest slice of the CT that states it."""
    return max(
        (facts.slice_thickness_mm for facts in inputs.ct if facts.slice_thickness_mm), default=None
    )
