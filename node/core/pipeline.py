"""The whole way of one study, from pixels to report; read this first.

A job names its inputs (`StudyInputs`: which CT series, which annotations, and what was missing when
it was made).  Out of them come results: one report for the study, one capture per nodule.

1. `assess`: slices -> volume in HU; annotations -> nodules in the patient's frame; each nodule with
   its context whole -> patches -> probability and heat maps.  What cannot be judged is refused with
   one reason each.
2. `with_growth`: where an earlier CT of the patient is among the inputs, the same nodules are found
   in it, and told how they have grown.
3. `build_results`: findings -> measurement report, captures and what some destination asks for
   beside them, in the richest form, under derived UIDs and with the job's own dates.

Nothing here knows the clock, a database, a network or a queue: the same arguments give the same
objects, so a crash in the middle is cured by doing it again.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from pydicom import Dataset

from m3net.annotations.meaning import nodules_named_in
from m3net.card import ModelCard
from m3net.errors import StudyError
from m3net.prediction import Classifier
from m3net.uids import SOPInstanceUID
from node.core.assessment import Assessment, assess
from node.core.growth import with_growth
from node.core.inputs import Intent, Role, StudyInputs
from node.core.objects import ResultSettings, Stamp, build_results
from node.core.reading import read_header
from node.core.results import Results
from sr_templates.findings import Outcome

Paths = Mapping[SOPInstanceUID, Path]


def analyse(
    inputs: StudyInputs,
    *,
    paths: Paths,
    classifier: Classifier,
    stamp: Stamp,
    settings: ResultSettings,
    on_nodule: Callable[[int], None] | None = None,
) -> Results:
    """What the node says of the study; a study that cannot be analysed has results as well.

    paths     : the file of each instance of `inputs`
    on_nodule : called with 0, 1, ... after each nodule
    """
    return _build(
        _assessed(inputs, paths, classifier, settings, on_nodule),
        inputs=inputs,
        paths=paths,
        card=classifier.card,
        fingerprint=classifier.fingerprint,
        stamp=stamp,
        settings=settings,
    )


def report_failure(
    inputs: StudyInputs,
    *,
    reason: str,
    paths: Paths,
    card: ModelCard,
    fingerprint: str,
    stamp: Stamp,
    settings: ResultSettings,
) -> Results:
    """The report of a job that died: the machinery failed, nothing was assessed."""
    return _build(
        Assessment(outcome=Outcome.TECHNICAL_FAILURE, reasons=(reason,), remarks=inputs.remarks),
        inputs=inputs,
        paths=paths,
        card=card,
        fingerprint=fingerprint,
        stamp=stamp,
        settings=settings,
    )


def _assessed(
    inputs: StudyInputs,
    paths: Paths,
    classifier: Classifier,
    settings: ResultSettings,
    on_nodule: Callable[[int], None] | None,
) -> Assessment:
    match inputs.intent:
        case Intent.REPORT_NOT_ANNOTATED:
            return Assessment(outcome=Outcome.NOT_ANNOTATED, remarks=inputs.remarks)
        case Intent.REPORT_NOT_ANALYSED:
            return _not_analysed(inputs, inputs.reason)
        case Intent.ANALYSE:
            try:
                with nodules_named_in(settings.languages):
                    assessment = assess(
                        inputs,
                        paths=paths,
                        classifier=classifier,
                        judge_unlabelled=settings.judge_unlabelled,
                        assumed_character_set=settings.assumed_character_set,
                        max_diameter_mm=settings.max_diameter_mm,
                        max_nodules=settings.max_nodules,
                        on_nodule=on_nodule,
                    )
                    return with_growth(
                        assessment,
                        inputs,
                        paths=paths,
                        judge_unlabelled=settings.judge_unlabelled,
                        assumed_character_set=settings.assumed_character_set,
                    )
            except StudyError as reason:
                return _not_analysed(inputs, str(reason))


def _not_analysed(inputs: StudyInputs, reason: str | None) -> Assessment:
    return Assessment(
        outcome=Outcome.NOT_ANALYSED,
        reasons=() if reason is None else (reason,),
        unread=inputs.unread,
        remarks=inputs.remarks,
    )


def _build(
    assessment: Assessment,
    *,
    inputs: StudyInputs,
    paths: Paths,
    card: ModelCard,
    fingerprint: str,
    stamp: Stamp,
    settings: ResultSettings,
) -> Results:
    def header_of(uid: SOPInstanceUID) -> Dataset:
        return read_header(paths[uid], assumed_character_set=settings.assumed_character_set)

    return build_results(
        assessment,
        card=card,
        fingerprint=fingerprint,
        stamp=stamp,
        settings=settings,
        subject=header_of(_subject(inputs)),
        header_of=header_of,
    )


def _subject(inputs: StudyInputs) -> SOPInstanceUID:
    """The instance whose patient and study the results carry: a CT slice, else the annotation."""
    readable = [facts for facts in inputs.annotations if facts.role is Role.ANNOTATION]
    return min(facts.sop_instance_uid for facts in inputs.ct or readable or inputs.annotations)
