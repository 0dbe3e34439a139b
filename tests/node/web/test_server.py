"""The port: taken, secured, shared with pages elsewhere, and given back in the end."""

import logging
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from node.web import server
from tests.certificates import authority
from tests.node.core.facts_of import STUDY
from tests.node.web.dicomweb.posting import image, multipart, post
from tests.node.web.dicomweb.test_store import held_open
from tests.node.web.serving import serving
from tests.peers import wait_until


def test_a_taken_port_is_said_once_and_had_as_soon_as_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "_AGAIN_S", 0.02)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        after_it_is_said(caplog, taken.close)
        with serving(tmp_path, web={"port": taken.getsockname()[1]}) as served:
            wait_until(lambda: _answers(served.port), "it is served once the port is free")
    (line,) = not_listening(caplog)
    assert line.levelno == logging.ERROR
    assert "everything else is; stop what listens there" in line.fields["says"]


def not_listening(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [each for each in caplog.records if vars(each).get("action") == "web.not_listening"]


def after_it_is_said(caplog: pytest.LogCaptureFixture, do: Callable[[], object]) -> None:
    """Once the log says that nobody listens, and a little later."""

    def wait() -> None:
        wait_until(lambda: bool(not_listening(caplog)), "it is said")
        threading.Timer(0.1, do).start()

    threading.Thread(target=wait, daemon=True).start()


def _answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/healthz", timeout=1).ok
    except requests.RequestException:
        return False


def test_it_is_secured_by_the_files_as_they_are_now(tmp_path: Path) -> None:
    trusted = authority(tmp_path)
    holder = trusted.issue("web", days=10)
    web = {"certificate_file": holder.certificate_file, "key_file": holder.key_file}
    with serving(tmp_path, web=web) as served:
        url = f"https://127.0.0.1:{served.port}"
        assert requests.get(f"{url}/healthz", verify=trusted.ca_file, timeout=10).ok
        stored = requests.post(
            f"{url}/dicom-web/studies",
            data=image(0),
            headers={"Content-Type": "application/dicom"},
            verify=trusted.ca_file,
            timeout=10,
        )
        assert stored.json()["00081190"]["Value"] == [f"{url}/dicom-web/studies/{STUDY}"]
        before = _shown(served.port)
        renewed = trusted.issue("renewed", into=tmp_path / "new")
        holder.key_file.write_bytes(renewed.key_file.read_bytes())
        assert _shown(served.port) == before
        holder.certificate_file.write_bytes(renewed.certificate_file.read_bytes())
        assert _shown(served.port) != before
        with pytest.raises(requests.ConnectionError):
            requests.get(f"http://127.0.0.1:{served.port}/healthz", timeout=10)
        assert requests.get(f"{url}/healthz", verify=trusted.ca_file, timeout=10).ok


def _shown(port: int) -> str:
    return ssl.get_server_certificate(("127.0.0.1", port), timeout=10)


def test_a_certificate_that_cannot_be_read_is_said_and_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "_AGAIN_S", 0.02)
    holder = authority(tmp_path).issue("web")
    web = {"certificate_file": tmp_path / "later.pem", "key_file": holder.key_file}
    after_it_is_said(caplog, lambda: holder.certificate_file.rename(web["certificate_file"]))
    with serving(tmp_path, web=web):
        pass
    (line,) = not_listening(caplog)
    assert str(line.exc_info[1]).startswith("web: ")
    assert "later.pem cannot be read" in str(line.exc_info[1])


def test_only_pages_of_allowed_origins_may_read_answers(tmp_path: Path) -> None:
    with serving(tmp_path, web={"allowed_origins": ["https://viewer.example"]}) as served:
        ours = served.get("/healthz", headers={"Origin": "https://viewer.example"})
        assert ours.headers["Access-Control-Allow-Origin"] == "https://viewer.example"
        for other in ("https://viewer.example.evil", "http://viewer.example", "null"):
            said = served.get("/healthz", headers={"Origin": other})
            assert "Access-Control-Allow-Origin" not in said.headers
        preflight = requests.options(
            f"{served.url}/studies",
            headers={
                "Origin": "https://viewer.example",
                "Access-Control-Request-Method": "GET",
                "Access-Control-Request-Headers": "accept",
            },
            timeout=10,
        )
        assert preflight.ok
        failed = post(served, b"", Origin="https://viewer.example")
        assert failed.status_code == 400
        assert failed.headers["Access-Control-Allow-Origin"] == "https://viewer.example"


def test_a_request_that_is_under_way_comes_to_its_end_when_the_node_stops(
    tmp_path: Path,
) -> None:
    stop = threading.Event()
    with serving(tmp_path, stop=stop) as served:
        with held_open(served):
            stop.set()
            wait_until(lambda: not _answers(served.port), "nobody else is let in")
        assert served.services.store.study_snapshot(STUDY).open_senders == 0


def test_one_that_does_not_come_to_its_end_is_cut_off_and_its_sender_has_ended(
    tmp_path: Path,
) -> None:
    stop = threading.Event()
    with serving(tmp_path, stop=stop, drain_s=1.0) as served, held_open(served, finish=False):
        stop.set()
        wait_until(
            lambda: served.services.store.study_snapshot(STUDY).open_senders == 0, "it has ended"
        )
    assert not list((tmp_path / "spool" / "parts").iterdir())


def test_the_server_says_nothing_of_names_in_a_query(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    with serving(tmp_path) as served:
        served.get("/dicom-web/studies?PatientName=DOE^JANE&limit=x")
        post(served, multipart([image(0)]), "/studies?PatientName=DOE^JANE")
    assert "DOE" not in caplog.text + capfd.readouterr().err
    assert not any("DOE" in str(vars(record)) for record in caplog.records)
