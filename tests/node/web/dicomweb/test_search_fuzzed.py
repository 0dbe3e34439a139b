"""Whatever stands in a query, it is read or refused; nothing of it becomes SQL, or an error."""

import json
import logging
import random
import string
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote

import pytest

from node.dicom.searchable import ATTRIBUTES, Level
from node.persistence.schema import Base
from tests.node.web.dicomweb.archive import archive

ROUNDS = 250
PIECES = [
    *("*", "?", "**?*", "[", "[!a]", "]", "%", "_", "%%", "\\", "\\\\", "/", "'", '"', "''", ";"),
    *(
        "--",
        "' OR 1=1 --",
        "'); DROP TABLE study; --",
        "\x00",
        "\n",
        "\x7f",
        "=",
        "==",
        "^",
        "^^^=",
    ),
    *("ß", "İ", "山田", "\ud7ff", "\ue000", "\U0010ffff", "é", "e\u0301", "\u202e", "~", "-", "--"),
    *("20260101", "20260101-", "-20260101", "1015", "25", "1.2.3", "1.2.3,1.2.4", "9" * 30, "-1"),
    *("1e9", "0x10", "NaN", "all", ",", ",,,", ".", "..", "../..", "${jndi:x}", "<script>", "١"),
]
WORDS = [
    *("limit", "offset", "includefield", "fuzzymatching", "accept", "charset", "nobody", ""),
    *("00080005", "7FE00010", "FFFFFFFF", "00090010", "0040A730.0040A043", "0020000D.", "."),
    *(each.keyword for level in Level for each in ATTRIBUTES[level]),
    *(f"{each.tag:08x}" for level in Level for each in ATTRIBUTES[level]),
    *("RequestAttributesSequence", "RequestAttributesSequence.StudyID", "00400275.00400009"),
]
PATHS = [
    *("/studies", "/series", "/instances", "/studies/1.2.3/series", "/studies/1.2.3/instances"),
    *("/studies/1.2.3/series/1.2.3.10/instances", "/studies/1/series", "/studies/x/series"),
]


class Client:
    """Sends a request line as it is, over one connection."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=60)

    def get(self, path: str) -> tuple[int, bytes]:
        self._connection.request("GET", f"/dicom-web{path}")
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("archive")
    with archive(folder) as served, closing(Client(served.port)) as client:
        yield client


def _value(chance: random.Random) -> str:
    count = chance.choice((0, 1, 1, 1, 2, 3, 8))
    pieces = [chance.choice((*PIECES, *string.ascii_letters)) for _ in range(count)]
    return "".join(pieces)


def _query(chance: random.Random) -> str:
    pairs = []
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        name = chance.choice(WORDS) if chance.random() < 0.9 else _value(chance)
        pairs.append(f"{quote(name)}={quote(_value(chance))}")
    query = "&".join(pairs)
    if chance.random() < 0.2:  # bytes that are no UTF-8, and separators where none should be
        at = chance.randrange(len(query) + 1)
        query = (
            query[:at] + chance.choice(("%ff", "%c3", "%", "%zz", "&&", "=", "+", ";")) + query[at:]
        )
    return query


def test_what_nobody_would_write_is_read_or_refused(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random(20260301)
    statuses: dict[int, int] = {}
    with caplog.at_level(logging.DEBUG):
        for _ in range(ROUNDS):
            path, query = chance.choice(PATHS), _query(chance)
            status, body = client.get(f"{path}?{query}")
            assert status in (200, 400, 406), query
            statuses[status] = statuses.get(status, 0) + 1
            if status == 200:
                assert isinstance(json.loads(body), list)
    assert min(statuses[status] for status in (200, 400)) > ROUNDS / 20, statuses
    assert "DROP TABLE" not in caplog.text
    assert "jndi" not in caplog.text
    assert len(json.loads(client.get("/studies")[1])) == 3, "everything is still there"


def test_a_pattern_of_many_wild_cards_costs_no_more_than_others(client: Client) -> None:
    many = quote("*a?" * 300 + "*z")
    for keyword in ("PatientName", "StudyDescription", "PatientID"):
        assert client.get(f"/studies?{keyword}={many}") == (200, b"[]")


def test_the_tables_of_the_program_are_named_in_no_answer(client: Client) -> None:
    for query in ("StudyDate=x", "StudyInstanceUID=x", "limit=x", "SeriesNumber=x"):
        status, body = client.get(f"/series?{query}")
        assert status == 400
        assert not any(f"{table}.".encode() in body for table in Base.metadata.tables)


def test_nothing_of_a_search_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with archive(tmp_path) as served, closing(Client(served.port)) as client:
        for query in ("PatientName=Secret*", "PatientID=SECRET", "StudyDate=SECRET"):
            client.get(f"/studies?{query}")
    assert "secret" not in caplog.text.lower()
