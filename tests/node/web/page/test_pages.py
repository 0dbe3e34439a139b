"""The pages as a browser gets them: who is named where, what is said when something is wrong."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from m3net.model_files import load_card
from m3net.uids import SeriesInstanceUID, StudyInstanceUID
from node.core.diary import Kind
from node.core.inputs import StudyIdentity
from node.core.people import Role
from node.credentials import TOKEN_PURPOSE, digest_of
from node.persistence.people import AccountKind
from node.persistence.schema import EventLog, Series
from node.persistence.store import Store, open_store
from node.watch.pulse import Pulse
from tests.node.core.facts_of import STUDY, ct_slice
from tests.node.persistence.filling import (
    NOON,
    SCANNER,
    arrive,
    at,
    claimed,
    finish,
    queued,
)
from tests.node.watch.seen import ROLES
from tests.node.web.serving import Served, serving

HOSTILE = StudyIdentity(
    patient_id="<script>id</script>",
    patient_name="<script>alert(1)</script>\u202eeod",
    accession_number='"><script>a</script>\u202e' + "9" * 480,
    study_date="<b>",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A server, and the store behind it."""

    served: Served
    store: Store

    def page(self, path: str, *, status: int = 200) -> str:
        """The HTML at the path."""
        said = self.served.get(path)
        assert said.status_code == status, said.text
        assert said.headers["Content-Type"] == "text/html; charset=utf-8"
        assert said.headers["Cache-Control"] == "no-store"
        return said.text


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """A study whose report went to one destination and not to the other."""
    directory = tmp_path_factory.mktemp("page")
    store = open_store(f"sqlite:///{directory / 'node.sqlite'}")
    sender = store.open_sender(SCANNER, owner="host:1:1", now=NOON)
    arrive(store, ct_slice(5), sender_id=sender)
    store.close_sender(sender, NOON)
    queued(store)
    finish(store, claimed(store), destinations=("pacs", "archive"))
    lease = store.claim_delivery(destination="pacs", owner="a:1:1", lease_s=60, now=at(5))
    assert lease is not None
    store.finish_delivery(lease, now=at(6))
    destination = {
        "name": "pacs",
        "kind": "dimse",
        "host": "pacs.example",
        "port": 104,
        "ae_title": "PACS",
    }
    with serving(directory, store=store, destinations=[destination]) as served:
        yield Filled(served=served, store=store)


def test_the_list_tells_accession_time_sender_and_state_and_names_nobody(filled: Filled) -> None:
    page = filled.page("/")
    assert ">A17</bdi></a>" in page
    assert "SCANNER" in page
    assert '<time class="when" datetime="2026-03-01T12:00:00+00:00">' in page
    assert "not annotated" in page
    assert "1 of 2 deliveries under way" in page
    assert "Doe" not in page
    assert "4711" not in page


@pytest.mark.parametrize("path", ["/?q=4711", "/?q=Doe", "/?state=dead", "/?q=%00%ff"])
def test_a_search_finds_no_patient(filled: Filled, path: str) -> None:
    assert "No study goes by that." in filled.page(path)


@pytest.mark.parametrize("path", ["/?q=A17", "/?q=A1", "/?q=scanner", "/?state=done"])
def test_a_study_is_found_by_accession_number_sender_and_state(filled: Filled, path: str) -> None:
    assert "1 to 1 of 1" in filled.page(path)


def test_a_study_is_found_by_the_end_of_its_uid(filled: Filled) -> None:
    assert "1 to 1 of 1" in filled.page(f"/?q={STUDY[-4:]}")


def test_two_studies_whose_uids_end_alike_are_told_apart(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'node.sqlite'}")
    for root in ("1.2.3", "1.2.4"):
        study = StudyInstanceUID(f"{root}.555555555555")
        slice_ = ct_slice(0, series=SeriesInstanceUID(f"{study}.3"))
        arrive(store, replace(slice_, study_instance_uid=study))
    with serving(tmp_path, store=store) as served:
        page = served.get("/").text
    assert '<span title="1.2.3.555555555555">…3.555555555555</span>' in page
    assert '<span title="1.2.4.555555555555">…4.555555555555</span>' in page


def test_the_study_names_the_patient_and_tells_its_diary(filled: Filled) -> None:
    page = filled.page(f"/study/{STUDY}")
    assert "<bdi>Doe^Jane</bdi>" in page
    assert "2026-03-01</dd>" in page
    assert "job 1 done: No annotation received, nothing was assessed" in page
    assert "delivery 1 of job 1 to pacs queued" in page


def test_newer_objects_are_told_of_at_the_top_of_the_study_and_to_programs(
    tmp_path: Path,
) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'node.sqlite'}")
    queued(store, 0)
    finish(store, claimed(store))
    arrive(store, ct_slice(5))
    waits = "Newer objects of this study wait: for 3 slices."
    with serving(tmp_path, store=store) as served:
        assert "have not been judged yet" in served.get(f"/study/{STUDY}").text
        store.note_judgement(
            store.study_snapshot(STUDY),
            kind=Kind.STUDY_WAITS,
            reason="for 3 slices",
            look_again_at=None,
            now=at(9),
        )
        page = served.get(f"/study/{STUDY}").text
        told = served.get(f"/api/studies/{STUDY}").json()
    assert page.index("<h1>") < page.index(waits) < page.index('id="report"')
    assert told["job_in_force"] == 1
    assert [each["name"] for each in told["cautions"]] == ["waiting"]
    assert waits in told["cautions"][0]["says"]


def test_of_a_long_diary_the_last_is_shown_and_how_much_is_not(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'node.sqlite'}")
    arrive(store, ct_slice(0))
    with store._engine.begin() as connection:
        waits = {"at": NOON, "study_instance_uid": STUDY, "kind": "study.waits"}
        connection.execute(
            insert(EventLog),
            [{**waits, "details": {"reason": f"for slice {number}"}} for number in range(5000)],
        )
    with serving(tmp_path, store=store) as served:
        page = served.get(f"/study/{STUDY}").text
    assert page.index("for slice 4999") < page.index("for slice 4700")
    assert "for slice 4699<" not in page
    assert "4700 earlier lines are not shown: m3node why tells them all." in page


def test_a_report_that_cannot_be_read_is_not_passed_over(filled: Filled) -> None:
    """The result objects are rows without files here."""
    page = filled.page(f"/study/{STUDY}")
    assert (
        "The stored report cannot be read as text. It is not shown that nothing was found" in page
    )


@pytest.mark.parametrize("path", ["/", "/queue", "/queue?kind=delivery", "/destinations"])
def test_each_page_with_results_says_that_it_is_for_research(filled: Filled, path: str) -> None:
    assert "For research use; not a cleared medical device" in filled.page(path)


def test_a_destination_tells_of_its_last_success_and_of_what_waits(filled: Filled) -> None:
    page = re.sub(r"\s+|<[^>]*>", " ", filled.page("/destinations"))
    assert re.search(r"pacs +dimse, PACS at pacs.example:104 +takes them +2026-03-01", page)
    assert re.search(r"archive +not configured +never +1 ", page)


def test_the_queue_tells_of_every_kind_of_work(filled: Filled) -> None:
    assert "No annotation received" in filled.page("/queue")
    assert "1 to 2 of 2" in filled.page("/queue?kind=delivery")
    for name in ("pacs", "archive"):  # of the two, one is not configured any more
        assert "1 to 1 of 1" in filled.page(f"/queue?kind=delivery&destination={name}")
    assert "There is none." in filled.page("/queue?kind=fetch").replace(
        "Nothing goes by that", "There is none"
    )


def test_the_model_card_says_what_a_probability_means(filled: Filled) -> None:
    page = filled.page("/model")
    assert "Probability that radiologists would rate the nodule above 3 of 5" in page
    assert "0.926 [0.907, 0.944]" in page


def test_the_model_page_draws_how_far_a_probability_can_be_believed(filled: Filled) -> None:
    """A circle for each tenth, on the height of what was so."""
    page = filled.page("/model")
    curves = load_card("default").reliability
    assert page.count("<figure>") == len(curves) == 3
    assert page.count("<circle") == sum(map(len, curves.values()))
    first = curves["outline"][0]
    x, y = 10 + 100 * first["said"], 102 - 100 * first["was"]
    assert f'<circle cx="{x:.1f}" cy="{y:.1f}"' in page
    assert "told one reader&#39;s outline" in page or "told one reader's outline" in page


def test_the_system_tells_of_the_disk_and_of_versions(filled: Filled) -> None:
    page = filled.page("/system")
    assert "no object is taken in" in page
    assert "pydicom" in page


def test_the_system_is_told_of_while_its_disk_is_away(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'node.sqlite'}")
    with serving(tmp_path / "disk", store=store) as served:
        shutil.rmtree(tmp_path / "disk", ignore_errors=True)
        said = served.get("/system")
    assert said.status_code == 200
    assert "The folder of what is received cannot be looked at" in said.text


def test_what_is_not_there_is_said_on_a_page(filled: Filled) -> None:
    assert "no study of that accession number" in filled.page("/study/1.2.9", status=404)


def test_no_page_has_a_script_or_a_style_within(filled: Filled) -> None:
    for path in ("/", f"/study/{STUDY}", "/queue", "/destinations", "/model", "/system"):
        page = filled.page(path)
        assert re.findall(r"<script[^>]*>", page) == [
            '<script type="module" src="/static/live.js">'
        ]
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page)


def test_the_parts_of_the_page_are_there(filled: Filled) -> None:
    for name, kind in (("page.css", "text/css"), ("live.js", "text/javascript"), ("icon.svg", "")):
        said = filled.served.get(f"/static/{name}")
        assert said.status_code == 200
        assert kind in said.headers["Content-Type"]


def test_hostile_headers_are_shown_as_text(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'node.sqlite'}")
    arrive(store, ct_slice(0), identity=HOSTILE)
    with store._engine.begin() as connection:
        described = {"modality": "<b>", "series_description": "<img src=x onerror=alert(1)>"}
        connection.execute(update(Series).values(described))
    with serving(tmp_path, store=store) as served:
        assert "&lt;img src=x onerror=alert(1)&gt;" in served.get(f"/study/{STUDY}").text
        for path in ("/", f"/study/{STUDY}"):
            page = served.get(path).text
            assert "<script>a" not in page
            assert "&lt;script&gt;a&lt;/script&gt;\ufffd999" in page
            assert "\u202e" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;\ufffdeod" in page


@pytest.mark.parametrize("path", ["/", "/queue", "/queue?kind=delivery", "/study/A17"])
def test_whatever_an_address_says_a_page_comes_of_it(filled: Filled, path: str) -> None:
    said = (
        "page=1.5&sort=date",
        "page=-1&dir=sideways",
        "page=99999999999999999999",
        "page=%D9%A1&state=d%C3%B6ne",
        "q=%F0%9F%98%80%E2%80%AE&destination=%00",
        "q=%ED%A0%80",
        "q=%0d%0aSet-Cookie:%20a=b&done=%0d%0aX:%20y",
        "q=" + "x" * 5000,
        "q=%25_%5C'%22--&kind=%F0%9F%98%80",
        "q=a&q=b&page=1&page=2&state=done&state=dead",
    )
    for query in said:
        answer = filled.served.get(f"{path}{'&' if '?' in path else '?'}{query}")
        assert answer.status_code == 200
        assert "<h1>" in answer.text
        assert "X" not in answer.headers
        assert "a=b" not in answer.headers.get("Set-Cookie", "")


def test_what_is_wrong_stands_at_the_top_of_every_page(tmp_path: Path) -> None:
    with serving(tmp_path, min_free_bytes=10**15) as served:
        for path in ("/", "/queue", "/destinations", "/model", "/system", "/study/none"):
            page = served.get(path).text
            assert 'class="wrong fails"' in page
            assert "less than storage.min_free_gb = 1e+06" in page
            assert "every object that comes is refused with A700" in page


def test_when_nothing_is_wrong_it_is_said_with_the_time_of_the_look(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'node.sqlite'}")
    with serving(tmp_path, store=store) as served:
        for role in ROLES:
            store.beat(Pulse(store, role=role, every_s=5, clock=lambda: datetime.now(UTC)).row())
        page = re.sub(r"\s+|<[^>]*>", " ", served.get("/").text)
    assert re.search(r"Nothing is found to be wrong +looked at +\d\d:\d\d:\d\d", page)


def test_a_database_that_does_not_answer_is_said_in_red_and_no_page_is_empty(
    tmp_path: Path,
) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'node.sqlite'}")
    with serving(tmp_path, store=store) as served:
        with store._engine.begin() as connection:
            for table in ("study", "job"):
                connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO {table}_gone")
        for path in ("/", "/queue"):
            said = served.get(path)
            assert said.status_code == 503
            assert 'class="wrong fails"' in said.text
            assert "The database does not answer: nothing on this page tells of the present" in (
                said.text
            )


def test_behind_a_proxy_every_link_begins_with_its_path(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'node.sqlite'}")
    key, digest = "m3n_x", digest_of("m3n_x", purpose=TOKEN_PURPOSE)
    store.add_account(AccountKind.TOKEN, "proxy", role=Role.VIEWER, secret=digest, now=NOON)
    web = {"public_url": "https://pacs.example/m3node/dicom-web"}
    with serving(tmp_path, store=store, web=web) as served:
        page = served.get("/", headers={"Authorization": f"Bearer {key}"}).text
    links = re.findall(r'(?:href|src|action)="(/[^"]*)"', page)
    assert links
    assert all(link.startswith("/m3node/") for link in links)
