"""/metrics: the numbers of a store that a test has filled, and nothing that a sender has chosen."""

import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from node.core.drift import kernel_class, manufacturer_class
from node.core.sender import Sender, SenderKind
from node.persistence.store import Store, open_store
from tests.node.persistence.filling import claimed, finish, queued
from tests.node.web.serving import Served, serving

HOSTILE = 'X"}\\n{DOE^JANE'
NOW = datetime.now(UTC)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(
        tmp_path,
        destinations=[
            {"name": "pacs", "kind": "dimse", "host": "h", "port": 104, "ae_title": "PACS"}
        ],
        receiver={"allowed_calling_ae_titles": ["CT1"]},
    ) as it:
        yield it


def samples(served: Served) -> dict[tuple[str, ...], float]:
    """Every sample by its name and its labels' values, in the order of the labels' names."""
    said = served.get("/metrics")
    assert said.status_code == 200, said.text
    return {
        (sample.name, *(sample.labels[key] for key in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(said.text)
        for sample in family.samples
    }


def test_an_empty_node_tells_zeros_and_what_is_wrong(served: Served) -> None:
    found = samples(served)
    assert found["m3node_database_up",] == 1
    assert found["m3node_objects_received_total",] == 0
    assert found["m3node_jobs", "dead"] == 0
    assert found["m3node_deliveries", "pacs", "queued"] == 0
    assert found["m3node_sign", "node_down", "error", ""] == 1
    assert found["m3node_signs", "error"] == 1
    assert found["m3node_disk_free_bytes",] > 0
    (info,) = [key for key in found if key[0] == "m3node_info"]
    assert len(info) == 3


def test_a_finished_study_is_counted_once_by_what_it_was(served: Served) -> None:
    store = served.services.store
    sender = store.open_sender(Sender(kind=SenderKind.DIMSE, name="CT1"), owner="host:1:1", now=NOW)
    del sender
    job = queued(store, now=NOW - timedelta(seconds=100))
    lease = claimed(store, now=NOW - timedelta(seconds=40))
    finish(store, lease, destinations=("pacs", "gone"), now=NOW)
    sent = store.claim_delivery(destination="pacs", owner="host:1:1", lease_s=60, now=NOW)
    assert sent is not None
    assert sent.job_id == job
    store.finish_delivery(sent, now=NOW + timedelta(seconds=2))
    found = samples(served)
    assert found["m3node_objects_received_total",] == 2
    assert found["m3node_senders_open", "dimse"] == 1
    assert found["m3node_jobs", "done"] == 1
    assert found["m3node_jobs_done", "not_annotated"] == 1
    assert found["m3node_deliveries", "pacs", "done"] == 1
    assert found["m3node_deliveries", "other", "queued"] == 1
    assert found["m3node_phase_seconds_sum", "queued"] == 60
    assert found["m3node_phase_seconds_sum", "analysis"] == 40
    assert found["m3node_phase_seconds_bucket", "5.0", "delivery"] == 1
    assert found["m3node_phase_seconds_bucket", "1.0", "delivery"] == 0
    assert found["m3node_analysed_kernel_total", "smooth"] == 1


def test_names_that_nobody_configured_are_no_labels(served: Served) -> None:
    store = served.services.store
    with store._write() as connection:
        from node.persistence.tallies import SOURCE, count

        for name in (HOSTILE, "DOE^JANE", "(DOE^JANE)", "CT1", "(dicomweb)"):
            count(connection, SOURCE, name)
    found = samples(served)
    assert {
        key[1]: value for key, value in found.items() if key[0] == "m3node_analysed_source_total"
    } == {
        "other": 3,
        "CT1": 1,
        "(dicomweb)": 1,
    }
    assert "DOE" not in served.get("/metrics").text


def test_a_database_that_does_not_answer_leaves_signs_and_disk(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise TimeoutError

    monkeypatch.setattr("node.watch.one_look.OneLook.seen", lambda _self: away())
    found = samples(served)
    assert found["m3node_database_up",] == 0
    assert found["m3node_sign", "database_unreachable", "error", ""] == 1
    assert ("m3node_jobs", "dead") not in found


def test_a_writer_that_holds_the_database_delays_no_scrape(served: Served, tmp_path: Path) -> None:
    holding = sqlite3.connect(tmp_path / "node.sqlite", isolation_level=None)
    holding.execute("BEGIN IMMEDIATE")
    holding.execute("UPDATE study SET change = change + 1")
    began = time.monotonic()
    assert samples(served)["m3node_database_up",] == 1
    assert time.monotonic() - began < 2
    holding.execute("ROLLBACK")
    holding.close()


@pytest.mark.parametrize(
    ("kernel", "found"),
    [
        ("B30f", "smooth"), ("Br40d\\3", "smooth"), ("B50f", "medium"), ("Bl57d\\2", "sharp"),
        ("I70f", "sharp"), ("STANDARD", "smooth"), ("LUNG", "sharp"), ("BONEPLUS", "sharp"),
        ("FC08", "smooth"), ("FC51", "sharp"), ("C", "medium"), ("YC", "sharp"),
        (None, "unknown"), ("  ", "unknown"), ("DOE^JANE", "other"), ("B" * 5000, "other"),
    ],
)  # fmt: skip
def test_a_kernel_is_one_of_five_classes(kernel: str | None, found: str) -> None:
    assert kernel_class(kernel) == found


@pytest.mark.parametrize(
    ("manufacturer", "found"),
    [
        ("SIEMENS", "siemens"), ("Siemens Healthineers", "siemens"), ("GE MEDICAL SYSTEMS", "ge"),
        ("Philips", "philips"), ("TOSHIBA", "toshiba"), ("UIH", "united imaging"),
        ("", "unknown"), (None, "unknown"), ("DOE^JANE", "other"),
    ],
)  # fmt: skip
def test_a_manufacturer_is_one_of_a_list(manufacturer: str | None, found: str) -> None:
    assert manufacturer_class(manufacturer) == found


def test_names_of_sources_are_kept_apart_up_to_a_number(tmp_path: Path) -> None:
    from node.persistence.tallies import MOST_NAMES, SOURCE, _source, count
    from tests.node.core.facts_of import STUDY, ct_slice
    from tests.node.persistence.filling import arrive

    store: Store = open_store(f"sqlite:///{tmp_path / 'node.sqlite'}")
    sender = store.open_sender(Sender(kind=SenderKind.DIMSE, name="CT9"), owner="h:1:1", now=NOW)
    arrive(store, ct_slice(0), sender_id=sender)
    with store._write() as connection:
        for number in range(MOST_NAMES - 1):
            count(connection, SOURCE, f"AE{number}")
        assert _source(connection, STUDY) == "CT9"
        count(connection, SOURCE, "AE-LAST")
        assert _source(connection, STUDY) == "other"
    store.close()
