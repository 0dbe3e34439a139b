"""One look at every study to which something has happened: is it complete, and then a job of it."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from m3net.uids import StudyInstanceUID
from node.core.completeness import (
    Ask,
    Expired,
    Nothing,
    Readiness,
    Ready,
    StudyPulse,
    StudyRules,
    StudySnapshot,
    Wait,
    WaitForReading,
    readiness,
    until_quiet,
)
from node.core.diary import Kind
from node.core.digest import inputs_digest
from node.core.errors import UnknownEntry
from node.core.fetching import Wanted
from node.core.inputs import StudyInputs
from node.logs import event
from node.persistence.rows import JobTerms
from node.words import in_words

READ_S = 1.0
"""So long the objects of one study are read before others have their turn."""
AFTER_A_FAILURE = timedelta(minutes=1)
"""A study whose judging fails is looked at again so much later."""


class KeepsStudies(Protocol):
    """What the planner asks of the store."""

    def studies_to_judge(self, now: datetime) -> Sequence[StudyInstanceUID]:
        """Studies whose time has come."""
        ...

    def study_pulse(self, study: StudyInstanceUID) -> StudyPulse:
        """Whether the study is quiet now."""
        ...

    def study_snapshot(self, study: StudyInstanceUID) -> StudySnapshot:
        """The study as it is now."""
        ...

    def note_judgement(
        self,
        snapshot: StudyPulse,
        *,
        kind: Kind,
        reason: str,
        look_again_at: datetime | None,
        now: datetime,
    ) -> bool:
        """The judgement stands."""
        ...

    def postpone_judgement(
        self, study: StudyInstanceUID, *, reason: str, look_again_at: datetime, now: datetime
    ) -> None:
        """The study is judged later."""
        ...

    def enqueue(
        self, inputs: StudyInputs, *, digest: str, terms: JobTerms, now: datetime
    ) -> int | None:
        """A job on these inputs is queued."""
        ...

    def ask_source(
        self,
        study: StudyInstanceUID,
        source: str,
        wanted: Wanted,
        *,
        by_itself: bool,
        because: str,
        max_attempts: int,
        now: datetime,
    ) -> int | None:
        """A question to a source is queued."""
        ...


class ReadsInstances(Protocol):
    """What the planner asks of whoever reads what stored objects say (`node.inbound.reading`)."""

    def read(self, study: StudyInstanceUID | None = None, *, within_s: float) -> int:
        """For so long objects that came are read; how many were."""
        ...


class Planner:
    """Makes jobs of studies.

    reading : what a study's objects say is read before the study is judged
    rules   : when a study is complete
    terms   : of the jobs that are made
    most_tries : of a question to a source
    """

    def __init__(
        self,
        store: KeepsStudies,
        reading: ReadsInstances,
        *,
        rules: StudyRules,
        terms: JobTerms,
        most_tries: int = 1,
    ) -> None:
        self._store = store
        self._reading = reading
        self._rules = rules
        self._terms = terms
        self._most_tries = most_tries

    def plan(self, now: datetime) -> list[int]:
        """Every study is judged whose time has come; the numbers of the jobs that were queued.

        Killed at any point it is done again: a study stays to be judged until its judgement
        stands, and the same job is not queued twice.
        """
        queued: list[int] = []
        for study in self._store.studies_to_judge(now):
            try:
                number = self.judge_study(study, now)
            except UnknownEntry:
                continue  # it was erased meanwhile
            except Exception as error:
                # One study that cannot be judged must not hold up those behind it.  If it is the
                # database that fails, so does this, and the tick ends.
                self._store.postpone_judgement(
                    study,
                    reason=f"for a repair: it could not be judged ({in_words(error)})",
                    look_again_at=now + AFTER_A_FAILURE,
                    now=now,
                )
                event("study.not_judged", level=logging.ERROR, error=error, study=study)
            else:
                queued += [] if number is None else [number]
        return queued

    def judge_study(self, study: StudyInstanceUID, now: datetime) -> int | None:
        """The judgement of one study stands; the number of the job, if one was queued."""
        pulse = self._store.study_pulse(study)
        verdict: Readiness | None = until_quiet(pulse, now=now, rules=self._rules)
        if verdict is None:
            pulse, verdict = self._judged(study, now)
        number: int | None = None
        look_again_at: datetime | None = None
        match verdict:
            case Ask(reason=reason, look_again_at=look_again_at, source=source, wanted=wanted):
                kind = Kind.STUDY_WAITS
                self._store.ask_source(
                    study,
                    source,
                    wanted,
                    by_itself=True,
                    because=verdict.because,
                    max_attempts=self._most_tries,
                    now=now,
                )
            case Expired(reason=reason, look_again_at=look_again_at):
                kind = Kind.STUDY_EXPIRED
            case Wait(reason=reason, look_again_at=look_again_at):
                kind = Kind.STUDY_WAITS
            case Nothing(reason=reason):
                kind = Kind.STUDY_IGNORED
            case Ready(reason=reason, inputs=inputs):
                kind = Kind.STUDY_COMPLETE
                number = self._store.enqueue(
                    inputs, digest=inputs_digest(inputs), terms=self._terms, now=now
                )
        noted = self._store.note_judgement(
            pulse, kind=kind, reason=reason, look_again_at=look_again_at, now=now
        )
        if noted and kind is Kind.STUDY_EXPIRED:
            event("study.expired", level=logging.WARNING, study=study)
        return number

    def _judged(self, study: StudyInstanceUID, now: datetime) -> tuple[StudySnapshot, Readiness]:
        """The quiet study and the verdict on it; what was not read of it is read first."""
        snapshot = self._store.study_snapshot(study)
        verdict = readiness(snapshot, now=now, rules=self._rules)
        if isinstance(verdict, WaitForReading) and self._reading.read(study, within_s=READ_S):
            snapshot = self._store.study_snapshot(study)
            verdict = readiness(snapshot, now=now, rules=self._rules)
        return snapshot, verdict
