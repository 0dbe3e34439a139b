"""Whole streams of bytes, recorded from real senders: cut up, mutated, ended by the power.

A stream is served without a port: all of it lies in a socket whose other end has nothing more to
say, and the association reads it on the test's own thread.
"""

import os
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.config import ReceiverConfig
from node.dicom.transfer_syntaxes import decodable
from node.inbound.dimse.association import Association
from node.inbound.dimse.transport import InTheClear
from node.inbound.dimse.wire import Wire
from node.inbound.intake import Intake
from node.inbound.senders import Senders
from node.persistence.spool import Spool
from node.persistence.store import Store
from tests.integration.queueing import open_node
from tests.integration.test_receiver import ct_slice
from tests.node.inbound.dimse.recording import recorded
from tests.node.inbound.dimse.senders_of_bytes import (
    COMMAND,
    LAST,
    P_DATA,
    RELEASE,
    pdu,
    pdv,
    request,
    store,
)
from tests.node.inbound.dimse.test_odd_senders import object_of
from tests.node.scu import associated
from tests.peers import storescu

DECODABLE = frozenset(str(uid) for uid in decodable())
CONFIG = ReceiverConfig(network_timeout_s=2)


@dataclass
class Here:
    """A node's disk, and a way to serve a stream."""

    store: Store
    spool: Spool
    intake: Intake

    def serve(self, stream: bytes) -> bytes:
        """What is answered to it."""
        ours, theirs = socket.socketpair()
        with theirs:
            for each in (ours, theirs):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            theirs.sendall(stream)
            theirs.shutdown(socket.SHUT_WR)
            Association(
                Wire(
                    InTheClear(ours, silence_s=CONFIG.network_timeout_s),
                    largest=1 << 18,
                    silence_s=CONFIG.network_timeout_s,
                ),
                "127.0.0.1",
                config=CONFIG,
                decodable=DECODABLE,
                intake=self.intake,
                senders=Senders(self.store, lambda: datetime.now(UTC)),
                let_in=lambda names: None,  # as it is called
            ).run()
            theirs.settimeout(5)
            answers = b""
            while more := theirs.recv(65536):
                answers += more
            return answers

    def files(self) -> list[str]:
        return sorted(path.name for path in self.spool.directory.rglob("*.dcm"))

    def parts(self) -> list[Path]:
        return list(self.spool.directory.rglob("*.part"))


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    store, spool, intake = open_node(tmp_path / "node")
    yield Here(store, spool, intake)
    store.close()


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Three CT slices of 8 KB each, as dcmtk, pynetdicom and we ourselves send them."""
    from tests.integration.test_receiver import running

    folder = tmp_path_factory.mktemp("recorded")
    slices = [ct_slice(folder / f"{n}.dcm", n) for n in range(3)]

    def by_pynetdicom(port: int) -> None:
        with associated(port) as association:
            for each in slices:
                assert association.send_c_store(each).Status == 0x0000

    with running(folder) as node:
        found = {
            "dcmtk": recorded(lambda port: storescu(port, slices), node.port),
            "dcmtk, small PDUs": recorded(
                lambda port: storescu(port, slices, options=["-R", "--max-send-pdu", "4096"]),
                node.port,
            ),
            "dcmtk aborts": recorded(
                lambda port: storescu(port, slices, options=["-R", "--abort"]), node.port
            ),
            "pynetdicom": recorded(by_pynetdicom, node.port),
        }
    small = b"".join(store(object_of(n), b"2.25.7777%d" % n) for n in range(3))
    return {**found, "ours": request() + small + RELEASE}


def pdus(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and body of each PDU."""
    at = 0
    while at < len(stream):
        kind, length = struct.unpack_from(">BxL", stream, at)
        yield kind, stream[at + 6 : at + 6 + length]
        at += 6 + length


def cut_anew(stream: bytes, rng: random.Random) -> bytes:
    """The same messages, their fragments and PDUs cut anywhere."""
    made, waiting = [], b""
    for kind, body in pdus(stream):
        if kind != P_DATA:
            made += [pdu(P_DATA, waiting)] * bool(waiting) + [pdu(kind, body)]
            waiting = b""
            continue
        at = 0
        while at < len(body):
            length, context_id, control = struct.unpack_from(">LBB", body, at)
            rest = body[at + 6 : at + 4 + length]
            at += 4 + length
            while True:
                count = min(len(rest), rng.choice((0, 1, 2, 3, 50, 1000, 4001, 100_000)))
                piece, rest = rest[:count], rest[count:]
                ends = control & LAST if not rest else 0
                waiting += pdv(control & COMMAND | ends, piece, context_id=context_id)
                if rng.random() < 0.3 or len(waiting) > 50_000:
                    made.append(pdu(P_DATA, waiting))
                    waiting = b""
                if not rest and (ends or not control & LAST):
                    break
    return b"".join(made)


@pytest.mark.peers
@pytest.mark.parametrize("sender", ["dcmtk", "dcmtk, small PDUs", "dcmtk aborts", "pynetdicom"])
def test_a_recorded_stream_is_kept_whole(
    here: Here, streams: dict[str, bytes], sender: str
) -> None:
    here.serve(streams[sender])
    names = here.files()
    assert len(names) == 3
    here.serve(streams["dcmtk"])
    assert here.files() == names


@pytest.mark.peers
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(sender=st.sampled_from(["dcmtk", "pynetdicom", "ours"]), seed=st.integers(0, 1 << 32))
def test_any_fragmentation_gives_the_same_files_and_the_same_answers(
    here: Here, streams: dict[str, bytes], sender: str, seed: int
) -> None:
    stream = streams[sender]
    answers = here.serve(stream)
    names = here.files()
    assert here.serve(cut_anew(stream, random.Random(seed))) == answers
    assert here.files() == names
    assert here.parts() == []


def mutated(stream: bytes, rng: random.Random) -> bytes:
    """Bytes changed, left out, doubled, or cut off."""
    made = bytearray(stream)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(made)) if rng.random() < 0.5 else rng.randrange(min(400, len(made)))
        match rng.randrange(5):
            case 0:
                made[at] = rng.randrange(256)
            case 1:
                made[at : at + 4] = rng.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\1"))
            case 2:
                del made[at : at + rng.randint(1, 40)]
            case 3:
                made[at:at] = made[at : at + rng.randint(1, 400)]
            case 4:
                del made[max(at, 1) :]
        if not made:
            return b"\0"
    return bytes(made)


def fuzz(here: Here, stream: bytes, *, seed: int, count: int) -> None:
    """So many mutants are served; each ends by itself, and leaves nothing that it did not store."""
    rng = random.Random(seed)
    for _ in range(count):
        started = time.monotonic()
        here.serve(mutated(stream, rng))
        assert time.monotonic() - started < 30


def test_mutated_streams_leave_no_descriptor_no_part_and_no_open_row(here: Here) -> None:
    stream = request() + b"".join(store(object_of(n), b"2.25.7777%d" % n) for n in range(3))
    here.serve(stream + RELEASE)
    descriptors, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    fuzz(here, stream + RELEASE, seed=int(os.environ.get("M3NODE_FUZZ_SEED", "1")), count=300)
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert threading.active_count() == threads
    assert here.parts() == []
    assert here.store.close_senders_of_dead(datetime.now(UTC)) == 0
    studies = here.store.list_studies()
    assert sum(study.open_senders for study in studies) == 0
    for study in studies:
        for row in here.store.list_instances(study.study_instance_uid):
            assert here.spool.locate(row.path).stat().st_size == row.size
