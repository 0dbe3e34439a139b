"""A database and a spool in which every row has its file, and studies at the end of their way."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from m3net.uids import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.core.diary import Kind
from node.core.digest import inputs_digest
from node.core.inputs import InstanceFacts
from node.core.results import ArtifactKind
from node.persistence.rows import JobResult, JobTerms, Outbox, StoredArtifact
from node.persistence.spool import Spool
from node.persistence.store import Store, open_store
from sr_templates.findings import Outcome
from tests.node.core.facts_of import ct_slice
from tests.node.persistence.filling import IDENTITY, MODEL, arrive, artifact, inputs_of

LONG_AGO = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
"""Of study 1; study 2 came a day later."""
OWNER = "host-a:1:1"


@dataclass(frozen=True)
class Bench:
    """The store, the spool, and what a test puts there."""

    store: Store
    spool: Spool

    def slices(self, number: int, count: int = 2) -> list[InstanceFacts]:
        """What comes of study so-and-so."""
        study, series = f"1.2.3.{number}", f"1.2.3.{number}.1"
        return [
            replace(
                ct_slice(index),
                study_instance_uid=StudyInstanceUID(study),
                series_instance_uid=SeriesInstanceUID(series),
                sop_instance_uid=SOPInstanceUID(f"{series}.{index}"),
                content_digest=f"content {index} of {number}",
            )
            for index in range(count)
        ]

    def receive(self, facts: InstanceFacts, *, content: str | None = None, now: datetime) -> None:
        """File and row."""
        said = content or f"{facts.content_digest}: " + "x" * 1000
        self.spool.write([said.encode()])
        arrive(
            self.store,
            facts,
            content=said,
            now=now,
            identity=replace(IDENTITY, patient_name="Erased^Emil", patient_id="ERASE-4711"),
        )

    def study(
        self, number: int, *, until: str = "delivered", now: datetime | None = None
    ) -> StudyInstanceUID:
        """One that has come to be received, judged, queued, claimed, finished or delivered."""
        now = now or LONG_AGO + timedelta(days=number - 1)
        slices = self.slices(number)
        for each in slices:
            self.receive(each, now=now)
        study = slices[0].study_instance_uid
        if until == "received":
            return study
        self.store.note_judgement(
            self.store.study_snapshot(study),
            kind=Kind.STUDY_COMPLETE,
            reason="all is here",
            look_again_at=None,
            now=now,
        )
        if until == "judged":
            return study
        inputs = inputs_of(*slices, study=study)
        self.store.enqueue(
            inputs,
            digest=inputs_digest(inputs),
            terms=JobTerms(analysis_id=MODEL, max_attempts=3),
            now=now,
        )
        if until != "queued":
            self.finish(number, until=until, now=now)
        return study

    def finish(self, number: int, *, until: str, now: datetime) -> None:
        """The queued job is claimed, finished and delivered."""
        lease = self.store.claim_job(owner=OWNER, lease_s=60, now=now)
        assert lease is not None
        if until == "claimed":
            return
        artifacts = [
            self.result(f"{kind} of {number}", kind)
            for kind in (ArtifactKind.CAPTURE, ArtifactKind.REPORT)
        ]
        self.store.finish_job(
            lease,
            result=JobResult(
                outcome=Outcome.NOT_ANNOTATED, headline="x", summary={}, artifacts=artifacts
            ),
            outbox=Outbox(destinations=["pacs"], max_attempts=1),
            now=now,
        )
        if until == "finished":
            return
        sent = self.store.claim_delivery(destination="pacs", owner=OWNER, lease_s=60, now=now)
        assert sent is not None
        if until == "dead":
            self.store.bury(sent, error="down", now=now)
        else:
            self.store.finish_delivery(sent, now=now)

    def result(self, name: str, kind: ArtifactKind) -> StoredArtifact:
        """File, and what the row will say."""
        self.spool.write([name.encode()])
        return artifact(name, kind=kind)

    def files(self) -> set[str]:
        """Everything in the spool."""
        return {
            str(path.relative_to(self.spool.directory))
            for path in self.spool.directory.rglob("*.*")
        }

    def needed(self) -> set[str]:
        """Everything that rows need."""
        return {
            path
            for study in self.store.list_studies()
            for path in self.paths(study.study_instance_uid)
        }

    def paths(self, study: StudyInstanceUID) -> set[str]:
        """The files that rows of the study need."""
        with self.store._read() as connection:
            made = connection.exec_driver_sql(
                f"SELECT path FROM artifact WHERE study_instance_uid = '{study}' "
                "AND freed_at IS NULL UNION SELECT path FROM instance "
                f"WHERE study_instance_uid = '{study}' AND freed_at IS NULL"
            ).scalars()
            return set(made)


def bench(url: str, directory: Path) -> Bench:
    """On a database, and a spool in the directory."""
    return Bench(store=open_store(url), spool=Spool(directory / "spool"))
