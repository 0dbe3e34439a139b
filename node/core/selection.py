"""What of a study is analysed: which CT series, which annotations; from headers alone.

Scouts, reformats, dose reports and this node's own results are neither input nor hindrance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from m3net.annotations.image_classes import CT, may_be_of_ct
from m3net.uids import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.core.conversions import conversions_of, followed
from node.core.digest import NO_PATIENT
from node.core.inputs import InstanceFacts, Intent, Role, SeriesChoice, StudyInputs
from node.core.series_choice import choose_series, marked_frames
from node.core.slices import geometry_of
from sr_templates.spoken import counted

_NOT_RECEIVED = "the CT that the annotation refers to was not received"
_NO_CT = "what the annotation is drawn on was received, and is no CT that can be read"
_ON_A_SCOUT = (
    "the annotation is drawn on a scout or a projection, which does not tell how deep a mark lies"
)
_ANOTHER_PATIENT = "the annotation names another patient than the CT"
_CT_OF_NOBODY = "the annotation names a patient, and the CT names none"
_OF_NOBODY = "the annotation names no patient, and no slice of the CT that would tell whose it is"
_TAKEN_BY_SLICES = "it names no patient, and was taken for the CT's by the slices that it names"
_CT_TAKEN_BY_SLICES = (
    "it names a patient and the CT names none; "
    "it was taken for the CT's by the slices that it names"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a job would work on if nothing more came.

    awaits        : what may still be on its way, one phrase each ("for ..."); empty: nothing
    after_waiting : if it does not come, the reason why the study is not analysed; None: what is
                    there is analysed all the same
    on_ct         : whether annotations mark nodules on a CT, which is here or may still come
    """

    inputs: StudyInputs
    awaits: tuple[str, ...] = ()
    after_waiting: str | None = None
    on_ct: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Study:
    """A study's instances by what they are to the node."""

    uid: StudyInstanceUID
    series: Mapping[SeriesInstanceUID, Sequence[InstanceFacts]]
    readable: Sequence[InstanceFacts]
    unsupported: Sequence[InstanceFacts]
    present: frozenset[SOPInstanceUID]
    scouts: frozenset[SOPInstanceUID]
    unread: Sequence[InstanceFacts]
    """CT images that came and are damaged, or too large to be taken apart."""


def select(study: StudyInstanceUID, instances: Sequence[InstanceFacts]) -> Selection | None:
    """The inputs of a job, and what they still lack; None if nothing in the study is for this node.

    instances : current versions, in the order in which they came
    """
    found = _sorted(study, instances)
    annotated = bool(found.readable or found.unsupported)
    if not (found.series or annotated):
        return None
    if not annotated:
        return _unannotated(found)
    if not found.series:
        return _without_ct(found)
    return _with_ct(found)


def _sorted(study: StudyInstanceUID, instances: Sequence[InstanceFacts]) -> _Study:
    series: dict[SeriesInstanceUID, list[InstanceFacts]] = {}
    for facts in instances:
        if facts.role is Role.CT:
            series.setdefault(facts.series_instance_uid, []).append(facts)

    def of(role: Role) -> tuple[InstanceFacts, ...]:
        return tuple(facts for facts in instances if facts.role is role)

    return _Study(
        uid=study,
        series={uid: sorted(series[uid], key=lambda f: f.sop_instance_uid) for uid in series},
        readable=followed(of(Role.ANNOTATION), conversions_of(of(Role.CT))),
        unsupported=of(Role.UNSUPPORTED_ANNOTATION),
        present=frozenset(facts.sop_instance_uid for facts in instances),
        scouts=frozenset(facts.sop_instance_uid for facts in of(Role.LOCALIZER)),
        unread=tuple(facts for facts in of(Role.OTHER) if facts.sop_class_uid in CT),
    )


def _unannotated(found: _Study) -> Selection:
    """There is CT, and nobody has marked anything; whether that is reported is a setting."""
    choice = choose_series(found.series, ())
    return Selection(inputs=_inputs(found, choice, intent=Intent.REPORT_NOT_ANNOTATED))


def _without_ct(found: _Study) -> Selection | None:
    """An annotation alone.

    None if no annotation is known to mark a nodule on a CT: a brain's segmentation, a report on an
    MR and the plan of another treatment are other people's studies.
    """
    annotations = (*found.readable, *found.unsupported)
    if not any(map(_marks_nodule_on_ct, found.readable)):
        return None
    if all(_is_on_scouts(found, facts) for facts in found.readable):
        reason = _ON_A_SCOUT
    else:
        here = any(_is_on(found.present - found.scouts, facts) for facts in found.readable)
        reason = _NO_CT if here else _NOT_RECEIVED
    return Selection(
        inputs=_inputs(
            found,
            None,
            annotations=annotations,
            missing=_missing(found, found.readable),
            reason=reason,
        ),
        awaits=("for the CT that the annotation refers to",),
        on_ct=reason is _NOT_RECEIVED,
    )


def _with_ct(found: _Study) -> Selection:
    """CT and annotations; which of these are of the CT's patient decides what can be done."""
    choice, own = _chosen(found)
    accepted, patients = own.accepted, own.patients
    strangers = [facts for facts in found.readable if facts not in accepted]
    unread = (
        *(f"{facts.kind}: {_why_a_stranger(facts, patients)}." for facts in strangers),
        *(f"{_not_supported(facts)}." for facts in found.unsupported),
    )
    if not any(_may_mark(facts) for facts in accepted):
        refused = (*strangers, *found.unsupported)
        if refused:
            reason = (
                _why_a_stranger(strangers[0], patients)
                if strangers
                else _not_supported(found.unsupported[0])
            )
            return Selection(
                inputs=_inputs(
                    found,
                    choice,
                    annotations=(*accepted, *refused),
                    reason=reason,
                    # The first of them is the reason; nobody wants to read it twice.
                    unread=unread[1:],
                )
            )
    nobody = all(patient.patient_key == NO_PATIENT for patient in patients)
    inputs = _inputs(
        found,
        choice,
        intent=Intent.ANALYSE,
        annotations=accepted,
        missing=_missing(found, accepted),
        unread=unread,
        remarks=tuple(
            f"{facts.kind}: {_CT_TAKEN_BY_SLICES if nobody else _TAKEN_BY_SLICES}."
            for facts in own.by_slices
        )
        + _unread_of(found, choice.series_instance_uid),
    )
    if own.mixed:
        return Selection(
            inputs=inputs,
            awaits=("for all slices of the CT series to name the same patient",),
            after_waiting="the slices of the CT series name different patients",
        )
    return _analysable(found, inputs)


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfPatient:
    """The annotations that are of a CT series' patient.

    patients  : one slice of each patient that the series names, hardly ever more than one
    mixed     : whether these are not one patient; then the series is still to be set right
    by_slices : those that were taken for the patient's by the slices that they name
    """

    patients: Sequence[InstanceFacts]
    mixed: bool
    accepted: Sequence[InstanceFacts]
    by_slices: Sequence[InstanceFacts]


def _chosen(found: _Study) -> tuple[SeriesChoice, _OfPatient]:
    """The CT series and the annotations of its patient, which alone choose it.

    Where a stranger's had chosen another series, whoever was accepted for that one must be of this
    one's patient too: a study may hold CT of two.
    """
    voices = found.readable
    while True:
        choice = choose_series(found.series, voices)
        own = _of_patient(voices, found.series[choice.series_instance_uid])
        if not own.accepted or len(own.accepted) == len(voices):
            return choice, own
        voices = own.accepted


def _of_patient(
    annotations: Sequence[InstanceFacts], slices: Sequence[InstanceFacts]
) -> _OfPatient:
    patients = list({(facts.patient_key, facts.issuer_key): facts for facts in slices}.values())
    mixed = not all(one.may_be_of_the_patient_of(two) for one, two in combinations(patients, 2))
    # of a series that is still to be set right, an annotation may be of any patient
    enough = any if mixed else all
    own = frozenset(facts.sop_instance_uid for facts in slices)
    named = any(patient.patient_key != NO_PATIENT for patient in patients)
    by_patient = [
        facts
        for facts in annotations
        if (facts.patient_key != NO_PATIENT) == named
        and enough(map(facts.may_be_of_the_patient_of, patients))
    ]
    by_slices = [
        facts
        for facts in annotations
        if (facts.patient_key == NO_PATIENT) == named and _names_any(facts, own)
    ]
    if not named and len({facts.patient_key for facts in by_slices}) > 1:
        by_slices = []  # at most one of them is right, and the CT does not say which
    accepted = [facts for facts in annotations if facts in by_patient or facts in by_slices]
    if not mixed and len({facts.issuer_key for facts in accepted} - {""}) > 1:
        # The CT names no issuer and they name several: at most one is right, and none says which.
        accepted = [facts for facts in accepted if not facts.issuer_key]
    return _OfPatient(
        patients=patients,
        mixed=mixed,
        accepted=accepted,
        by_slices=[facts for facts in accepted if facts in by_slices],
    )


def _analysable(found: _Study, inputs: StudyInputs) -> Selection:
    awaits: list[str] = []
    after_waiting = None
    of_nodules = [facts for facts in inputs.annotations if _marks_nodule(facts)]
    if of_nodules and not any(_belongs(found, facts) for facts in of_nodules):
        awaits.append("for the CT that the annotation refers to")
        if any(f.references and f.references.sop_instance_uids for f in of_nodules):
            after_waiting = _NOT_RECEIVED
    elif inputs.missing:
        awaits.append(f"for {counted(len(inputs.missing), 'instance')} that the annotation needs")
    geometry = geometry_of(inputs.ct, marked=marked_frames(inputs.annotations))
    if geometry is not None and geometry.missing_slices:
        awaits.append(f"for {counted(geometry.missing_slices, 'slice')} missing in the CT series")
    if len({facts.identity_digest for facts in inputs.ct}) > 1:
        awaits.append("for all slices of the CT series to name patient and study alike")
    return Selection(
        inputs=inputs, awaits=tuple(awaits), after_waiting=after_waiting, on_ct=bool(of_nodules)
    )


def _inputs(
    found: _Study,
    choice: SeriesChoice | None,
    *,
    intent: Intent = Intent.REPORT_NOT_ANALYSED,
    annotations: Sequence[InstanceFacts] = (),
    missing: frozenset[SOPInstanceUID] = frozenset(),
    reason: str | None = None,
    unread: tuple[str, ...] = (),
    remarks: tuple[str, ...] = (),
) -> StudyInputs:
    """The inputs around the chosen series."""
    of_patient = [facts for facts in annotations if facts in found.readable]
    ct = found.series[choice.series_instance_uid] if choice else ()
    marked = {
        uid for facts in of_patient if facts.references for uid in facts.references.marked_images
    }
    elsewhere = [
        facts
        for slices in found.series.values()
        for facts in slices
        if facts.sop_instance_uid in marked and facts not in ct
    ]
    return StudyInputs(
        study_instance_uid=found.uid,
        intent=intent,
        series=choice,
        ct=tuple(ct),
        annotations=tuple(annotations),
        elsewhere=tuple(sorted(elsewhere, key=lambda facts: facts.sop_instance_uid)),
        missing=missing,
        scouts=found.scouts.intersection(marked),
        reason=reason,
        unread=unread,
        remarks=remarks,
    )


def _missing(found: _Study, annotations: Sequence[InstanceFacts]) -> frozenset[SOPInstanceUID]:
    """What annotations of nodules refer to; for an organ's segmentation nobody waits."""
    wanted = (
        facts.references.sop_instance_uids
        for facts in annotations
        if facts.references is not None and _marks_nodule(facts)
    )
    unread = {facts.sop_instance_uid for facts in found.unread}
    return frozenset().union(*wanted) - (found.present - unread)


def _unread_of(found: _Study, series: SeriesInstanceUID) -> tuple[str, ...]:
    """One at the end of a scan leaves no gap: nothing else would tell of it."""
    number = sum(facts.series_instance_uid == series for facts in found.unread)
    if not number:
        return ()
    return (f"{counted(number, 'image')} of the CT series came and could not be read; resend it.",)


def _belongs(found: _Study, facts: InstanceFacts) -> bool:
    """Whether the CT that the annotation is about is among what came."""
    references = facts.references
    if references is None:
        return True  # it cannot be read; the report says so, whatever else comes
    if references.sop_instance_uids:
        here = found.scouts.union(
            slice_.sop_instance_uid for slices in found.series.values() for slice_ in slices
        )
        return _names_any(facts, here)
    geometries = (geometry_of(slices) for slices in found.series.values())
    frames = {geometry.frame_of_reference_uid for geometry in geometries if geometry}
    return references.frame_of_reference_uid is None or references.frame_of_reference_uid in frames


def _names_any(facts: InstanceFacts, images: frozenset[SOPInstanceUID]) -> bool:
    references = facts.references
    return references is not None and not images.isdisjoint(references.sop_instance_uids)


def _is_on_scouts(found: _Study, facts: InstanceFacts) -> bool:
    """Whether everything that it draws is drawn on scouts that are here."""
    return _is_on(found.scouts, facts)


def _is_on(images: frozenset[SOPInstanceUID], facts: InstanceFacts) -> bool:
    """Whether it draws, and on these images alone."""
    marked = facts.references.marked_images if facts.references else frozenset()
    return bool(marked) and marked <= images


def _marks_nodule(facts: InstanceFacts) -> bool:
    """Whether the annotation marks a nodule, or cannot be read."""
    return facts.references is None or facts.references.nodules


def _marks_nodule_on_ct(facts: InstanceFacts) -> bool:
    references = facts.references
    return references is not None and references.nodules and may_be_of_ct(references.image_classes)


def _why_a_stranger(facts: InstanceFacts, patients: Sequence[InstanceFacts]) -> str:
    if facts.patient_key == NO_PATIENT:
        return _OF_NOBODY
    nobody = all(patient.patient_key == NO_PATIENT for patient in patients)
    return _CT_OF_NOBODY if nobody else _ANOTHER_PATIENT


def _may_mark(facts: InstanceFacts) -> bool:
    """False only for an annotation that is known to mark nothing."""
    references = facts.references
    return references is None or bool(references.marked or references.centres_mm)


def _not_supported(facts: InstanceFacts) -> str:
    return (
        f"{facts.kind} not supported yet; send the nodules as a segmentation, an RT structure set "
        "or a TID 1500 report"
    )
