"""What a reader has to know beside the report in force: whether it is the last word on its study.

A report stands while newer objects of its study come, wait and are judged; whoever reads it
meanwhile would take it for the whole.  So each way in which it may not be is said.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from node.core.states import SETTLED, State
from node.listed.diary import in_local_time
from node.persistence.held import LastReport, ResultInForce
from node.persistence.holding import HELD, UNTIL_SENT_AGAIN
from node.persistence.planning import SUPERSEDED
from node.persistence.rows import DeliveryRow, JobRow, StudyRow
from node.persistence.store import Store
from sr_templates.findings import Outcome

_MAY_FOLLOW = "A revised report may follow."
_UNKNOWN_TO_IT = "The report that stands knows nothing of them"


class Name(StrEnum):
    """Why the report in force may not be all that there is to say."""

    ARRIVING = "arriving"
    NOT_JUDGED = "not_judged"
    WAITING = "waiting"
    EXPIRED = "expired"
    HELD = "held"
    UNDER_WAY = "under_way"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REPORTED = "reported"
    """A newer one has been made since the report was looked up."""
    WITHDRAWN = "withdrawn"
    REVISED = "revised"
    EARLIER_ELSEWHERE = "earlier_elsewhere"
    """A destination holds the report that this one replaces, and not this one."""
    NOT_HERE = "not_here"
    """The report that stands was made, and this node cannot show it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caution:
    """One of them, in a sentence."""

    name: Name
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What came of one study.

    report     : the one that stands; None if there has been none
    jobs       : all, newest first
    deliveries : all, newest first
    cautions   : everything that a reader of the report has to know beside it; the latest first
    """

    report: LastReport | None
    jobs: Sequence[JobRow]
    deliveries: Sequence[DeliveryRow]
    cautions: Sequence[Caution]

    @property
    def results(self) -> Sequence[ResultInForce]:
        """What is handed out; empty if there is nothing."""
        return self.report.results if self.report else ()

    @property
    def job_in_force(self) -> int | None:
        """Whose report stands, be it here or only where it was sent; None if there is none."""
        return self.report.job_id if self.report else None


def judged(store: Store, row: StudyRow) -> Judged:
    """What came of the study of the row.

    What follows on something is looked up after it: nothing that happens meanwhile is passed over.
    """
    report = store.last_report(row.study_instance_uid)
    jobs = store.list_jobs(study=row.study_instance_uid)
    deliveries = store.list_deliveries(study=row.study_instance_uid)
    return Judged(
        report=report,
        jobs=jobs,
        deliveries=deliveries,
        cautions=cautions(row, report, jobs, deliveries),
    )


def cautions(
    row: StudyRow,
    report: LastReport | None,
    jobs: Sequence[JobRow],
    deliveries: Sequence[DeliveryRow],
) -> list[Caution]:
    """Everything that a reader of the study's report has to know beside it; the latest first.

    Destinations hold it when its files are freed here: nothing of this depends on them.
    The rest is as in `Judged`, and was looked up in this order.
    """
    by_number = {job.job_id: job for job in jobs}
    in_force = by_number.get(report.job_id) if report else None
    if report is None or in_force is None:
        return []  # never reported, or the study is just being erased
    failed = report.outcome is Outcome.TECHNICAL_FAILURE
    return [
        *_of_what_came(row),
        *_of_later_jobs(in_force, jobs),
        *_of_earlier_jobs(in_force, jobs, failed=failed),
        *_elsewhere(in_force, by_number, deliveries, failed=failed),
        *([] if report.results else [_not_here(in_force, failed=failed)]),
    ]


def _not_here(in_force: JobRow, *, failed: bool) -> Caution:
    headline = "a technical failure" if failed else f'"{in_force.headline}"'
    return Caution(
        name=Name.NOT_HERE,
        says=f"A report was made ({_named(in_force)}), headed {headline}, and is not shown: its "
        "files were freed, or have not been read since an upgrade; the diary says which. "
        "Destinations keep what they were sent.",
    )


def _of_what_came(row: StudyRow) -> Iterator[Caution]:
    waits = row.waiting_for
    if row.open_senders:
        says = f"Objects of this study are arriving now. {_UNKNOWN_TO_IT}. {_MAY_FOLLOW}"
        yield Caution(name=Name.ARRIVING, says=says)
    elif waits is None and row.look_again_at is not None:
        yield Caution(
            name=Name.NOT_JUDGED,
            says=f"Objects of this study came at {in_local_time(row.last_arrival_at)} and have not "
            f"been judged yet. {_UNKNOWN_TO_IT}, if they are new. {_MAY_FOLLOW}",
        )
    elif waits is not None and waits.startswith(UNTIL_SENT_AGAIN):
        yield Caution(
            name=Name.HELD,
            says=f"This study is held; it waits {waits}. The report that stands may be out of "
            "date, and no other follows by itself.",
        )
    elif waits is not None and row.expired_at is not None:
        yield Caution(
            name=Name.EXPIRED,
            says=f"Newer objects of this study have waited for too long: {waits}. "
            f"{_UNKNOWN_TO_IT}, and no revised report follows by itself.",
        )
    elif waits is not None:
        yield Caution(
            name=Name.WAITING,
            says=f"Newer objects of this study wait: {waits}. {_UNKNOWN_TO_IT}. {_MAY_FOLLOW}",
        )


def _of_later_jobs(in_force: JobRow, jobs: Sequence[JobRow]) -> Iterator[Caution]:
    if in_force.state not in SETTLED:
        says = f"The analysis that failed is tried again ({_named(in_force)}). {_MAY_FOLLOW}"
        yield Caution(name=Name.UNDER_WAY, says=says)
    for job in sorted(jobs, key=lambda job: -job.revision):
        if job.revision <= in_force.revision or job.error == SUPERSEDED:
            continue
        again = job.input_digest == in_force.input_digest
        what = "This study, by another model or other settings," if again else "What came since"
        if job.state not in SETTLED:
            yield Caution(
                name=Name.UNDER_WAY, says=f"{what} is being judged ({_named(job)}). {_MAY_FOLLOW}"
            )
        elif job.state is State.DEAD:
            yield Caution(
                name=Name.FAILED,
                says=f"{what} could not be judged ({_named(job)}): {job.error}. The report that "
                "stands is of an earlier analysis.",
            )
        elif job.state is State.DONE:
            says = f"A newer report has just been made ({_named(job)}): load this again."
            yield Caution(name=Name.REPORTED, says=says)
        else:
            held = (job.error or "").startswith(HELD)
            yield Caution(
                name=Name.HELD if held else Name.CANCELLED,
                says=f"{what} is not judged (job {job.job_id}, revision {job.revision}): "
                f"{job.error}. The report that stands is of an earlier analysis, and no other "
                "follows unless the job is requeued.",
            )


def _of_earlier_jobs(
    in_force: JobRow, jobs: Sequence[JobRow], *, failed: bool
) -> Iterator[Caution]:
    earlier = [job for job in jobs if job.revision < in_force.revision and job.state is State.DONE]
    if not earlier:
        return
    last = max(earlier, key=lambda job: job.revision)
    if failed:
        yield Caution(
            name=Name.WITHDRAWN,
            says=f"The earlier report ({_named(last)}) is withdrawn: what came since could not be "
            "judged. No probability stands.",
        )
    else:
        yield Caution(
            name=Name.REVISED,
            says=f"The report that stands is a revised one ({_named(in_force)}): it replaces that "
            f"of {_named(last)}.",
        )


def _elsewhere(
    in_force: JobRow,
    by_number: Mapping[int, JobRow],
    deliveries: Sequence[DeliveryRow],
    *,
    failed: bool,
) -> Iterator[Caution]:
    def replaces(delivery: DeliveryRow) -> tuple[int, bool]:
        """What is greater replaces what is less: a result its own job's technical failure."""
        revision = by_number[delivery.job_id].revision
        return revision, delivery.outcome is not Outcome.TECHNICAL_FAILURE

    stands = (in_force.revision, not failed)
    for destination in sorted({each.destination for each in deliveries}):
        there = [e for e in deliveries if e.destination == destination and e.job_id in by_number]
        arrived = [replaces(each) for each in there if each.state is State.DONE]
        if not arrived or max(arrived) >= stands:
            continue
        own = [each for each in there if replaces(each) == stands]
        last = max(own, key=lambda each: each.delivery_id, default=None)
        how = (
            "is not to be sent there"
            if last is None
            else f"has not arrived there (delivery {last.delivery_id}, {last.state})"
        )
        revision, has_result = max(arrived)
        holds = "earlier report" if has_result else 'report of a "technical failure"'
        yield Caution(
            name=Name.EARLIER_ELSEWHERE,
            says=f"{destination} still holds the {holds}, revision {revision}: the one that "
            f"stands {how}.",
        )


def _named(job: JobRow) -> str:
    """ "job 3, revision 2, queued", or when it was done."""
    done = job.state is State.DONE and job.settled_at is not None
    how = f"of {in_local_time(job.settled_at)}" if done and job.settled_at else job.state.value
    return f"job {job.job_id}, revision {job.revision}, {how}"
