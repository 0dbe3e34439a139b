"""How judged nodules have changed since an earlier CT of the same patient.

The growth of the wrong nodule is worse than none: it is told only of a nodule that is marked in
both CTs (`node.core.earlier`) and whose volume is measured in both in the same way.  Of every other
the report says why it is not; whatever is wrong with the earlier CT, this one is reported.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from m3net.attributes import PARSER_ERRORS
from m3net.errors import NoduleUnusable, StudyError
from m3net.measurements import measure
from m3net.nodule import Nodule
from m3net.placed import PlacedNodule
from m3net.uids import SOPInstanceUID
from node.core.assessment import Assessment, JudgedNodule
from node.core.drawn import image_reference
from node.core.earlier import EarlierCT, read_earlier, same_nodules
from node.core.inputs import PriorStudy, StudyInputs
from node.core.marks import slice_thickness_mm
from node.core.reading import read_header
from sr_templates.findings import EarlierImage, Growth
from sr_templates.growth import (
    HOW_GROWTH_IS_RECKONED,
    change_percent,
    day_in_words,
    doubling_days,
)

MOST_COMPARED = 20
"""Nodules of a study that are looked for in an earlier CT: each takes seconds."""

_NOT_COMPARED: tuple[type[Exception], ...] = (StudyError, *PARSER_ERRORS)
"""What reading a CT raises that was read before, and is damaged, or gone, now."""

NEWER_NOT_JUDGED = (
    "The earlier CT is compared with as it was last reported: what came of its study since then is "
    "not judged."
)


def with_growth(
    assessment: Assessment,
    inputs: StudyInputs,
    *,
    paths: Mapping[SOPInstanceUID, Path],
    judge_unlabelled: bool,
    assumed_character_set: str | None,
) -> Assessment:
    """The assessment, each judged nodule with its growth or with the reason why it has none.

    The same assessment where the inputs have no earlier CT of the patient.

    paths : the file of each instance of `inputs` and of their prior
    """
    prior, judged = inputs.prior, assessment.judged
    if prior is None or not judged or not _of_one_patient(inputs, prior.inputs):
        return assessment
    try:
        if len(judged) > MOST_COMPARED:
            raise StudyError(f"more than {MOST_COMPARED} nodules are marked in this one")
        earlier = read_earlier(
            prior,
            inputs,
            paths=paths,
            judge_unlabelled=judge_unlabelled,
            assumed_character_set=assumed_character_set,
        )
        same = same_nodules([each.placed for each in judged], earlier)
        compared = [
            compared_with(each, mark, inputs, earlier, paths)
            for each, mark in zip(judged, same, strict=True)
        ]
    except _NOT_COMPARED as error:
        return replace(assessment, remarks=(*assessment.remarks, _why_none(error, prior, paths)))
    remarks = [*assessment.remarks]
    if any(each.growth for each in compared):
        remarks.append(HOW_GROWTH_IS_RECKONED)
    if prior.newer:
        remarks.append(NEWER_NOT_JUDGED)
    return replace(assessment, judged=tuple(compared), remarks=tuple(remarks))


def _why_none(error: Exception, prior: PriorStudy, paths: Mapping[SOPInstanceUID, Path]) -> str:
    """What fails while files of it are freed, or erased, fails by that."""
    if not all(paths[each.sop_instance_uid].is_file() for each in prior.inputs.instances()):
        return "No growth is told: the earlier CT of the patient is no longer kept."
    reason = (
        str(error)
        if isinstance(error, StudyError)
        else f"it cannot be read ({type(error).__name__})"
    )
    return f"An earlier CT of the patient is here, and no growth is told: {reason}."


def _of_one_patient(inputs: StudyInputs, earlier: StudyInputs) -> bool:
    """Every slice of both CTs names the same patient."""
    named = {(facts.patient_key, facts.issuer_key) for facts in (*inputs.ct, *earlier.ct)}
    return len(named) == 1 and all(patient for patient, _ in named)


def compared_with(
    judged: JudgedNodule,
    mark: Nodule | NoduleUnusable,
    inputs: StudyInputs,
    earlier: EarlierCT,
    paths: Mapping[SOPInstanceUID, Path],
) -> JudgedNodule:
    """The nodule with its growth; or with the reason why it has none."""
    try:
        if isinstance(mark, NoduleUnusable):
            raise mark
        growth, image = _growth(judged, mark, inputs, earlier, paths)
        return replace(judged, growth=growth, earlier=image)
    except NoduleUnusable as reason:
        said = f"no growth is told against the CT of {day_in_words(earlier.on)}: {reason}"
        return replace(judged, no_growth=said)


def _growth(
    judged: JudgedNodule,
    mark: Nodule,
    inputs: StudyInputs,
    earlier: EarlierCT,
    paths: Mapping[SOPInstanceUID, Path],
) -> tuple[Growth, EarlierImage]:
    """Raises NoduleUnusable where it may be none, or a volume is not known in both CTs."""
    if judged.doubt is not None:
        raise NoduleUnusable(judged.doubt)
    if mark.tracking_uid not in earlier.judged:
        raise NoduleUnusable("the mark at its place there was not judged")
    placed = PlacedNodule(nodule=mark, volume=earlier.volume)
    then = measure(placed, thickness_mm=slice_thickness_mm(earlier.inputs))
    now_mm3, then_mm3 = judged.measured.volume_mm3, then.volume_mm3
    if now_mm3 is None or then_mm3 is None:
        where = "here" if now_mm3 is None else "there"
        raise NoduleUnusable(f"its volume is not measured {where}")
    growth = Growth(
        on=earlier.on,
        days=earlier.days,
        volume_mm3=then_mm3,
        change_percent=change_percent(now_mm3=now_mm3, then_mm3=then_mm3),
        doubling_days=doubling_days(days=earlier.days, now_mm3=now_mm3, then_mm3=then_mm3),
        limits=_limits(judged.nodule, mark, inputs, earlier),
    )
    return growth, _image(placed, earlier, paths)


def _limits(
    nodule: Nodule, mark: Nodule, inputs: StudyInputs, earlier: EarlierCT
) -> tuple[str, ...]:
    kernels, then_kernels = (
        {facts.convolution_kernel for facts in each.ct} for each in (inputs, earlier.inputs)
    )
    kinds, then_kinds = (
        {source.sop_class_uid for source in each.sources} for each in (nodule, mark)
    )
    found = (
        "another reconstruction kernel then" if kernels != then_kernels else None,
        "marked in another kind of object then" if kinds != then_kinds else None,
        "the earlier CT was compressed with loss" if earlier.volume.lossy else None,
    )
    return tuple(limit for limit in found if limit is not None)


def _image(
    placed: PlacedNodule, earlier: EarlierCT, paths: Mapping[SOPInstanceUID, Path]
) -> EarlierImage:
    frame = earlier.volume.frames[placed.key_slice(placed.voxels())]
    if frame is None:
        raise NoduleUnusable("the slices of its mark there are not here")
    header = read_header(paths[frame.sop_instance_uid], assumed_character_set=None)
    return EarlierImage(
        accession=earlier.accession,
        study_instance_uid=str(header.StudyInstanceUID),
        series_instance_uid=str(header.SeriesInstanceUID),
        image=image_reference(header, frame),
    )
