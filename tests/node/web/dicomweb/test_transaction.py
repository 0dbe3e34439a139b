"""Bodies that are damaged, and cut into any pieces: what is kept does not depend on the pieces."""

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import ExplicitVRLittleEndian

from node.config import ReceiverConfig
from node.dicom.multipart import Broken, Multipart
from node.inbound.intake import Intake
from node.inbound.senders import Senders
from node.persistence.spool import Spool
from node.persistence.store import Store, open_store
from node.web.dicomweb.transaction import Transaction
from tests.node.core.facts_of import THICK
from tests.node.web.dicomweb.posting import image, multipart

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path_factory.mktemp('store') / 'm3node.sqlite'}")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Spool:
    return Spool(tmp_path_factory.mktemp("spool"))


keeper = ThreadPoolExecutor(1)


def outcome(store: Store, spool: Spool, body: bytes, cuts: list[int]) -> list[str]:
    """What was stored, what was refused, how it ended, and which files are there then."""
    intake = Intake(
        spool=spool,
        store=store,
        min_free_bytes=0,
        clock=lambda: NOW,
        config=ReceiverConfig(max_object_mb=1),
    )
    transaction = Transaction(
        intake=intake,
        keeper=keeper,
        senders=Senders(store, lambda: NOW),
        peer="127.0.0.1",
        accept="all",
        decodable=frozenset({ExplicitVRLittleEndian}),
        max_object_bytes=1 << 20,
        study=None,
    )
    for path in spool.directory.glob("??/*.dcm"):
        path.unlink()
    ended = "whole"
    reader = Multipart("b", transaction)
    try:
        at = 0
        for cut in itertools.cycle(cuts):
            if at >= len(body):
                break
            reader.feed(body[at : at + cut])
            at += cut
        reader.finish()
        transaction.finish()
    except Broken as broken:
        ended = str(broken)
    finally:
        transaction.close()
    assert not list((spool.directory / "parts").iterdir())
    stored = [str(ids.sop_instance_uid) for ids in transaction.outcome.stored]
    refused = [str(each.refused) for each in transaction.outcome.failed]
    files = sorted(path.name for path in spool.directory.glob("??/*.dcm"))
    return [ended, *stored, *refused, *files]


BODY = multipart([image(0), image(1)], boundary="b")


def test_an_undamaged_body_is_stored(store: Store, spool: Spool) -> None:
    ended, *stored = outcome(store, spool, BODY, [100])
    assert (ended, stored[:2], len(stored)) == ("whole", [f"{THICK}.0", f"{THICK}.1"], 4)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_becomes_of_a_damaged_body_does_not_depend_on_its_pieces(
    store: Store, spool: Spool, data: st.DataObject
) -> None:
    body = bytearray(BODY)
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, max(0, len(body) - 1)) | st.sampled_from([0, 3, 5, 40, 60]))
        drawn = st.binary(max_size=4) | st.sampled_from([b"\r\n--b", b"--b--", b"\n", b"\r\n\r\n"])
        body[at : at + data.draw(st.integers(0, 6))] = data.draw(drawn)
    pieces = st.lists(st.integers(1, 300), min_size=1, max_size=6)
    assert outcome(store, spool, bytes(body), data.draw(pieces)) == outcome(
        store, spool, bytes(body), [1 << 20]
    )
