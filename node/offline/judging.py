"""One gathered study, judged: what the node would have made of it once nothing more comes."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from m3net.prediction import Classifier
from node.core.completeness import (
    Nothing,
    Ready,
    StudyRules,
    StudySnapshot,
    WhenUnannotated,
    readiness,
)
from node.core.digest import inputs_digest
from node.core.inputs import Role, StudyInputs
from node.core.objects import ResultSettings, Stamp
from node.core.pipeline import analyse, report_failure
from node.core.results import Results
from node.offline.gathering import GatheredStudy
from node.words import in_words_with_place

_NOTHING_MORE_COMES = StudyRules(
    quiet_period_s=0, max_wait_s=0, when_unannotated=WhenUnannotated.REPORT
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be done of one study.

    inputs : None if nothing in it is for the node
    reason : then why
    """

    inputs: StudyInputs | None
    reason: str

    @property
    def digest(self) -> str:
        """Of the inputs; of the reason without any."""
        if self.inputs is None:
            return hashlib.sha256(self.reason.encode()).hexdigest()
        return inputs_digest(self.inputs)


def plan(study: GatheredStudy, *, now: datetime) -> Task:
    """The inputs that the node's scheduler would choose after its longest wait."""
    snapshot = StudySnapshot(
        study_instance_uid=study.uid,
        instances=study.instances(),
        last_arrival_at=now,
        open_senders=0,
        change=0,
    )
    match readiness(snapshot, now=now, rules=_NOTHING_MORE_COMES):
        case Ready(inputs=inputs, reason=reason):
            return Task(inputs=inputs, reason=reason)
        case Nothing(reason=reason):
            return Task(inputs=None, reason=reason)
        case wait:
            raise AssertionError(f"nothing is waited for, and yet: {wait.reason}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Makes results of studies: a network, and how its results look."""

    classifier: Classifier
    settings: ResultSettings
    analysis_id: str

    def judge(
        self, inputs: StudyInputs, study: GatheredStudy, *, revision: int, now: datetime
    ) -> Results | str:
        """The results; in words what went wrong, if not even a report of that could be made.

        One study at which the machinery fails must not keep the others from being judged; and what
        kept it from being judged may keep its report from being made as well.
        """
        stamp = self._stamp(inputs, study, revision, now)
        failed = ""
        for made in (self._analyse, self._report_failure):
            try:
                return made(inputs, study, stamp, failed)
            except Exception as error:
                failed = failed or in_words_with_place(error)
        return failed

    def _analyse(
        self, inputs: StudyInputs, study: GatheredStudy, stamp: Stamp, failed: str
    ) -> Results:
        del failed
        return analyse(
            inputs,
            paths=study.paths,
            classifier=self.classifier,
            stamp=stamp,
            settings=self.settings,
        )

    def _report_failure(
        self, inputs: StudyInputs, study: GatheredStudy, stamp: Stamp, failed: str
    ) -> Results:
        return report_failure(
            inputs,
            reason=failed,
            paths=study.paths,
            card=self.classifier.card,
            fingerprint=self.classifier.fingerprint,
            stamp=stamp,
            settings=self.settings,
        )

    def _stamp(
        self, inputs: StudyInputs, study: GatheredStudy, revision: int, now: datetime
    ) -> Stamp:
        return Stamp(
            study_instance_uid=inputs.study_instance_uid,
            input_digest=inputs_digest(inputs),
            analysis_id=self.analysis_id,
            revision=revision,
            at=now.astimezone(),
            numbered_above=max(
                (
                    facts.series_number or 0
                    for facts in study.instances()
                    if facts.role in (Role.CT, Role.LOCALIZER)
                ),
                default=0,
            ),
        )
