"""What clients were seen to ask, word for word, and dicomweb-client 0.61 itself."""

from collections.abc import Iterator
from typing import Any

import pytest
from dicomweb_client.api import DICOMwebClient
from pydicom import Dataset

from tests.node.web.dicomweb.archive import DOE, MUELLER, YAMADA, archive
from tests.node.web.serving import Served

CLIENT = "application/dicom+json, application/json"
OHIF = "application/dicom+json"
CT = f"/studies/{MUELLER}/series/1.2.3.10"
_LIST = "/studies?limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060"
STUDY, SERIES, INSTANCE = "0020000D", "0020000E", "00080018"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with archive(tmp_path_factory.mktemp("archive")) as served:
        yield served


@pytest.fixture
def client(served: Served) -> DICOMwebClient:
    return DICOMwebClient(served.url)


@pytest.mark.parametrize(
    ("accept", "path", "tag", "expected"),
    [
        # dicomweb-client
        (
            CLIENT,
            "/studies?PatientID=4711&fuzzymatching=false&includefield=StudyDescription"
            "&limit=5&offset=0",
            STUDY,
            [MUELLER],
        ),
        (
            CLIENT,
            f"/studies/{MUELLER}/series",
            SERIES,
            ["1.2.3.10", "2.25.1002.1", "2.25.1003.1"],
        ),
        (CLIENT, f"{CT}/instances?limit=2&offset=0", INSTANCE, ["1.2.3.10.0", "1.2.3.10.1"]),
        (CLIENT, f"{CT}/instances?limit=2&offset=2", INSTANCE, ["1.2.3.10.2"]),
        (CLIENT, f"{CT}/instances?limit=2&offset=4", INSTANCE, []),
        (
            CLIENT,
            "/instances",
            INSTANCE,
            [
                *("1.2.3.10.0", "1.2.3.10.1", "1.2.3.10.2", "2.25.2301.1", "2.25.343.1"),
                *("1.2.4.1.1", "1.2.4.2.1", "1.2.5.1.1"),
            ],
        ),
        # Orthanc's plugin
        ("*/*", "/studies?PatientID=4711", STUDY, [MUELLER]),
        ("*/*", "/studies", STUDY, [MUELLER, YAMADA, DOE]),
        # OHIF: its list, its viewer by study and by patient
        (OHIF, _LIST, STUDY, [MUELLER, YAMADA, DOE]),
        (OHIF, f"{_LIST}&StudyInstanceUID={MUELLER}", STUDY, [MUELLER]),
        (
            OHIF,
            f"/studies/{MUELLER}/series?includefield=00080021%2C00080031%2C0008103E%2C00200011",
            SERIES,
            ["1.2.3.10", "2.25.1002.1", "2.25.1003.1"],
        ),
        (
            OHIF,
            "/studies?00100020=4711&limit=101&offset=0&fuzzymatching=false"
            "&includefield=00081030%2C00080060",
            STUDY,
            [MUELLER],
        ),
        # OHIF's list, filtered
        (OHIF, f"{_LIST}&PatientName=*doe*", STUDY, [DOE]),
        (OHIF, f"{_LIST}&StudyDate=20260201-20260228&ModalitiesInStudy=CT", STUDY, [YAMADA]),
        (OHIF, f"{_LIST}&AccessionNumber=*A17*&StudyDescription=*Thorax*", STUDY, [MUELLER]),
        # Weasis, page by page
        (
            "application/dicom+json",
            f"/instances?0020000D={MUELLER}&includefield=00080018&offset=3&limit=100",
            INSTANCE,
            ["2.25.2301.1", "2.25.343.1"],
        ),
    ],
)
def test_what_was_seen_to_be_asked_is_answered(
    served: Served, accept: str, path: str, tag: str, expected: list[str]
) -> None:
    answer = served.get(
        f"/dicom-web{path}", headers={"Accept": accept, "User-Agent": "Mozilla/5.0 (X11)"}
    )
    assert answer.status_code == 200
    assert [each[tag]["Value"][0] for each in answer.json()] == expected


def test_ohif_gets_what_its_list_and_its_series_show(served: Served) -> None:
    (study,) = served.get(f"/dicom-web{_LIST}&StudyInstanceUID={MUELLER}").json()
    shown = {tag: study[tag].get("Value") for tag in ("00100010", "00100020", "00081030")}
    assert shown == {
        "00100010": [{"Alphabetic": "Müller^Jörg"}],
        "00100020": ["4711"],
        "00081030": ["CT Thorax [low dose]"],
    }
    assert study["00080061"]["Value"] == ["CT", "OT", "SR"]
    assert study["00201208"]["Value"] == [5]
    first, *_ = served.get(
        f"/dicom-web/studies/{MUELLER}/series?includefield=00080021,00080031,0008103E,00200011"
    ).json()
    tags = ("00080021", "00080031", "0008103E", "00200011", "00080060", "00201209")
    assert [first[tag]["Value"] for tag in tags] == [
        ["20260301"],
        ["101530"],
        ["Thorax 2.5"],
        [3],
        ["CT"],
        [3],
    ]


def said(found: list[dict[str, Any]], keyword: str) -> list[Any]:
    return [Dataset.from_json(each)[keyword].value for each in found]


def test_dicomweb_client_searches_at_every_level(client: DICOMwebClient) -> None:
    by_name = client.search_for_studies(
        search_filters={"PatientName": "müller*", "StudyDate": "20260101-"},
        fields=["StudyDescription", "ReferringPhysicianName"],
    )
    assert said(by_name, "StudyInstanceUID") == [MUELLER]
    assert said(by_name, "StudyDescription") == ["CT Thorax [low dose]"]
    assert str(said(by_name, "PatientName")[0]) == "Müller^Jörg"
    assert client.search_for_studies(search_filters={"PatientID": "nobody"}) == []
    everywhere = client.search_for_series(search_filters={"Modality": "SEG"})
    assert said(everywhere, "SeriesInstanceUID") == ["1.2.4.2"]
    within = client.search_for_series(MUELLER, search_filters={"Modality": "SR"})
    assert said(within, "SeriesNumber") == [1001]
    slices = client.search_for_instances(MUELLER, "1.2.3.10", limit=2, offset=1)
    assert said(slices, "InstanceNumber") == [2, 3]
    reports = client.search_for_instances(
        MUELLER, search_filters={"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.34"}
    )
    assert said(reports, "SOPInstanceUID") == ["2.25.343.1"]


def test_dicomweb_client_pages_to_the_end(client: DICOMwebClient) -> None:
    found = client.search_for_instances(limit=3, get_remaining=True)
    assert len(found) == 8
    assert len(client.search_for_studies(limit=1, get_remaining=True)) == 3
