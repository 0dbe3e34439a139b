"""What people do on the page: asked first, done by POST with the token, told in the diary."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import requests

from m3net.uids import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.core.diary import sentence
from node.core.digest import inputs_digest
from node.persistence.rows import JobTerms
from node.persistence.store import Store, open_store
from tests.node.core.facts_of import STUDY, ct_slice
from tests.node.persistence.filling import NOON, arrive, claimed, finish, inputs_of, queued
from tests.node.web.serving import Served, serving


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """A session of a browser at a server, and the store behind that."""

    served: Served
    store: Store
    session: requests.Session

    def get(self, path: str, *, status: int = 200) -> str:
        """The page."""
        said = self.session.get(self.url(path), timeout=30)
        assert said.status_code == status, said.text
        return said.text

    def url(self, path: str) -> str:
        """Of the path."""
        return f"http://127.0.0.1:{self.served.port}{path}"

    def press(self, path: str) -> requests.Response:
        """The button of the question at the path is pressed; where that leads is not followed."""
        return self.post(path, {"csrf_token": self.token(path)})

    def token(self, path: str) -> str:
        """What forms of the page at the path carry."""
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.get(path))
        assert found is not None
        return found[1]

    def post(self, path: str, form: dict[str, str]) -> requests.Response:
        """The form is sent, as a browser sends it from our page."""
        headers = {"Origin": f"http://127.0.0.1:{self.served.port}"}
        return self.session.post(
            self.url(path), data=form, headers=headers, timeout=30, allow_redirects=False
        )

    def diary(self) -> list[str]:
        """Of the one study."""
        return [sentence(event) for event in self.store.diary(STUDY)]


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    """Of whoever reaches a node that has no users; one job is queued."""
    store = open_store(f"sqlite:///{tmp_path / 'node.sqlite'}")
    queued(store)
    destination = {"name": "pacs", "kind": "dimse", "host": "pacs", "port": 1, "ae_title": "PACS"}
    with serving(tmp_path, store=store, destinations=[destination]) as served:
        yield Browser(served=served, store=store, session=requests.Session())


def test_cancelling_asks_first_then_is_done_and_told_with_who_did_it(browser: Browser) -> None:
    assert "/act/cancel-job/1" in browser.get(f"/study/{STUDY}")
    assert "Job 1 will not run." in browser.get("/act/cancel-job/1")
    assert "cancelled" not in " ".join(browser.diary())
    said = browser.press("/act/cancel-job/1")
    assert said.status_code == 303
    assert said.headers["Location"] == f"/study/{STUDY}?done=cancel-job"
    assert "Cancelled." in browser.get(said.headers["Location"])
    assert browser.diary()[-1] == "job 1 cancelled by local (operator)"


def test_a_done_job_is_requeued_and_its_delivery_sent_again(browser: Browser) -> None:
    finish(browser.store, claimed(browser.store))
    lease = browser.store.claim_delivery(
        destination="pacs", owner="a:1:1", lease_s=60, now=browser.served.services.clock()
    )
    assert lease is not None
    browser.store.finish_delivery(lease, now=browser.served.services.clock())
    assert browser.press("/act/send-again/1").status_code == 303
    assert browser.diary()[-1] == (
        "delivery 2 of job 1 to pacs queued, asked for by local (operator)"
    )


def test_what_is_still_to_be_sent_is_cancelled(browser: Browser) -> None:
    finish(browser.store, claimed(browser.store))
    assert "/act/cancel-delivery/1" in browser.get(f"/study/{STUDY}")
    assert browser.press("/act/cancel-delivery/1").status_code == 303
    assert "delivery 1 to pacs cancelled by local (operator)" in browser.diary()[-1]
    assert "/act/cancel-delivery/1" not in browser.get(f"/study/{STUDY}")


def test_what_the_state_does_not_allow_is_refused_in_words_and_offers_no_button(
    browser: Browser,
) -> None:
    assert "/act/requeue-job/1" not in browser.get(f"/study/{STUDY}")
    said = browser.press("/act/requeue-job/1")
    assert said.status_code == 409
    assert "job 1 is queued already" in said.text


@pytest.mark.parametrize(
    "path",
    ["/act/cancel-job/99", "/act/cancel-job/x", "/act/send-again/1", "/act/echo/archive"],
)
def test_what_is_not_there_is_neither_asked_nor_acted_on(browser: Browser, path: str) -> None:
    browser.get(path, status=404)
    token = browser.token("/act/cancel-job/1")
    assert browser.post(path, {"csrf_token": token}).status_code == 404


def test_an_address_cannot_put_words_into_a_question(browser: Browser) -> None:
    for action in ("cancel-job", "send-again", "delete-study", "fetch", "echo"):
        page = browser.get(f"/act/{action}/Call%20555%20at%20once", status=404)
        assert "555" not in page


def test_an_action_that_is_none_is_not_asked(browser: Browser) -> None:
    assert "there is no such action" in browser.get("/act/drop-tables/1", status=404)


def test_nothing_is_done_without_the_token_or_by_a_link(browser: Browser) -> None:
    before = browser.diary()
    assert browser.post("/act/cancel-job/1", {}).status_code == 403
    assert browser.post("/act/cancel-job/1", {"csrf_token": "guessed"}).status_code == 403
    browser.get("/act/cancel-job/1")
    assert browser.diary() == before


def test_a_destination_is_asked_whether_it_answers(browser: Browser) -> None:
    said = browser.press("/act/echo/pacs")
    assert said.headers["Location"] == "/destinations?done=echo"
    assert "It answers." in browser.get("/destinations?done=echo")


def test_an_address_cannot_put_words_into_the_page(browser: Browser) -> None:
    page = browser.get("/destinations?done=Your+session+has+ended")
    assert "session" not in page
    assert 'class="said"' not in page


def test_all_dead_deliveries_of_a_destination_are_sent_again(browser: Browser) -> None:
    finish(browser.store, claimed(browser.store))
    now = browser.served.services.clock()
    lease = browser.store.claim_delivery(destination="pacs", owner="a:1:1", lease_s=60, now=now)
    assert lease is not None
    browser.store.bury(lease, error="refused", now=now)
    assert "/act/send-dead-again/pacs" in browser.get("/destinations")
    assert browser.press("/act/send-dead-again/pacs").status_code == 303
    assert browser.diary()[-1] == "delivery 1 to pacs requeued by local (operator)"
    twice = browser.press("/act/send-dead-again/pacs")
    assert twice.status_code == 409
    assert "no delivery to pacs is dead: nothing is to be sent again" in twice.text


def test_of_dead_deliveries_it_is_said_how_many_are_not_sent_again(browser: Browser) -> None:
    of_other_study = replace(
        ct_slice(0),
        study_instance_uid=StudyInstanceUID("1.9"),
        series_instance_uid=SeriesInstanceUID("1.9.1"),
        sop_instance_uid=SOPInstanceUID("1.9.1.1"),
    )
    arrive(browser.store, of_other_study)
    inputs = inputs_of(of_other_study, study=StudyInstanceUID("1.9"))
    terms = JobTerms(analysis_id="model-1", max_attempts=3)
    assert browser.store.enqueue(inputs, digest=inputs_digest(inputs), terms=terms, now=NOON) == 2
    for _ in range(2):
        finish(browser.store, claimed(browser.store))
        lease = browser.store.claim_delivery(
            destination="pacs", owner="a:1:1", lease_s=60, now=NOON
        )
        assert lease is not None
        browser.store.bury(lease, error="refused", now=NOON)
    with browser.store._engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE artifact SET freed_at = '2026-03-02 12:00:00' WHERE job_id = 2"
        )
    path = browser.url("/api/actions/send-dead-again/pacs")
    assert browser.session.post(path, timeout=30).json()["sentence"] == (
        "1 of 2 dead deliveries are queued; 1 are not: the results of job 2 cannot be sent again: "
        "their files were freed from the disk on 2026-03-02; destinations hold them, and m3node "
        "why says which"
    )


def test_a_study_is_erased_after_it_was_said_what_that_takes(browser: Browser) -> None:
    finish(browser.store, claimed(browser.store), destinations=())
    with browser.store._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE study SET judge_at = NULL")  # as its judgement does
    assert f"/act/delete-study/{STUDY}" in browser.get(f"/study/{STUDY}")
    asked = browser.get(f"/act/delete-study/{STUDY}")
    assert "cannot be brought back" in asked
    assert "accession number A17, last arrival 2026-03-01" in asked
    assert "2 objects received and 2 made" in asked
    said = browser.press(f"/act/delete-study/{STUDY}")
    assert (said.status_code, said.headers["Location"]) == (303, "/?done=delete-study")
    assert "The study is erased." in browser.get("/?done=delete-study")
    browser.get(f"/study/{STUDY}", status=404)


def test_what_is_under_way_is_not_erased(browser: Browser) -> None:
    said = browser.press(f"/act/delete-study/{STUDY}")
    assert said.status_code == 409
    assert "1 analyses queued" in said.text
