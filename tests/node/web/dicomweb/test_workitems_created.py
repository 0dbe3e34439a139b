"""A client creates work items over UPS-RS: it names a study, and nothing else is believed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from node.config import DicomwebSource, NodeConfig
from node.core.states import State
from node.web.dicomweb.workitem_asked import read_new_work_item
from node.web.dicomweb.workitem_source import chosen, holder
from tests.node.persistence.filling import NOON, claimed, finish, queued
from tests.node.pull.bench import CT, MARK, STUDY, Node
from tests.node.pull.web_pacs import WebPacs, running
from tests.node.web.serving import Served, serving

UID, STATE, READY, PROGRESS = "00080018", "00741000", "00404041", "00741002"
JSON = {"Content-Type": "application/dicom+json"}
URL = "https://pacs.example:8443/dicom-web"
SOURCES = [
    {"name": "web", "kind": "dicomweb", "url": URL},
    {"name": "archive", "kind": "dimse", "host": "pacs.example", "port": 104, "ae_title": "PACS"},
    {"name": "plain", "kind": "dicomweb", "url": "http://pacs.example/"},
]

Attributes = dict[str, Any]


def said(vr: str, *values: Any) -> Attributes:
    return {"vr": vr, "Value": list(values)}


def retrieval(*, url: str | None = None, title: str | None = None) -> Attributes:
    found: Attributes = {}
    if url is not None:
        found["0040E025"] = said("SQ", {"00081190": said("UR", url)})
    if title is not None:
        found["0040E021"] = said("SQ", {"00080054": said("AE", title)})
    return found


def source_of(study: str = STUDY, **where: str) -> Attributes:
    return {
        "0040E020": said("CS", "DICOM"),
        "0020000D": said("UI", study),
        "0020000E": said("UI", f"{study}.1"),
        "00081199": said("SQ", {"00081155": said("UI", f"{study}.1.1")}),
        **retrieval(**where),
    }


def work_item(*inputs: Attributes, **more: Any) -> Attributes:
    return {
        STATE: said("CS", "SCHEDULED"),
        "00741200": said("CS", "HIGH"),
        "00741204": said("LO", "Judge the nodules of Doe^Jane"),
        "00404021": said("SQ", *(inputs or (source_of(),))),
        **more,
    }


def post(served: Served, body: Any, query: str = "", **headers: str) -> requests.Response:
    return requests.post(
        f"{served.url}/workitems{query}",
        data=body if isinstance(body, bytes) else json.dumps(body),
        headers={**JSON, **headers},
        timeout=30,
    )


def get(served: Served, uid: str) -> Attributes:
    answer = served.get(f"/dicom-web/workitems/{uid}")
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()
    return dict(found)


def listed(served: Served) -> list[str]:
    found = served.get("/dicom-web/workitems")
    return [each[UID]["Value"][0] for each in found.json()]


def progress(item: Attributes) -> tuple[str, str, str]:
    (told,) = item[PROGRESS]["Value"]
    words = told.get("00741006") or told["00741238"]
    return item[STATE]["Value"][0], item[READY]["Value"][0], words["Value"][0]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A node to which nothing is created that is here at the end."""
    with serving(tmp_path_factory.mktemp("hostile"), sources=SOURCES) as served:
        yield served
        assert listed(served) == []
        assert served.services.store.list_studies(limit=5) == []


@contextmanager
def beside(node: Node, source: DicomwebSource, directory: Path) -> Iterator[Served]:
    node.now = datetime.now(UTC)
    with serving(directory, store=node.store, sources=[source.model_dump()]) as served:
        yield served


def test_a_study_at_a_source_is_fetched_and_analysed_as_one_work_item(tmp_path: Path) -> None:
    with running(WebPacs(holds=[*CT, MARK])) as pacs:
        node = Node(tmp_path, pacs.source())
        with beside(node, pacs.source(), tmp_path) as served:
            at = f"http://127.0.0.1:{pacs.port}/dicom-web/studies/{STUDY}"
            answer = post(served, [work_item(source_of(url=at))], "?1.2.3.901")
            address = f"{served.url}/workitems/1.2.3.901"
            assert (answer.status_code, answer.content) == (201, b"")
            assert answer.headers["Location"] == address
            assert answer.headers["Content-Location"] == address
            assert "created with modifications" in answer.headers["Warning"]
            waits = get(served, "1.2.3.901")
            assert progress(waits) == (
                "SCHEDULED",
                "INCOMPLETE",
                "waiting for WEB, from which the study is fetched",
            )
            (asked,) = waits["00404021"]["Value"]
            assert asked["0020000D"]["Value"] == [STUDY]
            node.plan()
            node.fetch()
            assert len(node.plan()) == 1
            assert get(served, "1.2.3.901")[READY]["Value"] == ["READY"]
            lease = claimed(node.store, now=node.now)
            assert lease.inputs.intent.value == "analyse"
            assert get(served, "1.2.3.901")[STATE]["Value"] == ["IN PROGRESS"]
            finish(node.store, lease, now=node.now)
            done = get(served, "1.2.3.901")
            assert done[STATE]["Value"] == ["COMPLETED"]
            (performed,) = done["00741216"]["Value"]
            assert performed["00404033"]["Value"], "it names its results"
            assert done["00100020"]["Value"] == ["SYN-1"]
            assert listed(served) == ["1.2.3.901"]
            assert "a client at 127.0.0.1 asked for an analysis" in " ".join(node.diary())


def test_one_whose_source_has_nothing_is_cancelled_with_the_reason(tmp_path: Path) -> None:
    with running(WebPacs(holds=[])) as pacs:
        node = Node(tmp_path, pacs.source())
        with beside(node, pacs.source(), tmp_path) as served:
            assert post(served, work_item()).status_code == 201
            node.plan()
            node.fetch()
            node.plan()
            (uid,) = listed(served)
            assert progress(get(served, uid)) == (
                "CANCELED",
                "INCOMPLETE",
                "WEB holds nothing of this study; neither a chest CT nor an annotation is among "
                "what came",
            )


def test_one_whose_source_fails_is_cancelled_with_the_reason(tmp_path: Path) -> None:
    with running(WebPacs(holds=[], instead=(503, "text/plain", b""))) as pacs:
        node = Node(tmp_path, pacs.source())
        with beside(node, pacs.source(), tmp_path) as served:
            assert post(served, work_item()).status_code == 201
            node.plan()
            node.fetch()
            node.plan()
            (uid,) = listed(served)
            state, _, words = progress(get(served, uid))
            assert state == "CANCELED"
            assert words.startswith("it could not be fetched from WEB: ")
            assert "answered HTTP 503" in words


def test_what_is_here_and_judged_is_that_job_and_can_be_named_by_this_node(tmp_path: Path) -> None:
    node = Node(tmp_path)
    with serving(tmp_path, store=node.store) as served:
        node.receive(*CT, MARK)
        node.plan()
        finish(node.store, claimed(node.store, now=node.now), now=node.now)
        here = f"{served.url}/studies/{STUDY}/series/1.2.3"
        for number, where in enumerate([{"url": here}, {"title": "M3NODE"}, {}]):
            body = work_item(source_of(**where), **{UID: said("UI", f"1.2.3.90{number}")})
            assert post(served, body).status_code == 201
        node.now = datetime.now(UTC)
        assert node.plan() == []
        for number in range(3):
            assert get(served, f"1.2.3.90{number}")[STATE]["Value"] == ["COMPLETED"]
        assert node.store.list_fetches(STUDY) == []


def test_a_study_that_cannot_be_had_is_refused(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        answer = post(served, work_item())
        assert answer.status_code == 409
        assert "no source is configured" in answer.json()["error"]
        queued(served.services.store, 0)
        (job,) = listed(served)
        study = {"0020000D": said("UI", "1.2.3")}
        assert post(served, work_item(study), f"?{job}").status_code == 409
        assert post(served, work_item(study, **{UID: said("UI", job)})).status_code == 409
        other = work_item(study, **{"00100020": said("LO", "4712")})
        answer = post(served, other)
        assert (answer.status_code, "4712" in answer.text) == (409, False)
        assert "another patient" in answer.json()["error"]
        assert post(served, work_item(study), "?workitem=1.2.3.901").status_code == 201
        assert (
            post(served, work_item(study), "?AffectedSOPInstanceUID=1.2.3.901").status_code == 409
        )
        assert listed(served) == ["1.2.3.901", job] or listed(served) == [job, "1.2.3.901"]


def test_one_that_waits_can_be_cancelled_and_one_that_is_a_job_as_that(tmp_path: Path) -> None:
    slices = [
        {
            "00081150": said("UI", "1.2.840.10008.5.1.4.1.1.2"),
            "00081155": said("UI", f"1.3.6.1.4.1.14519.5.2.1.6279.6001.{10**25 + number}"),
        }
        for number in range(5_000)
    ]
    with serving(tmp_path, sources=SOURCES) as served:
        store = served.services.store
        many = work_item({**source_of(), "00081199": said("SQ", *slices)})
        assert post(served, many, "?1.2.3.901").status_code == 201
        cancel = f"{served.url}/workitems/1.2.3.901/cancelrequest"
        assert requests.post(cancel, timeout=30).status_code == 202
        assert progress(get(served, "1.2.3.901"))[::2] == (
            "CANCELED",
            "cancelled by a client at 127.0.0.1",
        )
        assert requests.post(cancel, timeout=30).status_code == 409
        assert [each.state for each in store.list_fetches(STUDY)] == [State.CANCELLED]
        queued(store, 0, now=NOON)
        here = work_item({"0020000D": said("UI", "1.2.3")})
        assert post(served, here, "?1.2.3.902").status_code == 201
        queued(store, 0, 1)
        assert get(served, "1.2.3.902")[READY]["Value"] == ["READY"]
        cancel = f"{served.url}/workitems/1.2.3.902/cancelrequest"
        assert requests.post(cancel, timeout=30).status_code == 202
        assert store.job(2).state == "cancelled"
        assert get(served, "1.2.3.902")[STATE]["Value"] == ["CANCELED"]


def test_who_may_not_send_may_not_create(tmp_path: Path) -> None:
    receiver = {"allowed_peers": ["192.0.2.0/24"]}
    with serving(tmp_path, receiver=receiver, sources=SOURCES) as served:
        assert post(served, work_item()).status_code == 403
        assert post(served, b"[" * 100).status_code == 403
        assert listed(served) == []


@pytest.mark.parametrize(
    ("where", "source"),
    [
        ({"url": f"{URL}/studies/{STUDY}"}, "web"),
        ({"url": f"{URL}/studies/{STUDY}/series/1.2.3/instances/1.2.3.4"}, "web"),
        ({"url": f"HTTPS://PACS.example:8443/dicom-web/studies/{STUDY}/"}, "web"),
        ({"url": f"{URL}/"}, "web"),
        ({"url": f"http://pacs.example:80/studies/{STUDY}"}, "plain"),
        ({"title": " PACS "}, "archive"),
        ({"url": f"http://elsewhere.example/studies/{STUDY}", "title": "PACS"}, "archive"),
        ({}, "web"),  # the first, where none is named
    ],
)
def test_a_source_is_chosen_by_its_address_or_title(where: dict[str, str], source: str) -> None:
    config = NodeConfig.model_validate({"sources": SOURCES})
    asked = read_new_work_item(json.dumps(work_item(source_of(**where))).encode(), None)
    assert chosen(asked.retrievals, [*map(holder, config.sources)], study=STUDY) == source


@pytest.mark.parametrize(
    "url",
    [
        f"http://pacs.example:8443/dicom-web/studies/{STUDY}",
        f"https://pacs.example/dicom-web/studies/{STUDY}",
        f"https://pacs.example:84430/dicom-web/studies/{STUDY}",
        f"https://pacs.example.evil:8443/dicom-web/studies/{STUDY}",
        f"https://pacs.example:8443.evil/dicom-web/studies/{STUDY}",
        f"https://evil/https://pacs.example:8443/dicom-web/studies/{STUDY}",
        f"https://pacs.example:8443@evil/dicom-web/studies/{STUDY}",
        f"https://evil@pacs.example:8443/dicom-web/studies/{STUDY}",
        f"https://pacs.example:8443\\@evil/dicom-web/studies/{STUDY}",
        f"https://pacs.example:8443#@evil/dicom-web/studies/{STUDY}",
        f"https://pacs.example.:8443/dicom-web/studies/{STUDY}",
        f"{URL}.evil/studies/{STUDY}",
        f"{URL}evil/studies/{STUDY}",
        f"{URL}/../studies/{STUDY}",
        f"{URL}/%2e%2e/studies/{STUDY}",
        f"{URL}/studies/{STUDY}/../1.2.3",
        f"{URL}/studies/{STUDY}%2f..%2f1.2.3",
        f"{URL}//studies/{STUDY}",
        f"{URL}/studies/{STUDY}?to=http://evil",
        f"{URL}/studies/{STUDY}#x",
        f"{URL}/studies/{STUDY}\n",
        f"{URL}/studies/{STUDY}\u0000",
        f"{URL}/studies/1.2.3",
        f"{URL}/studies/{STUDY}1",
        f"//pacs.example:8443/dicom-web/studies/{STUDY}",
        f"file:///dicom-web/studies/{STUDY}",
        f"gopher://pacs.example:8443/dicom-web/studies/{STUDY}",
        f"http://169.254.169.254/studies/{STUDY}",
        f"http://[::1]:8443/dicom-web/studies/{STUDY}",
        "javascript:alert(1)",
    ],
)
def test_an_address_that_is_no_source_is_never_asked(hostile: Served, url: str) -> None:
    answer = post(hostile, work_item(source_of(url=url)))
    assert answer.status_code == 409, answer.text
    assert "evil" not in answer.text


def test_inputs_from_several_sources_are_refused(hostile: Served) -> None:
    body = work_item(source_of(url=f"{URL}/studies/{STUDY}"), source_of(title="PACS"))
    answer = post(hostile, body)
    assert (answer.status_code, "several sources" in answer.text) == (409, True)


DEEP = b'{"00404021": {"vr": "SQ", "Value": ' + b"[" * 200_000


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"\x00", "no JSON"),
        (b"[" * 500_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (DEEP, "nested too deeply"),
        (b'{"00741000": {}, "00741000": {}}', "once each"),
        (b"[NaN]", "no JSON"),
        (b"[" + b"9" * 5_000 + b"]", "no JSON"),
        ([], "a list of one data set"),
        ([work_item(), work_item()], "a list of one data set"),
        (["x"], "must be an object"),
        (None, "must be an object"),
        ({"StudyInstanceUID": said("UI", STUDY)}, "eight hexadecimal digits"),
        ({}, "must be SCHEDULED"),
        (work_item(**{STATE: said("CS", "IN PROGRESS")}), "must be SCHEDULED"),
        (work_item(**{STATE: said("CS", "SCHEDULED", "COMPLETED")}), "one value"),
        (work_item(**{STATE: said("LO", "SCHEDULED")}), "must have the vr CS"),
        (work_item(**{STATE: "SCHEDULED"}), "must have the vr CS"),
        (work_item(**{STATE: {"vr": "CS", "Value": "SCHEDULED"}}), "values in a list"),
        (work_item(**{STATE: said("CS", {"x": 1})}), "is no text"),
        (work_item(**{"00081195": said("UI", "1.2.3")}), "TransactionUID must be empty"),
        (work_item(**{"00404021": said("SQ")}), "must have an item"),
        (work_item(**{"00404021": said("UN", source_of())}), "must have the vr SQ"),
        (work_item(**{"00404021": said("SQ", None)}), "must be an object"),
        ({STATE: said("CS", "SCHEDULED")}, "must have an item"),
        (work_item(source_of(), source_of("1.2.9")), "several studies"),
        (work_item(source_of("../../etc/passwd")), "no UID"),
        (work_item(source_of("1.2\u0000.3")), "no UID"),
        (work_item(source_of("1." * 33)), "no UID"),
        (work_item(source_of(""), **{"0020000D": said("UI", STUDY)}), "is missing"),
        (work_item({**source_of(), "0040E020": said("CS", "CDA")}), "must be DICOM"),
        (work_item(*([{}] * 10_000)), "is missing"),
        (work_item(*(source_of(f"1.2.{n}") for n in range(500))), "several studies"),
        (work_item(**{UID: said("UI", "x")}), "UID of the work item is none"),
        (work_item(**{UID: said("UI", "1.2\u0000")}), "UID of the work item is none"),
        (work_item(**{UID: said("UI", "1.2.840.10008.5.1.4.34.5")}), "the Standard's own"),
        (work_item(**{UID: said("UI", "1.2"), "00001000": said("UI", "1.3")}), "different UIDs"),
        (work_item(**{UID: said("UI", "1" * 5_000)}), "too long"),
    ],
)
def test_a_body_that_asks_for_nothing_is_refused_with_words(
    hostile: Served, body: Any, says: str
) -> None:
    answer = post(hostile, body)
    assert (answer.status_code, says in answer.text) == (400, True), answer.text
    assert "passwd" not in answer.text


@pytest.mark.parametrize(
    ("query", "status"),
    [("?1.2.3&1.2.4", 400), ("?x", 400), ("?workitem=..%2f1", 400), ("?1.2%00", 400)],
)
def test_a_uid_in_the_query_is_one(hostile: Served, query: str, status: int) -> None:
    assert post(hostile, work_item(), query).status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/dicom+xml"}, 415),
        ({"Content-Type": "multipart/related; type=application/dicom+json"}, 415),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": ""}, 415),
        ({"Content-Encoding": "gzip"}, 415),
    ],
)
def test_what_is_no_dicom_json_is_refused(
    hostile: Served, headers: dict[str, str], status: int
) -> None:
    assert post(hostile, work_item(), **headers).status_code == status


def test_a_body_that_does_not_end_is_cut_off(hostile: Served) -> None:
    assert post(hostile, b" " * ((1 << 20) + 1)).status_code == 413

    def without_end() -> Iterator[bytes]:
        for _ in range(200):
            yield b" " * (1 << 16)

    url = f"{hostile.url}/workitems"
    try:
        answer = requests.post(url, data=without_end(), headers=JSON, timeout=30)
    except requests.ConnectionError:
        return
    assert answer.status_code == 413
