"""One look at every study to which something has happened: is it complete, and then a job of it."""

from datetime import datetime

from node.core.completeness import Nothing, Ready, StudyRules, StudySnapshot, Wait, judge
from node.core.diary import Kind
from node.core.digest import inputs_digest
from node.persistence.store import Store


def plan(
    store: Store, *, rules: StudyRules, analysis_id: str, max_attempts: int, now: datetime
) -> list[int]:
    """Every study is judged whose time has come; the numbers of the jobs that were queued.

    Killed at any point it is done again: a study stays to be judged until its judgement stands,
    and the same job is not queued twice.
    """
    queued: list[int] = []
    for study in store.studies_to_judge(now):
        snapshot = store.study_snapshot(study)
        match judge(snapshot, now=now, rules=rules):
            case Wait(reason=reason, look_again_at=look_again_at):
                store.note_judgement(
                    snapshot,
                    kind=Kind.STUDY_WAITS,
                    reason=reason,
                    look_again_at=look_again_at,
                    now=now,
                )
            case Nothing(reason=reason):
                store.note_judgement(
                    snapshot, kind=Kind.STUDY_IGNORED, reason=reason, look_again_at=None, now=now
                )
            case Ready() as ready:
                number = _queue(
                    store,
                    snapshot,
                    ready,
                    analysis_id=analysis_id,
                    max_attempts=max_attempts,
                    now=now,
                )
                queued += [] if number is None else [number]
    return queued


def _queue(
    store: Store,
    snapshot: StudySnapshot,
    ready: Ready,
    *,
    analysis_id: str,
    max_attempts: int,
    now: datetime,
) -> int | None:
    number = store.enqueue(
        ready.inputs,
        digest=inputs_digest(ready.inputs),
        analysis_id=analysis_id,
        max_attempts=max_attempts,
        now=now,
    )
    store.note_judgement(
        snapshot, kind=Kind.STUDY_COMPLETE, reason=ready.reason, look_again_at=None, now=now
    )
    return number
