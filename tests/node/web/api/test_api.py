"""The JSON interface does what its document says, and shares the rows of the command line."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from pydantic import TypeAdapter
from schemathesis.core.result import Ok

from node.core.people import Role
from node.credentials import TOKEN_PURPOSE, digest_of
from node.listed.studies import study_json
from node.persistence.asked import StudiesAsked
from node.persistence.people import AccountKind
from node.persistence.store import Store, open_store
from node.web.api.table import OPERATIONS
from node.web.application import application
from tests.node.core.facts_of import STUDY
from tests.node.persistence.filling import NOON, claimed, finish, queued
from tests.node.web.serving import Served, serving

OPERATOR, VIEWER = "m3n_operator", "m3n_viewer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """A server that has a token of each role, one study that is reported, and one job queued."""

    served: Served
    store: Store

    def ask(self, path: str, *, token: str = VIEWER, method: str = "GET") -> requests.Response:
        """What is answered below /api."""
        url = f"http://127.0.0.1:{self.served.port}/api{path}"
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return requests.request(method, url, headers=headers, timeout=30)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    directory = tmp_path_factory.mktemp("api")
    store = open_store(f"sqlite:///{directory / 'node.sqlite'}")
    for name, token, role in (
        ("operator", OPERATOR, Role.OPERATOR),
        ("viewer", VIEWER, Role.VIEWER),
    ):
        secret = digest_of(token, purpose=TOKEN_PURPOSE)
        store.add_account(AccountKind.TOKEN, name, role=role, secret=secret, now=NOON)
    store.add_account(AccountKind.USER, "anna", role=Role.VIEWER, secret=None, now=NOON)
    queued(store)
    finish(store, claimed(store), destinations=("pacs", "archive"))
    destination = {"name": "pacs", "kind": "dimse", "host": "h", "port": 104, "ae_title": "PACS"}
    with serving(directory, store=store, destinations=[destination]) as served:
        yield Programs(served=served, store=store)


def test_it_is_what_its_document_says_it_is(programs: Programs) -> None:
    """Made and broken requests of every operation, by schemathesis."""
    app = application(programs.served.services)
    asking = {"Authorization": f"Bearer {OPERATOR}", "Host": "127.0.0.1"}
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", app, headers=asking)
    tried = 0
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)

        @settings(
            max_examples=12,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def holds(case: Any) -> None:
            nonlocal tried
            tried += 1
            case.call_and_validate(headers=asking)

        given(case=result.ok().as_strategy())(holds)()
    assert tried > 50


def test_studies_are_listed_as_the_command_line_lists_them(programs: Programs) -> None:
    answer = programs.ask("/studies").json()
    (row,) = programs.store.studies(StudiesAsked()).rows
    expected = TypeAdapter(dict[str, Any]).dump_python(study_json(row, phi=False), mode="json")
    assert answer == {"rows": [expected], "total": 1, "offset": 0}
    assert "Doe" not in str(answer)


def test_jobs_are_listed_as_the_command_line_lists_them(programs: Programs) -> None:
    (row,) = programs.ask("/jobs").json()["rows"]
    assert set(row) == set(asdict(programs.store.job(1)))
    assert row["headline"] == "No annotation received, nothing was assessed"


def test_one_study_names_the_patient_and_tells_the_diary(programs: Programs) -> None:
    study = programs.ask(f"/studies/{STUDY}").json()
    assert study["patient_name"] == "Doe^Jane"
    assert study["accession_number"] == "A17"
    assert study["events"][-1]["sentence"].endswith("queued")
    assert [each["destination"] for each in study["deliveries"]] == ["archive", "pacs"]


def test_lists_are_filtered_and_paged(programs: Programs) -> None:
    assert programs.ask("/deliveries?destination=pacs").json()["total"] == 1
    assert programs.ask("/deliveries?state=dead&state=done").json()["total"] == 0
    page = programs.ask("/deliveries?limit=1&offset=1").json()
    assert (len(page["rows"]), page["total"], page["offset"]) == (1, 2, 1)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("limit=0", "limit cannot be that"),
        ("limit=1&limit=2", "limit cannot be that"),
        ("limit=1_0", "limit cannot be that"),
        ("sort=patient_name", "sort cannot be that"),
        ("name=DOE", "something is asked that is not known"),
        ("search=%00", "search cannot be that"),
    ],
)
def test_what_cannot_be_asked_is_refused_and_not_repeated(
    programs: Programs, query: str, says: str
) -> None:
    answer = programs.ask(f"/studies?{query}")
    assert answer.status_code == 422
    assert says in answer.json()["error"]
    assert "DOE" not in answer.text


def test_what_is_wrong_is_told(programs: Programs) -> None:
    health = programs.ask("/health").json()
    assert health["status"] == "error"
    assert "node_down" in [sign["name"] for sign in health["signs"]]


def test_an_action_is_for_operators_and_says_what_came_of_it(programs: Programs) -> None:
    refused = programs.ask("/actions/requeue-job/1", method="POST")
    assert refused.status_code == 403
    answer = programs.ask("/actions/cancel-job/1", method="POST", token=OPERATOR)
    assert answer.status_code == 409
    assert "job 1 is done" in answer.json()["error"]
    assert programs.ask("/actions/echo/pacs", method="POST", token=OPERATOR).json() == {
        "sentence": "pacs answers",
        "study_instance_uid": None,
    }


def test_without_a_token_nothing_is_told(programs: Programs) -> None:
    for operation in OPERATIONS:
        path = operation.path.format(study="x", job=1, action="echo", target="pacs")
        assert programs.ask(path, token="", method=operation.method).status_code == 401
    assert programs.ask("/openapi.json", token="").status_code == 401


def test_the_document_is_served_and_names_every_operation(programs: Programs) -> None:
    paths = programs.ask("/openapi.json").json()["paths"]
    assert {(path, method) for path, said in paths.items() for method in said} == {
        (each.path, each.method.lower()) for each in OPERATIONS
    }
