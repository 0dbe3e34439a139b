"""QIDO-RS over HTTP: what is here is found, as it is asked for and no further."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from node.persistence.store import open_store
from tests.node.persistence.postgresql import server
from tests.node.web.dicomweb.archive import (
    DOE,
    MUELLER,
    YAMADA,
    analysed,
    archive,
)
from tests.node.web.serving import Served

NATIVE = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with archive(tmp_path_factory.mktemp("archive")) as served:
        yield served


def asked(served: Served, path: str) -> list[dict[str, Any]]:
    answer = served.get(f"/dicom-web{path}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/dicom+json"
    found: list[dict[str, Any]] = answer.json()
    return found


def studies(served: Served, query: str) -> list[str]:
    return [each["0020000D"]["Value"][0] for each in asked(served, f"/studies?{query}")]


def test_a_study_is_answered_with_all_that_the_standard_requires(served: Served) -> None:
    (found,) = asked(served, "/studies?StudyInstanceUID=1.2.3")
    assert found == {
        "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
        "00080020": {"vr": "DA", "Value": ["20260301"]},
        "00080030": {"vr": "TM", "Value": ["101500.25"]},
        "00080050": {"vr": "SH", "Value": ["A17"]},
        "00080056": {"vr": "CS", "Value": ["ONLINE"]},
        "00080061": {"vr": "CS", "Value": ["CT", "OT", "SR"]},
        "00080090": {"vr": "PN", "Value": [{"Alphabetic": "House^Gregory"}]},
        "00080201": {"vr": "SH", "Value": ["+0100"]},
        "00081190": {"vr": "UR", "Value": [f"{served.url}/studies/1.2.3"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Müller^Jörg"}]},
        "00100020": {"vr": "LO", "Value": ["4711"]},
        "00100030": {"vr": "DA", "Value": ["19610704"]},
        "00100040": {"vr": "CS", "Value": ["M"]},
        "0020000D": {"vr": "UI", "Value": ["1.2.3"]},
        "00200010": {"vr": "SH", "Value": ["S-1"]},
        "00201206": {"vr": "IS", "Value": [3]},
        "00201208": {"vr": "IS", "Value": [5]},
    }


def test_series_are_answered_with_all_that_the_standard_requires(served: Served) -> None:
    ct, capture, report = asked(served, "/studies/1.2.3/series")
    assert ct == {
        "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
        "00080060": {"vr": "CS", "Value": ["CT"]},
        "0008103E": {"vr": "LO", "Value": ["Thorax 2.5"]},
        "00081190": {"vr": "UR", "Value": [f"{served.url}/studies/1.2.3/series/1.2.3.10"]},
        "0020000D": {"vr": "UI", "Value": ["1.2.3"]},
        "0020000E": {"vr": "UI", "Value": ["1.2.3.10"]},
        "00200011": {"vr": "IS", "Value": [3]},
        "00201209": {"vr": "IS", "Value": [3]},
        "00400244": {"vr": "DA", "Value": ["20260301"]},
        "00400245": {"vr": "TM", "Value": ["101500"]},
        "00400275": {
            "vr": "SQ",
            "Value": [
                {
                    "00400009": {"vr": "SH", "Value": ["SPS1"]},
                    "00401001": {"vr": "SH", "Value": ["RP1"]},
                }
            ],
        },
    }
    assert [each["00080060"]["Value"] for each in (capture, report)] == [["OT"], ["SR"]]
    assert [each["00201209"]["Value"] for each in (capture, report)] == [[1], [1]]
    assert report["00400275"] == {"vr": "SQ"}


def test_instances_are_answered_with_all_that_the_standard_requires(served: Served) -> None:
    first, *others = asked(served, "/studies/1.2.3/series/1.2.3.10/instances")
    assert first == {
        "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
        "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.2"]},
        "00080018": {"vr": "UI", "Value": ["1.2.3.10.0"]},
        "00080056": {"vr": "CS", "Value": ["ONLINE"]},
        "00081190": {
            "vr": "UR",
            "Value": [f"{served.url}/studies/1.2.3/series/1.2.3.10/instances/1.2.3.10.0"],
        },
        "0020000D": {"vr": "UI", "Value": ["1.2.3"]},
        "0020000E": {"vr": "UI", "Value": ["1.2.3.10"]},
        "00200013": {"vr": "IS", "Value": [1]},
        "00280008": {"vr": "IS"},
        "00280010": {"vr": "US", "Value": [4]},
        "00280011": {"vr": "US", "Value": [4]},
        "00280100": {"vr": "US", "Value": [16]},
    }
    assert [each["00080018"]["Value"][0] for each in others] == ["1.2.3.10.1", "1.2.3.10.2"]


def test_above_the_path_all_is_answered_that_the_path_does_not_name(served: Served) -> None:
    for path, tags in {
        "/series": {"00100020", "00080020", "00201206"},
        "/instances": {"00100020", "00080060", "00200011", "00201209"},
        "/studies/1.2.3/instances": {"00080060", "00200011"},
    }.items():
        for each in asked(served, path):
            assert tags <= each.keys(), path
    (with_patient,) = asked(served, "/studies/1.2.5/series?includefield=PatientID,00080020")
    assert with_patient["00100020"]["Value"] == ["p_2%"]
    assert with_patient["00080020"]["Value"] == ["20201231"]
    (without,) = asked(served, "/studies/1.2.5/series")
    assert "00100020" not in without


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("/studies", 3),
        ("/series", 6),
        ("/instances", 8),
        ("/studies/1.2.3/series", 3),
        ("/studies/1.2.3/instances", 5),
        ("/studies/1.2.3/series/1.2.3.10/instances", 3),
        ("/studies/9.9/series", 0),
        ("/studies/1.2.3/series/9.9/instances", 0),
        ("/studies/1.2.4/series/1.2.3.10/instances", 0),
    ],
)
def test_every_resource_has_its_own(served: Served, path: str, number: int) -> None:
    assert len(asked(served, path)) == number


STUDIES = [
    ("", [MUELLER, YAMADA, DOE]),
    ("PatientID=4711", [MUELLER]),
    ("00100020=4711", [MUELLER]),
    ("PatientID=471", []),
    ("PatientID=47*", [MUELLER]),
    ("PatientID=*11", [MUELLER]),
    ("PatientID=4?11", [MUELLER]),
    ("PatientID=P_2%25", [YAMADA]),
    ("PatientID=p*", [DOE]),
    ("PatientID=*_2%25", [YAMADA, DOE]),
    ("PatientID=*_2%25?", []),
    ("PatientID=", [MUELLER, YAMADA, DOE]),
    ("PatientID=**", [MUELLER, YAMADA, DOE]),
    ("StudyDate=*&StudyInstanceUID=*&PatientID=", [MUELLER, YAMADA, DOE]),
    ("PatientName=doe^john", [DOE]),
    ("PatientName=Doe", []),
    ("PatientName=Doe*", [DOE]),
    ("PatientName=*jOhN", [DOE]),
    ("PatientName=M%C3%9CLLER*", [MUELLER]),
    ("PatientName=Mu%CC%88ller*", [MUELLER]),
    ("PatientName=yamada^tarou", [YAMADA]),
    ("PatientName=%E5%B1%B1%E7%94%B0^%E5%A4%AA%E9%83%8E", [YAMADA]),
    ("PatientName=%E5%B1%B1*", [YAMADA]),
    ("ReferringPhysicianName=house*", [MUELLER]),
    ("StudyDescription=CT+Thorax+[low*", [MUELLER]),
    ("StudyDescription=ct*", []),
    ("StudyDescription=CT++Thorax*", [MUELLER]),
    ("AccessionNumber=A17", [MUELLER]),
    ("AccessionNumber=A*17", [MUELLER, DOE]),
    ("StudyID=S-1", [MUELLER]),
    ("PatientSex=M,O", [MUELLER, DOE]),
    ("PatientBirthDate=19610704", [MUELLER]),
    ("PatientBirthDate=-19700101", [MUELLER]),
    ("StudyDate=20260301", [MUELLER]),
    ("StudyDate=20260101-20260228", [YAMADA]),
    ("StudyDate=20260215-20260301", [MUELLER, YAMADA]),
    ("StudyDate=20260215-", [MUELLER, YAMADA]),
    ("StudyDate=-20260215", [YAMADA, DOE]),
    ("StudyTime=1015", [MUELLER]),
    ("StudyTime=10:15", [MUELLER]),
    ("StudyTime=101500.25", [MUELLER]),
    ("StudyTime=101500.26-", [DOE]),
    ("StudyTime=08-10", [MUELLER, YAMADA]),
    ("StudyTime=-0815", [YAMADA]),
    ("StudyDate=20260215-20260301&StudyTime=0900-1000", []),
    ("StudyDate=20260215-20260301&StudyTime=0900-1015", [MUELLER]),
    ("StudyDate=20260215-20260301&StudyTime=0815-1000", [YAMADA]),
    ("StudyDate=20201231-20260215&StudyTime=2359-0815", [YAMADA, DOE]),
    ("StudyDate=20260215-20260301&StudyTime=0815", [YAMADA]),
    ("ModalitiesInStudy=CT", [MUELLER, YAMADA, DOE]),
    ("ModalitiesInStudy=SR", [MUELLER]),
    ("ModalitiesInStudy=SR,SEG", [MUELLER, YAMADA]),
    ("ModalitiesInStudy=SR%5CSEG", [MUELLER, YAMADA]),
    ("ModalitiesInStudy=S*", [MUELLER, YAMADA]),
    ("ModalitiesInStudy=S", []),
    ("StudyInstanceUID=1.2.3,1.2.5", [MUELLER, DOE]),
    ("StudyInstanceUID=1.2.3%5C1.2.5%5C1.2.99", [MUELLER, DOE]),
    ("StudyInstanceUID=1.2.3&StudyInstanceUID=1.2.4", [MUELLER, YAMADA]),
    ("PatientID=4711&StudyDate=20200101-20201231", []),
    ("nobody=knows&PatientID=4711", [MUELLER]),
    ("limit=2", [MUELLER, YAMADA]),
    ("limit=2&offset=2", [DOE]),
    ("limit=2&offset=3", []),
    ("limit=0", []),
    ("offset=1", [YAMADA, DOE]),
]


@pytest.mark.parametrize(("query", "expected"), STUDIES)
def test_studies_are_found_by(served: Served, query: str, expected: list[str]) -> None:
    assert studies(served, query) == expected


SERIES = [
    ("/series?Modality=SEG", ["1.2.4.2"]),
    ("/series?Modality=SEG,SR", ["2.25.1003.1", "1.2.4.2"]),
    ("/series?PatientID=4711&Modality=CT", ["1.2.3.10"]),
    ("/series?StudyDate=20260215", ["1.2.4.1", "1.2.4.2"]),
    ("/series?SeriesInstanceUID=1.2.5.1", ["1.2.5.1"]),
    ("/series?StationName=CT1", ["1.2.3.10"]),
    ("/series?BodyPartExamined=CH*", ["1.2.3.10"]),
    ("/series?RequestAttributesSequence.ScheduledProcedureStepID=SPS1", ["1.2.3.10"]),
    ("/series?00400275.00401001=RP1", ["1.2.3.10"]),
    ("/series?00400275.00401001=RP2", []),
    (
        "/series?PerformedProcedureStepStartDate=20260228-20260302"
        "&PerformedProcedureStepStartTime=2300-0100",
        ["1.2.3.10"],
    ),
    ("/studies/1.2.4/series?SeriesNumber=2", ["1.2.4.2"]),
    ("/studies/1.2.4/series?offset=1", ["1.2.4.2"]),
]


@pytest.mark.parametrize(("path", "expected"), SERIES)
def test_series_are_found_by(served: Served, path: str, expected: list[str]) -> None:
    found = [each["0020000E"]["Value"][0] for each in asked(served, path)]
    assert sorted(found) == sorted(expected)


INSTANCES = [
    ("/instances?SOPInstanceUID=1.2.3.10.1,1.2.5.1.1", ["1.2.3.10.1", "1.2.5.1.1"]),
    ("/instances?SOPClassUID=1.2.840.10008.5.1.4.1.1.66.4", ["1.2.4.2.1"]),
    ("/instances?Modality=SR", ["2.25.343.1"]),
    ("/instances?PatientID=p_2%25", ["1.2.5.1.1"]),
    ("/studies/1.2.3/instances?InstanceNumber=2", ["1.2.3.10.1"]),
    ("/studies/1.2.3/instances?limit=2", ["1.2.3.10.0", "1.2.3.10.1"]),
    ("/studies/1.2.3/instances?limit=2&offset=2", ["1.2.3.10.2", "2.25.2301.1"]),
    ("/studies/1.2.3/instances?limit=2&offset=4", ["2.25.343.1"]),
    ("/instances?limit=2&offset=6", ["1.2.4.2.1", "1.2.5.1.1"]),
]


@pytest.mark.parametrize(("path", "expected"), INSTANCES)
def test_instances_are_found_by(served: Served, path: str, expected: list[str]) -> None:
    assert [each["00080018"]["Value"][0] for each in asked(served, path)] == expected


def test_postgresql_finds_the_same(tmp_path: Path) -> None:
    with server() as url, archive(tmp_path, store=open_store(url)) as served:
        for query, studies_found in STUDIES:
            assert studies(served, query) == studies_found, query
        for path, found in SERIES:
            uids = [each["0020000E"]["Value"][0] for each in asked(served, path)]
            assert sorted(uids) == sorted(found), path
        for path, found in INSTANCES:
            uids = [each["00080018"]["Value"][0] for each in asked(served, path)]
            assert uids == found, path


def test_paging_shows_everything_once(served: Served) -> None:
    for path in ("/studies", "/series", "/instances", "/studies/1.2.3/instances"):
        whole = asked(served, path)
        pages = [asked(served, f"{path}?limit=1&offset={at}") for at in range(len(whole) + 1)]
        assert [each for page in pages for each in page] == whole


@pytest.mark.parametrize(
    ("query", "tags"),
    [
        ("includefield=StudyDescription", {"00081030"}),
        ("includefield=00081030,IssuerOfPatientID", {"00081030", "00100021"}),
        ("includefield=00081030&includefield=00100021", {"00081030", "00100021"}),
        ("includefield=all", {"00081030", "00100021"}),
        ("StudyDescription=*", {"00081030"}),
        ("includefield=SeriesDescription,NoSuchThing,00000000,", set()),
        ("", set()),
    ],
)
def test_more_is_answered_where_it_is_asked_for(served: Served, query: str, tags: set[str]) -> None:
    (plain,) = asked(served, f"/studies?StudyInstanceUID={MUELLER}")
    (found,) = asked(served, f"/studies?StudyInstanceUID={MUELLER}&{query}")
    assert found.keys() - plain.keys() == tags


@pytest.mark.parametrize(
    "path",
    [
        "/studies?StudyInstanceUID=1.2.x",
        "/studies?StudyInstanceUID=1.2.3,../../etc",
        "/studies?StudyDate=2026",
        "/studies?StudyDate=20260101-x",
        "/studies?StudyDate=-",
        "/studies?StudyDate=2026*",
        "/studies?StudyDate=20260101&StudyDate=20260102",
        "/studies?StudyTime=2500",
        "/studies?StudyTime=1",
        "/studies?limit=-1",
        "/studies?limit=many",
        "/studies?offset=1e3",
        "/studies?limit=99999999999999999999",
        "/studies?PatientName=%00",
        "/studies?PatientName=a%0Ab",
        "/studies?PatientID=" + "x" * 9000,
        "/studies?" + "&".join(["a=b"] * 201),
        "/series?SeriesNumber=three",
        "/series?SeriesNumber=99999999999",
        "/studies/not-a-uid/series",
        "/studies/1.2.3/series/1%20OR%201/instances",
    ],
)
def test_what_cannot_be_read_is_refused_and_not_echoed(served: Served, path: str) -> None:
    answer = served.get(f"/dicom-web{path}")
    assert answer.status_code == 400
    for secret in ("1.2.x", "etc", "2026*", "many", "1e3", "three", "OR", "xxx"):
        assert secret not in answer.text


def test_what_is_left_out_is_said_in_a_warning(served: Served) -> None:
    fuzzy = served.get("/dicom-web/studies?fuzzymatching=true&PatientID=4711")
    assert fuzzy.headers["warning"] == (
        '299 m3node "fuzzymatching is not supported; only literal matching was performed"'
    )
    lower = served.get("/dicom-web/studies?Modality=SR&00280010=512&x=y&NumberOfFrames=1")
    assert lower.headers["warning"] == (
        '299 m3node "not matched at this level, and ignored: Modality, Rows, NumberOfFrames"'
    )
    assert "warning" not in served.get("/dicom-web/studies?fuzzymatching=false").headers


def test_xml_is_answered_where_it_is_asked_for(served: Served) -> None:
    path = "/dicom-web/studies?PatientName=doe*&limit=1"
    xml = 'multipart/related; type="application/dicom+xml"'
    answer = served.get(path, headers={"Accept": xml})
    said, _, boundary = answer.headers["content-type"].partition("; boundary=")
    assert said == xml
    head, _, rest = answer.content.partition(b"\r\n\r\n")
    delimiter = b"--" + boundary.strip('"').encode()
    assert head == delimiter + b"\r\nContent-Type: application/dicom+xml"
    document, _, end = rest.partition(b"\r\n" + delimiter)
    assert end == b"--\r\n"
    root = ET.fromstring(document)  # it is ours
    values = {
        each.get("keyword"): "".join(each.itertext())
        for each in root.iter(f"{NATIVE}DicomAttribute")
    }
    assert values["StudyInstanceUID"] == DOE
    assert values["ModalitiesInStudy"] == "CT"
    (family,) = root.iter(f"{NATIVE}FamilyName")
    assert family.text == "DOE"
    nobody = served.get(f"{path}&offset=9", headers={"Accept": xml})
    assert (nobody.status_code, nobody.content) == (204, b"")
    assert served.get(path, headers={"Accept": "text/html"}).status_code == 406


def test_addresses_are_those_by_which_the_client_knows_the_node(served: Served) -> None:
    answer = served.get("/dicom-web/studies?limit=1", headers={"Host": "pacs.example:8443"})
    (url,) = answer.json()[0]["00081190"]["Value"]
    assert url == "http://pacs.example:8443/dicom-web/studies/1.2.3"


def test_a_search_is_cut_at_the_most_that_is_answered_and_says_so(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.web.dicomweb.query.MOST_RESULTS", 2)
    for query in ("", "?limit=100"):
        answer = served.get(f"/dicom-web/studies{query}")
        assert len(answer.json()) == 2
        assert answer.headers["warning"] == (
            '299 m3node "there are more results than this node returns at once; '
            'ask for them with offset"'
        )
    for query in ("?limit=2", "?offset=1"):
        assert "warning" not in served.get(f"/dicom-web/studies{query}").headers


def test_an_outdated_report_is_never_found_beside_the_one_that_replaced_it(
    tmp_path: Path,
) -> None:
    with archive(tmp_path) as served:
        analysed(served.services, MUELLER, revision=2)
        reports = asked(served, "/studies/1.2.3/instances?Modality=SR")
        assert [each["00080018"]["Value"][0] for each in reports] == ["2.25.343.2"]
        assert [
            each["00200011"]["Value"][0] for each in asked(served, "/studies/1.2.3/series")
        ] == [
            3,
            1002,
            1002,
        ]
        assert asked(served, "/instances?SOPInstanceUID=2.25.343.1") == []
        (study,) = asked(served, "/studies?StudyInstanceUID=1.2.3")
        assert (study["00201206"]["Value"], study["00201208"]["Value"]) == ([3], [5])
