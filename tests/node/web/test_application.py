"""What every request meets: health, errors in one form, and nothing of the request in them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.node.web.serving import Served, serving


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("web")) as it:
        yield it


def test_it_is_alive_and_ready_and_says_that_the_other_processes_are_not_there(
    served: Served,
) -> None:
    alive = served.get("/healthz")
    assert alive.status_code == 200
    assert alive.json() == {
        "status": "error",
        "signs": [{"name": "node_down", "subject": "", "severity": "error", "since": None}],
    }
    assert served.get("/readyz").json() == {"status": "ok", "signs": []}


def test_a_disk_that_is_nearly_full_is_not_ready(tmp_path: Path) -> None:
    with serving(tmp_path, min_free_bytes=1 << 60) as full:
        said = full.get("/readyz")
        assert full.get("/healthz").status_code == 200
    assert said.status_code == 503
    assert said.json()["signs"] == [
        {"name": "disk_low", "subject": "", "severity": "error", "since": None}
    ]
    assert str(tmp_path) not in said.text


def test_an_error_says_what_it_is_and_nothing_of_the_request(served: Served) -> None:
    said = served.get("/dicom-web/DOE^JANE?PatientName=DOE", headers={"X-Name": "DOE"})
    assert said.status_code == 404
    assert said.json() == {"status": 404, "error": "there is nothing at this address"}
    assert "DOE" not in str(said.headers) + said.text


def test_an_error_is_text_where_text_is_asked_for(served: Served) -> None:
    said = served.get("/nothing", headers={"Accept": "text/plain"})
    assert said.text == "there is nothing at this address\n"


def test_a_method_that_is_not_for_an_address_is_said_with_those_that_are(served: Served) -> None:
    said = requests.post(f"http://127.0.0.1:{served.port}/healthz", timeout=10)
    assert said.status_code == 405
    assert said.json()["error"] == "this method is not for this address"
    assert set(said.headers["Allow"].split(", ")) == {"GET", "HEAD"}


def test_the_software_is_not_named(served: Served) -> None:
    assert "Server" not in served.get("/healthz").headers


def test_an_address_that_is_not_let_in_is_answered_with_403_and_nothing_else(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, web={"allowed_peers": ["10.0.0.0/8"]}) as closed:
        said = closed.get("/dicom-web/studies")
    assert said.status_code == 403
    assert said.json()["error"] == "this address is not in web.allowed_peers"
    with serving(tmp_path, web={"allowed_peers": ["10.0.0.0/8", "127.0.0.0/8"]}) as opened:
        assert opened.get("/healthz").ok
