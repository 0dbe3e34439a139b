"""Whatever goes wrong: a person in a browser reads it on a page, and a program in JSON."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

import pytest
import requests

from node.core.people import Role
from node.persistence.store import Store, open_store
from node.web.access import attempts
from node.web.access.forms import MOST_BODY_BYTES
from tests.node.persistence.filling import queued
from tests.node.web.access.browsing import Browser, add_token, add_user
from tests.node.web.serving import Served, serving

PERSON = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
"""As browsers ask when somebody goes to an address."""
ANYTHING = "*/*"
"""As curl asks, and requests."""
JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A server with a job that waits, and the tokens of an operator and of a viewer."""

    served: Served
    store: Store
    operator: str
    viewer: str

    def answer(
        self, method: str, path: str, accept: str, *, token: str | None = None, body: bytes = b""
    ) -> requests.Response:
        """What is answered to whoever has the token, the operator's if none is named."""
        token = self.operator if token is None else token
        return requests.request(
            method,
            f"http://127.0.0.1:{self.served.port}{path}",
            headers={"Accept": accept, **({"Authorization": f"Bearer {token}"} if token else {})},
            data=body,
            timeout=30,
            allow_redirects=False,
        )


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    directory = tmp_path_factory.mktemp("problems")
    store = open_store(f"sqlite:///{directory / 'node.sqlite'}")
    add_user(store, "anna", Role.OPERATOR)
    queued(store)
    with serving(directory, store=store) as served:
        yield Asked(
            served=served,
            store=store,
            operator=add_token(store, "operator", Role.OPERATOR),
            viewer=add_token(store, "viewer", Role.VIEWER),
        )


def is_a_page(said: requests.Response) -> bool:
    """A whole one that says what is wrong, leads back, and is kept by nobody."""
    page = said.headers["Content-Type"] == "text/html; charset=utf-8"
    if page:
        assert '<p class="said bad">✖ ' in said.text
        assert 'href="/"' in said.text
        assert "default-src 'none'" in said.headers["Content-Security-Policy"]
    else:
        assert set(json.loads(said.text)) == {"status", "error"}
        assert json.loads(said.text)["status"] == said.status_code
    assert said.headers["Cache-Control"] == "no-store"
    return page


def test_whatever_is_refused_a_person_gets_a_page_and_a_program_json(asked: Asked) -> None:
    long = b"x" * (MOST_BODY_BYTES + 1)
    for status, method, path, more in (
        (401, "GET", "/", {"token": "m3n_none"}),
        (401, "GET", "/api/studies", {"token": "m3n_none"}),
        (401, "GET", "/dicom-web/studies", {"token": "m3n_none"}),
        (403, "POST", "/act/cancel-job/1", {"token": asked.viewer}),
        (403, "GET", "/act/cancel-job/1", {"token": asked.viewer}),
        (403, "POST", "/api/actions/cancel-job/1", {"token": asked.viewer}),
        (403, "POST", "/dicom-web/studies", {"token": asked.viewer}),
        (404, "GET", "/nothing", {}),
        (404, "GET", "/static/nothing.css", {}),
        (404, "GET", "/study/1.2.9", {}),
        (404, "GET", "/act/nothing/1", {}),
        (404, "GET", "/api/nothing", {}),
        (404, "GET", "/api/studies/1.2.9", {}),
        (404, "GET", "/dicom-web/nothing", {}),
        (404, "GET", "/dicom-web/studies/1.2.9", {}),
        (405, "DELETE", "/", {}),
        (405, "POST", "/healthz", {}),
        (405, "DELETE", "/api/studies", {}),
        (405, "DELETE", "/dicom-web/studies", {}),
        (409, "POST", "/act/requeue-job/1", {}),
        (409, "POST", "/api/actions/requeue-job/1", {}),
        (413, "POST", "/act/requeue-job/1", {"body": long}),
        (413, "POST", "/api/actions/requeue-job/1", {"body": long}),
        (422, "GET", "/api/studies?limit=0", {}),
    ):
        of_programs = path.startswith(("/api", "/dicom-web", "/healthz"))
        for accept, page in ((PERSON, True), (JSON, False), (ANYTHING, not of_programs)):
            said = asked.answer(method, path, accept, **more)
            assert (said.status_code, is_a_page(said)) == (status, page), (path, accept, said.text)


def test_a_stranger_is_led_to_the_log_in_from_wherever_a_person_goes(asked: Asked) -> None:
    for path in ("/", "/api/studies", "/dicom-web/studies", "/metrics"):
        said = asked.answer("GET", path, PERSON, token="")
        assert said.status_code == 303
        assert said.headers["Location"].startswith("/login?next=")
        said = asked.answer("GET", path, JSON, token="")
        assert (said.status_code, is_a_page(said)) == (401, False)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("text/html;q=0", "text/plain"),
        ("application/json;q=0.9, text/html", "text/html"),
        ("image/png", "text/html"),
        ("nonsense", "text/html"),
        ("*/*;q=0", "text/html"),
    ],
)
def test_an_error_has_no_form_that_is_refused(asked: Asked, accept: str, form: str) -> None:
    said = asked.answer("GET", "/nothing", accept)
    assert (said.status_code, said.headers["Content-Type"].partition(";")[0]) == (404, form)


def test_a_log_in_that_fails_is_a_form_to_people_and_json_to_programs(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "OF_ADDRESS", attempts.Bucket(tries=2, every_s=30.0))
    browser = Browser(asked.served)
    assert browser.log_in("anna", "wrong").headers["Content-Type"].startswith("text/html")
    said = browser.log_in("anna", "wrong", Accept=JSON)
    assert (said.status_code, is_a_page(said)) == (422, False)
    said = browser.log_in("anna", "wrong", Accept=JSON)
    assert (said.status_code, is_a_page(said)) == (429, False)
    assert int(said.headers["Retry-After"]) > 0


def test_a_fault_of_ours_and_a_database_that_is_away_are_told_in_the_same_way(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> NoReturn:
        raise RuntimeError("Doe^Jane")

    faults = (("/", "studies"), ("/api/studies", "studies"), ("/dicom-web/studies", "search"))
    with monkeypatch.context() as broken:
        for _, method in faults:
            broken.setattr(asked.store, method, fails)
        for path, _ in faults:
            for accept, page in ((PERSON, True), (JSON, False)):
                said = asked.answer("GET", path, accept)
                assert (said.status_code, is_a_page(said)) == (500, page)
                assert "Doe" not in said.text
    with asked.store._engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE account RENAME TO account_gone")
    for path, _ in faults:
        for accept, page in ((PERSON, True), (JSON, False)):
            said = asked.answer("GET", path, accept)
            assert (said.status_code, is_a_page(said)) == (503, page)
            assert "the database does not answer" in said.text
