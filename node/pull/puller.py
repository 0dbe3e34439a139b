"""Asks sources what they hold of a study, and fetches what is missing here: one thread a source.

What comes is durable object by object; a try that fails later goes on from there, since what is
here is not asked for again.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from random import Random
from typing import Protocol

from m3net.uids import SOPInstanceUID, StudyInstanceUID
from node.config import PullConfig, SourceConfig
from node.core.fetching import Findings, SeriesThere, orders
from node.core.uids import is_own_series
from node.inbound.intake import Intake
from node.inbound.senders import Senders
from node.lease_holder import Clock, KeepsLeases, LeaseHolder, keep_working
from node.persistence.process_identity import this_process
from node.persistence.rows import FetchLease
from node.pull.connect import connect
from node.pull.source import Source
from node.pull.taking import Taking
from node.pull.told import Here, said_of, summary
from node.watch.pulse import Moved, unseen

_LOOK_AFTER_S = 5.0


class KeepsFetches(KeepsLeases, Protocol):
    """What the puller asks of the store."""

    def claim_fetch(
        self, *, source: str, owner: str, lease_s: float, now: datetime
    ) -> FetchLease | None:
        """The source's next question is this owner's."""
        ...

    def instances_here(self, study: StudyInstanceUID) -> Here:
        """The current instances of each series of the study."""
        ...

    def patient_of(self, study: StudyInstanceUID) -> str:
        """The Patient ID that the study goes by."""
        ...

    def finish_fetch(
        self, lease: FetchLease, findings: Findings, *, says: str, now: datetime
    ) -> None:
        """The source has answered."""
        ...


def run(
    config: PullConfig,
    sources: Sequence[SourceConfig],
    store: KeepsFetches,
    intake: Intake,
    senders: Senders,
    stop: threading.Event,
    *,
    max_object_bytes: int,
    moved: Moved = unseen,
) -> None:
    """Fetch until `stop` is set; what is being fetched then is brought to its end."""
    threads = [
        threading.Thread(
            target=Puller(
                config,
                source,
                store,
                intake,
                senders,
                max_object_bytes=max_object_bytes,
                moved=moved,
            ).run,
            args=(stop,),
            name=f"pull-{source.name}",
            daemon=True,
        )
        for source in sources
    ]
    for thread in threads:
        thread.start()
    while not stop.wait(_LOOK_AFTER_S):
        senders.look_after()
    for thread in threads:
        thread.join()
    senders.close_left_over()


class Puller:
    """Fetches from one source."""

    def __init__(
        self,
        config: PullConfig,
        source: SourceConfig,
        store: KeepsFetches,
        intake: Intake,
        senders: Senders,
        *,
        max_object_bytes: int,
        connect: Callable[[SourceConfig], Source] = connect,
        clock: Clock = lambda: datetime.now(UTC),
        rng: Random | None = None,
        moved: Moved = unseen,
    ) -> None:
        self._moved = partial(moved, part=source.name)
        self._config = config
        self._source = source
        self._store = store
        self._intake = intake
        self._senders = senders
        self._max_object_bytes = max_object_bytes
        self._connect = connect
        self._clock = clock
        self._holder = LeaseHolder(config, store, clock=clock, rng=rng)

    def run(self, stop: threading.Event) -> None:
        """Fetch until `stop` is set."""
        keep_working(
            self.fetch_one,
            poll_s=self._config.poll_s,
            stop=stop,
            interrupted="fetch.interrupted",
            moved=self._moved,
            source=self._source.name,
        )

    def fetch_one(self) -> bool:
        """Claim, ask and settle one question; False if there is nothing to do now."""
        lease = self._store.claim_fetch(
            source=self._source.name,
            owner=this_process(),
            lease_s=self._config.lease_s,
            now=self._clock(),
        )
        if lease is None:
            return False
        self._holder.hold(lease, lambda: self._fetch(lease))
        return True

    def _fetch(self, lease: FetchLease) -> Mapping[str, object]:
        study = lease.study_instance_uid
        source = self._connect(self._source)
        there = source.find(study)
        before = self._store.instances_here(study)
        others = [each for each in there if not is_own_series(study, each.series_instance_uid)]
        asked = orders(lease.wanted, others, before)
        taking = self._taking(study)
        try:
            for order in asked:
                source.fetch(study, order, taking)
        finally:
            taking.close()
        after = self._store.instances_here(study)
        findings = Findings(
            series=tuple(there),
            beyond=_beyond(there, after),
            said=said_of(
                self._source.name,
                lease.wanted,
                there,
                after,
                taken=taking.taken,
                not_taken=taking.not_taken,
            ),
        )
        says = summary(there, asked, before, after, findings.said)
        self._store.finish_fetch(lease, findings, says=says, now=self._clock())
        return {"says": says}

    def _taking(self, study: StudyInstanceUID) -> Taking:
        return Taking(
            intake=self._intake,
            senders=self._senders,
            source=self._source.name,
            study=study,
            patient=self._store.patient_of(study),
            max_object_bytes=self._max_object_bytes,
            moved=lambda: self._moved(f"the fetching from {self._source.name}"),
            here_now=lambda: sum(map(len, self._store.instances_here(study).values())),
        )


def _beyond(there: Sequence[SeriesThere], here: Here) -> frozenset[SOPInstanceUID]:
    return frozenset().union(
        *(here.get(each.series_instance_uid, frozenset()) - each.instances for each in there)
    )
