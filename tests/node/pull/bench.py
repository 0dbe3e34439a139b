"""A node that judges and fetches, its time set by hand; and a PACS that may lie."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import numpy as np
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.sop_class import (
    CTImageStorage,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from m3net.uids import StudyInstanceUID
from node.config import DimseSource, PullConfig, ReceiverConfig, SourceConfig
from node.core.completeness import StudyRules, WhenUnannotated
from node.core.diary import sentence
from node.core.inputs import StudyInputs
from node.inbound.intake import Intake
from node.inbound.reading import Reading
from node.inbound.senders import Senders
from node.persistence.process_identity import this_process
from node.persistence.rows import JobTerms
from node.persistence.spool import Spool
from node.persistence.store import open_store
from node.pull.puller import Puller
from node.work.planner import Planner
from tests import synthetic
from tests.node.outbound.raw import DRIP_S, speaking
from tests.taken_in import take_in

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CT = synthetic.ct_series()
STUDY = StudyInstanceUID(str(CT[0].StudyInstanceUID))


def _mask() -> np.ndarray:
    mask = np.zeros((8, 16, 20))
    mask[3:5, 6:9, 7:11] = 1
    return mask


MARK = synthetic.segmentation(CT, [_mask()])
"""On slices 3 and 4; it names all eight."""


class Node:
    """Everything of a node that judges and fetches, in one thread."""

    def __init__(
        self, directory: Path, *sources: SourceConfig, config: PullConfig | None = None
    ) -> None:
        self.now = NOON
        self.sources = sources
        self.config = config or PullConfig(max_attempts=2, retry_base_s=1, retry_cap_s=1)
        self.spool = Spool(directory / "spool")
        self.store = open_store(f"sqlite:///{directory / 'm3node.sqlite'}")
        self.intake = Intake(
            spool=self.spool, store=self.store, min_free_bytes=0, clock=lambda: self.now
        )
        self.planner = Planner(
            self.store,
            Reading(self.store, self.spool, config=ReceiverConfig()),
            rules=StudyRules(
                quiet_period_s=60,
                max_wait_s=600,
                when_unannotated=WhenUnannotated.WAIT,
                sources=tuple(source.name for source in sources),
                max_fetches=self.config.max_fetches,
            ),
            terms=JobTerms(analysis_id="model", max_attempts=3),
            most_tries=self.config.max_attempts,
        )

    def receive(self, *objects: Dataset) -> None:
        for each in objects:
            take_in(self.intake, each)

    def plan(self) -> list[int]:
        """Once the study is quiet it is judged."""
        self.now += timedelta(seconds=61)
        return self.planner.plan(self.now)

    def fetch(self) -> int:
        """Everything that is asked for is fetched, or given up; how many tries it took."""
        tries = 0
        while any(self._puller(source).fetch_one() for source in self.sources):
            tries += 1
            self.now += timedelta(seconds=5)
            assert tries < 20, "a loop of fetches"
        return tries

    def settle(self) -> StudyInputs:
        """Judged and fetched until there is a job; its inputs."""
        for _ in range(12):
            self.plan()
            if self.store.list_jobs(limit=1):
                return self.inputs()
            if not self.fetch():
                self.now += timedelta(seconds=600)
        raise AssertionError(f"no job: {self.diary()}")

    def inputs(self) -> StudyInputs:
        lease = self.store.claim_job(owner=this_process(), lease_s=60, now=self.now)
        assert lease is not None
        return lease.inputs

    def here(self) -> int:
        return sum(map(len, self.store.instances_here(STUDY).values()))

    def diary(self) -> list[str]:
        return [sentence(event) for event in self.store.diary(STUDY)]

    def _puller(self, source: SourceConfig) -> Puller:
        return Puller(
            self.config,
            source,
            self.store,
            self.intake,
            Senders(self.store, lambda: self.now),
            max_object_bytes=64 << 20,
            clock=lambda: self.now,
            rng=Random(1),
        )


@dataclass
class Pacs:
    """What it holds, and what it does otherwise than it should.

    says    : instances that it says a series has, and does not list; None: it says nothing
    lists   : what it lists; None: what it holds
    sends   : what it sends when it is asked for something; None: that
    answers : how often it says that it is at work before it has listed anything
    """

    holds: list[Dataset]
    port: int = 0
    says: int | None = None
    lists: Sequence[Dataset] | None = None
    sends: Callable[[Sequence[Dataset]], Sequence[Dataset]] | None = None
    find_status: int = 0x0000
    silent: threading.Event | None = None
    answers: int = 0
    asked: list[Dataset] = field(default_factory=list)

    def source(self, name: str = "PACS", *, timeout_s: float = 5) -> DimseSource:
        return DimseSource(
            name=name, host="127.0.0.1", port=self.port, ae_title="PACS", timeout_s=timeout_s
        )

    def _find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        asked = event.identifier
        if self.silent is not None:
            self.silent.wait(30)
        for _ in range(self.answers):
            yield 0xFF00, _match(asked, "QueryRetrieveLevel")
        if self.find_status:
            yield self.find_status, None
            return
        listed = [
            each
            for each in (self.holds if self.lists is None else self.lists)
            if each.StudyInstanceUID == asked.get("StudyInstanceUID", each.StudyInstanceUID)
            or not asked.StudyInstanceUID
        ]
        if asked.QueryRetrieveLevel == "IMAGE":
            for each in listed:
                if each.SeriesInstanceUID == asked.SeriesInstanceUID:
                    yield 0xFF00, _match(each, "SOPInstanceUID", "SeriesInstanceUID")
        elif asked.QueryRetrieveLevel == "STUDY":
            for each in {each.StudyInstanceUID: each for each in listed}.values():
                if each.AccessionNumber == asked.AccessionNumber:
                    yield 0xFF00, _match(each, "StudyInstanceUID", "AccessionNumber")
        else:
            for each in {each.SeriesInstanceUID: each for each in listed}.values():
                match = _match(each, "StudyInstanceUID", "SeriesInstanceUID", "Modality")
                if self.says is not None:
                    match.NumberOfSeriesRelatedInstances = self.says
                yield 0xFF00, match

    def _get(self, event: evt.Event) -> Iterator[object]:
        asked = event.identifier
        self.asked.append(asked)
        wanted = asked.get("SOPInstanceUID") or None
        named = [wanted] if isinstance(wanted, str) else wanted
        matching = [
            each
            for each in self.holds
            if each.SeriesInstanceUID == asked.SeriesInstanceUID
            and (named is None or each.SOPInstanceUID in named)
        ]
        sent = matching if self.sends is None else self.sends(matching)
        yield len(sent)
        for each in sent:
            yield 0xFF00, each

    def _move(self, _event: evt.Event) -> Iterator[tuple[None, None]]:
        yield None, None  # it knows nobody: A801


def _match(each: Dataset, *keywords: str) -> Dataset:
    match = Dataset()
    for keyword in keywords:
        setattr(match, keyword, each.get(keyword))
    return match


@contextmanager
def running(pacs: Pacs) -> Iterator[Pacs]:
    """The PACS answers on a port of this machine."""
    ae = AE(ae_title="PACS")
    ae.add_supported_context(Verification)
    ae.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
    ae.add_supported_context(StudyRootQueryRetrieveInformationModelGet)
    ae.add_supported_context(StudyRootQueryRetrieveInformationModelMove)
    for uid in (CTImageStorage, MARK.SOPClassUID):
        ae.add_supported_context(
            uid, [ExplicitVRLittleEndian, ImplicitVRLittleEndian], scu_role=True, scp_role=True
        )
    server = ae.start_server(
        ("127.0.0.1", 0),
        block=False,
        evt_handlers=[
            (evt.EVT_C_FIND, pacs._find),
            (evt.EVT_C_GET, pacs._get),
            (evt.EVT_C_MOVE, pacs._move),
        ],
    )
    pacs.port = server.server_address[1]
    try:
        yield pacs
    finally:
        if pacs.silent is not None:
            pacs.silent.set()
        server.shutdown()


def of_another_patient(image: Dataset) -> Dataset:
    other = deepcopy(image)
    other.PatientID, other.PatientName = "SYN-2", "Other^Small"
    return other


def of_another_study(image: Dataset) -> Dataset:
    other = deepcopy(image)
    other.StudyInstanceUID = synthetic.uid("other study")
    return other


@contextmanager
def dripping(to: int, *, after: int) -> Iterator[int]:
    """A way to that port, by its own; what comes back drips after so many bytes."""

    def carry(connection: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", to)) as pacs:
            there = threading.Thread(target=forward, args=(connection, pacs))
            there.start()
            left = after
            with suppress(OSError):
                while data := pacs.recv(min(1 << 16, left) if left > 0 else 1):
                    connection.sendall(data)
                    left -= len(data)
                    if left <= 0:
                        time.sleep(DRIP_S)
            with suppress(OSError):
                pacs.shutdown(socket.SHUT_RDWR)
            there.join()

    def forward(connection: socket.socket, pacs: socket.socket) -> None:
        with suppress(OSError):
            while data := connection.recv(1 << 16):
                pacs.sendall(data)
            pacs.shutdown(socket.SHUT_RDWR)

    with speaking(carry) as port:
        yield port
