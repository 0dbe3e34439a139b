"""A PACS that is away gets its results when it is back, by itself or when a person says so."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance import studies
from tests.acceptance.bed import PATIENCE_S, Bed
from tests.peers import wait_until

pytestmark = [pytest.mark.acceptance, pytest.mark.peers, pytest.mark.timeout(600)]


@pytest.fixture
def lonely(tmp_path: Path) -> Iterator[Bed]:
    """A running node whose PACS is down; a delivery is dead after three tries."""
    made = Bed(
        tmp_path,
        {
            "M3NODE_DELIVERY__MAX_ATTEMPTS": "3",
            "M3NODE_DELIVERY__RETRY_BASE_S": "0.2",
            "M3NODE_DELIVERY__RETRY_CAP_S": "0.5",
        },
    )
    try:
        made.start()
        yield made
    finally:
        if made.serve is not None and made.serve.poll() is None:
            made.kill(group=True)


def test_a_destination_that_refuses_twice_gets_its_objects_at_the_third_try(own: Bed):
    own.pacs.refuse_next = 2
    own.start()
    phantom = studies.phantom("refused-twice")
    own.send(studies.marked(phantom))
    uid = studies.study_uid(phantom)
    own.wait_for_reports(uid)
    assert len(own.captures(uid)) == 1
    (delivery,) = own.json("delivery", "list")
    assert (delivery["state"], delivery["tries"]) == ("done", 3)


def test_a_dead_delivery_waits_for_a_person_and_then_arrives(lonely: Bed):
    phantom = studies.phantom("requeued")
    lonely.send(studies.marked(phantom))
    wait_until(
        lambda: [d["state"] for d in lonely.json("delivery", "list")] == ["dead"],
        "the delivery is dead",
        PATIENCE_S,
    )
    (dead,) = lonely.json("delivery", "list")
    assert dead["tries"] == 3
    with lonely.pacs:
        lonely.cli("delivery", "requeue", str(dead["delivery_id"]))
        lonely.wait_for_reports(studies.study_uid(phantom))
    assert "pacs" in lonely.cli("why", "A-requeued")
