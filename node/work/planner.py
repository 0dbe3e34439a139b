"""One look at every study to which something has happened: is it complete, and then a job of it."""

import logging
from datetime import datetime, timedelta

from m3net.uids import StudyInstanceUID
from node.core.completeness import Nothing, Ready, StudyRules, StudySnapshot, Wait, judge
from node.core.diary import Kind
from node.core.digest import inputs_digest
from node.logs import event
from node.persistence.store import Store
from node.words import in_words

AFTER_A_FAILURE = timedelta(minutes=1)
"""A study whose judging fails is looked at again so much later."""


def plan(
    store: Store, *, rules: StudyRules, analysis_id: str, max_attempts: int, now: datetime
) -> list[int]:
    """Every study is judged whose time has come; the numbers of the jobs that were queued.

    Killed at any point it is done again: a study stays to be judged until its judgement stands,
    and the same job is not queued twice.
    """
    queued: list[int] = []
    for study in store.studies_to_judge(now):
        try:
            number = judge_study(
                study,
                store,
                rules=rules,
                analysis_id=analysis_id,
                max_attempts=max_attempts,
                now=now,
            )
        except Exception as error:
            # One study that cannot be judged must not hold up those behind it.  If it is the
            # database that fails, so does this, and the tick ends.
            store.postpone_judgement(
                study,
                reason=f"for a repair: it could not be judged ({in_words(error)})",
                look_again_at=now + AFTER_A_FAILURE,
                now=now,
            )
            event("study.not_judged", level=logging.ERROR, error=error, study=study)
        else:
            queued += [] if number is None else [number]
    return queued


def judge_study(
    study: StudyInstanceUID,
    store: Store,
    *,
    rules: StudyRules,
    analysis_id: str,
    max_attempts: int,
    now: datetime,
) -> int | None:
    """The judgement of one study stands; the number of the job, if one was queued."""
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
            return _queue(
                store,
                snapshot,
                ready,
                analysis_id=analysis_id,
                max_attempts=max_attempts,
                now=now,
            )
    return None


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
