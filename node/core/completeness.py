"""Whether a study is complete: DICOM has no word for "that was all".

Pure: a snapshot and a time in, a verdict out, and every verdict carries the sentence that
`m3node why` shows.  What is judged is the series that the annotation marks (`node.core.selection`),
not scouts, reformats or dose reports.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from m3net.uids import StudyInstanceUID
from node.core.digest import freed_digest, question_digest
from node.core.fetching import (
    Fetch,
    Scope,
    Wanted,
    count_at_source,
    is_exhausted,
    open_fetch,
    source_to_ask,
    what_was_tried,
)
from node.core.inputs import InstanceFacts, Intent, Role, StudyInputs
from node.core.selection import Selection, select
from node.core.slices import slice_count
from sr_templates.spoken import counted


class WhenUnannotated(StrEnum):
    """What becomes of a quiet CT that nobody has annotated."""

    WAIT = "wait"
    REPORT = "report"


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRules:
    """When a study counts as complete.

    quiet_period_s : nothing came for so long, and no association that delivered to it is open
    max_wait_s     : from the last arrival; what is missing then is not waited for any longer
    sources        : names of those that are asked for what is missing, in this order
    max_fetches    : how often they are asked about one study without a person's asking
    unannotated_expires_s : from the last arrival; a CT that nothing marks is listed as expired then
    """

    quiet_period_s: float
    max_wait_s: float
    when_unannotated: WhenUnannotated
    sources: tuple[str, ...] = ()
    max_fetches: int = 10
    unannotated_expires_s: float = 14 * 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyPulse:
    """Whether a study is quiet, at one moment; while objects come it is asked often.

    change : the study's change counter; a judgement counts only if it is still the same
    """

    study_instance_uid: StudyInstanceUID
    last_arrival_at: datetime
    open_senders: int
    change: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySnapshot(StudyPulse):
    """The whole study at one moment.

    instances : the current versions, in the order in which they came
    unread    : how many more there are of which nothing has been read yet
    freed     : what else came, and has no file any more
    fetches   : what sources were asked about it, oldest first
    """

    instances: Sequence[InstanceFacts]
    unread: int = 0
    freed: Sequence[InstanceFacts] = ()
    fetches: Sequence[Fetch] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Not yet; `look_again_at` is None if only something that arrives can change that."""

    reason: str
    look_again_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitForReading(Wait):
    """It is quiet, and objects that came have not been read yet; then it can be judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired(Wait):
    """It waits still, and for longer than anybody should without hearing of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask(Wait):
    """A source is to be asked first, `because` of this; the study waits until it has answered."""

    source: str
    wanted: Wanted
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A job can be made of it; `reason` says why it counts as complete."""

    inputs: StudyInputs
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """Nothing in it is for this node."""

    reason: str


Readiness = Wait | Ready | Nothing


def until_quiet(pulse: StudyPulse, *, now: datetime, rules: StudyRules) -> Wait | None:
    """What a study that is not quiet waits for; None of one that is."""
    if pulse.open_senders:
        return Wait(
            reason="somebody who delivers to this study is still sending", look_again_at=None
        )
    quiet_at = _quiet_at(pulse, rules)
    if now < quiet_at:
        return Wait(
            reason=f"until nothing has come for {rules.quiet_period_s:g} s", look_again_at=quiet_at
        )
    return None


def _quiet_at(pulse: StudyPulse, rules: StudyRules) -> datetime:
    return pulse.last_arrival_at + timedelta(seconds=rules.quiet_period_s)


def readiness(snapshot: StudySnapshot, *, now: datetime, rules: StudyRules) -> Readiness:
    """What the study is waiting for, if anything."""
    if wait := until_quiet(snapshot, now=now, rules=rules):
        return wait
    if snapshot.unread:
        return WaitForReading(
            reason=f"until {counted(snapshot.unread, 'object')} that came "
            f"{'has' if snapshot.unread == 1 else 'have'} been read",
            look_again_at=now,
        )
    if fetch := open_fetch(snapshot.fetches):
        return Wait(reason=_asked(fetch.source), look_again_at=None)
    if freed := [facts for facts in snapshot.freed if facts.role in _JUDGED]:
        return _without_files(snapshot, freed, rules)
    selection = select(snapshot.study_instance_uid, snapshot.instances)
    if selection is None:
        return Nothing(reason=_why_nothing(snapshot.instances))
    if selection.on_ct and rules.sources:
        asked = _ask_sources(selection, snapshot, rules)
        if isinstance(asked, Ask):
            return asked
        selection = asked
    inputs = selection.inputs
    if inputs.intent is Intent.REPORT_NOT_ANNOTATED:
        if rules.when_unannotated is WhenUnannotated.WAIT:
            return _unannotated(snapshot, now=now, rules=rules)
        return Ready(inputs=inputs, reason="the CT is here and nobody has annotated it")
    if not selection.awaits:
        return Ready(inputs=inputs, reason=_all_here(inputs))
    given_up_at = max(
        _quiet_at(snapshot, rules), snapshot.last_arrival_at + timedelta(seconds=rules.max_wait_s)
    )
    if now < given_up_at:
        return Wait(
            reason=f"{'; '.join(selection.awaits)} (until {rules.max_wait_s:g} s after the last "
            "arrival)",
            look_again_at=given_up_at,
        )
    return _given_up(selection, rules)


def _unannotated(snapshot: StudySnapshot, *, now: datetime, rules: StudyRules) -> Wait:
    """A CT that nothing marks waits for an annotation, and is not forgotten over that."""
    expires_s = rules.unannotated_expires_s
    expires_at = snapshot.last_arrival_at + timedelta(seconds=expires_s)
    if now < expires_at:
        return Wait(
            reason="for an annotation: the CT is here, and nothing marks a nodule in it",
            look_again_at=expires_at,
        )
    return Expired(
        reason=f"for an annotation, and none came within {_span(expires_s)} after the last "
        "arrival: nothing in this CT has been assessed; when an annotation comes it will be",
        look_again_at=None,
    )


_JUDGED = frozenset({Role.CT, Role.ANNOTATION, Role.UNSUPPORTED_ANNOTATION})


def _without_files(
    snapshot: StudySnapshot, freed: Sequence[InstanceFacts], rules: StudyRules
) -> Readiness:
    """Something has come to a study of which other files were freed since it was reported.

    It is never judged from what is left of it: the report of the whole would be replaced by one of
    a part.
    """
    if not any(facts.role in _JUDGED for facts in snapshot.instances):
        return Nothing(
            reason="its files were freed from the disk, and what has come since is neither "
            "CT nor an annotation"
        )
    gone = frozenset(facts.sop_instance_uid for facts in freed)
    because = (
        f"{counted(len(gone), 'object')} of it that came before were freed from this node's disk, "
        "and nothing is judged from a part of it"
    )
    source = rules.sources and source_to_ask(
        wanted := Wanted(scope=Scope.STUDY, instances=gone, content=freed_digest(gone)),
        snapshot.fetches,
        here={facts.sop_instance_uid for facts in snapshot.instances},
        sources=rules.sources,
        max_fetches=rules.max_fetches,
    )
    if source:
        return Ask(
            reason=_asked(source), look_again_at=None, source=source, wanted=wanted, because=because
        )
    return Wait(
        reason=f"for the whole study to be sent again (or erased first): {because}",
        look_again_at=None,
    )


def _span(seconds: float) -> str:
    """So long, in the largest unit that it is a whole number of."""
    for unit, unit_s in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= unit_s and seconds % unit_s == 0:
            return counted(int(seconds // unit_s), unit)
    return f"{seconds:g} s"


def _ask_sources(
    selection: Selection, snapshot: StudySnapshot, rules: StudyRules
) -> Ask | Selection:
    """The next question to a source; where none is left, the selection with what they said."""
    inputs = selection.inputs
    series = inputs.series.series_instance_uid if inputs.series else None
    here = {
        facts.sop_instance_uid
        for facts in snapshot.instances
        if facts.series_instance_uid == series
    }
    wanted = Wanted(
        scope=Scope.MISSING,
        series=series,
        instances=inputs.missing,
        content=question_digest(inputs),
    )
    fetches, sources = snapshot.fetches, rules.sources
    source = source_to_ask(
        wanted, fetches, here=here, sources=sources, max_fetches=rules.max_fetches
    )
    if source is not None:
        return Ask(
            reason=_asked(source),
            look_again_at=None,
            source=source,
            wanted=wanted,
            because="; ".join(selection.awaits) or "to learn whether the CT series is whole",
        )
    count = series and count_at_source(series, fetches, here=here, sources=sources)
    proven_by = count.source if count and not (count.absent or inputs.missing) else None
    tried = what_was_tried(wanted, fetches, sources=sources, proven_by=proven_by)
    if proven_by is None and is_exhausted(fetches, max_fetches=rules.max_fetches):
        made = counted(rules.max_fetches, "question")
        tried += (f"No source is asked any more after {made}.",)
    return replace(
        selection,
        inputs=replace(inputs, at_source=count or None, remarks=(*inputs.remarks, *tried)),
    )


def _asked(source: str) -> str:
    return f"for {source}, which is asked what it holds of the study and for what is missing here"


def _why_nothing(instances: Sequence[InstanceFacts]) -> str:
    annotations = [f for f in instances if f.role in (Role.ANNOTATION, Role.UNSUPPORTED_ANNOTATION)]
    if not annotations:
        return "neither a chest CT nor an annotation is among what came"
    kinds = ", ".join(dict.fromkeys(facts.kind for facts in annotations))
    return (
        f"no CT is among what came, and nothing says that what came ({kinds}) marks a nodule on "
        "one; no report is due"
    )


def _all_here(inputs: StudyInputs) -> str:
    if inputs.intent is Intent.REPORT_NOT_ANALYSED:
        return f"it cannot be analysed: {inputs.reason}"
    return (
        f"{counted(slice_count(inputs.ct), 'CT slice')} and "
        f"{counted(len(inputs.annotations), 'annotation object')}, "
        "and every instance that they refer to"
    )


def _given_up(selection: Selection, rules: StudyRules) -> Ready:
    waited = "; ".join(selection.awaits)
    inputs = selection.inputs
    if selection.after_waiting is not None:
        inputs = replace(inputs, intent=Intent.REPORT_NOT_ANALYSED, reason=selection.after_waiting)
    return Ready(
        inputs=inputs,
        reason=f"gave up after {rules.max_wait_s:g} s of waiting {waited}",
    )
