"""What a FHIR server is told: what the report says, valid in R4, and replaced as a whole."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle  # of these resources R4B changed nothing
from pydicom import Dataset

from node.config import FhirDestination
from node.core.errors import (
    DestinationError,
    DestinationNotReady,
    DestinationRefused,
    DestinationUnreachable,
)
from node.core.results import Artifact, ArtifactKind
from node.outbound.connect import connect
from node.outbound.destination import OutgoingObject
from node.outbound.fhir_message import bundle
from sr_templates.findings import Outcome, PredecessorReference, ReportContent
from sr_templates.objects.told import told
from tests.node.outbound.answering import Server, outgoing
from tests.results import one_set
from tests.sr_templates.examples import (
    ALGORITHM,
    COMPREHENSIVE_3D,
    FULL,
    GROWN,
    ROUND,
    SLICE,
    identity,
)
from tests.sr_templates.objects.test_measurement_report import report, without_nodule
from tests.validators import fhir_r4

PREDECESSOR = PredecessorReference(
    study_instance_uid=SLICE.StudyInstanceUID,
    series_instance_uid="2.25.60",
    sop_class_uid=COMPREHENSIVE_3D,
    sop_instance_uid="2.25.501",
)
DONE = {"resourceType": "Bundle", "entry": [{"response": {"status": "201 Created"}}]}


def message(dataset: Dataset, **settings: Any) -> dict[str, Any]:
    """The DiagnosticReport of a Bundle that is valid in R4."""
    said = bundle(told(dataset), **settings)
    Bundle.model_validate(said)
    assert fhir_r4(said) == []
    (entry,) = said["entry"]
    result: dict[str, Any] = entry["resource"]
    return result


def contained(diagnostic: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    return [each for each in diagnostic["contained"] if each["resourceType"] == kind]


def test_each_nodule_is_an_observation_that_says_what_the_report_says() -> None:
    diagnostic = message(report())
    first, second, third = contained(diagnostic, "Observation")
    assert diagnostic["result"] == [{"reference": f"#finding-{n}"} for n in (1, 2, 3)]
    assert first["code"]["coding"] == [
        {
            "system": "http://dicom.nema.org/resources/ontology/DCM",
            "code": "111047",
            "display": "Probability of cancer",
        }
    ]
    assert first["valueQuantity"] == {
        "value": 87.3,
        "unit": "%",
        "system": "http://unitsofmeasure.org",
        "code": "%",
    }
    assert first["note"] == [{"text": f"Nodule 1: {ROUND.comment}"}]
    assert "above the band of 35 % to 65 %" in first["note"][0]["text"]
    assert second["bodySite"]["text"] == "Lower lobe of lung, left"
    assert [each["code"]["text"] for each in second["component"]] == [
        "Long Axis",
        "Short Axis",
        "Diameter",
        "Volume",
        "Attenuation Coefficient",
        "Texture",
    ]
    assert "valueQuantity" not in third
    assert third["dataAbsentReason"]["coding"][0]["code"] == "not-performed"
    assert third["note"] == [{"text": "Nodule 3: Not analysed: its centre is outside the CT"}]


def test_growth_is_told_beside_the_sizes() -> None:
    grown = replace(FULL, nodules=(ROUND, GROWN))
    _, second, _ = contained(message(report(grown)), "Observation")
    told = {each["code"]["text"]: each.get("valueQuantity") for each in second["component"]}
    assert told["Change in volume since the earlier CT"]["value"] == 52.0
    assert told["Volume doubling time"] == {
        "value": 304.6,
        "unit": "d",
        "system": "http://unitsofmeasure.org",
        "code": "d",
    }


def test_the_conclusion_begins_with_what_happened_and_is_for_research_use() -> None:
    lines = message(report())["conclusion"].splitlines()
    assert lines == [
        "2 of 3 nodules analysed; Nodule 3 was not",
        "For research use; not a cleared medical device.",
        "Nodule 1: 87 %.",
        "Nodule 2: < 5 %; left lung.",
        "Nodule 3: not analysed.",
        "Nodule 3: Not analysed: its centre is outside the CT",
        "8 of 8 slices read.",
        "The CT was compressed with loss.",
    ]


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome.NOTHING_MARKED,
        Outcome.NOT_ANNOTATED,
        Outcome.NOT_ANALYSED,
        Outcome.TECHNICAL_FAILURE,
    ],
)
def test_a_study_without_a_result_says_so_and_gives_no_number(outcome: Outcome) -> None:
    content = without_nodule(outcome)
    diagnostic = message(report(content, captures={}))
    (only,) = contained(diagnostic, "Observation")
    assert diagnostic["conclusion"].startswith(content.headline)
    assert content.headline in only["note"][0]["text"]
    assert "dataAbsentReason" in only
    assert "valueQuantity" not in only


def test_numbers_of_untrained_weights_are_no_probability_of_cancer() -> None:
    content = replace(FULL, nodules=(replace(ROUND, call=None),), refused=())
    diagnostic = message(report(content, algorithm=replace(ALGORITHM, trained=False)))
    (only,) = contained(diagnostic, "Observation")
    assert only["code"]["text"] == "UNTRAINED, NOT A RESULT"
    assert "111047" not in json.dumps(diagnostic)
    assert diagnostic["conclusion"].startswith("UNTRAINED, NOT A RESULT")


def test_a_revision_corrects_the_same_report_and_leaves_no_old_number_behind() -> None:
    first = message(report())
    content = ReportContent(outcome=Outcome.NOTHING_MARKED, headline="It marks no nodule")
    second = message(report(content, captures={}, predecessor=PREDECESSOR, identity=identity(2)))
    assert (first["status"], second["status"]) == ("preliminary", "corrected")
    assert first["identifier"][0] == second["identifier"][0]
    assert "87.3" not in json.dumps(second)
    entry = bundle(told(report()))["entry"][0]
    assert entry["request"]["method"] == "PUT"
    assert entry["request"]["url"] == (
        f"DiagnosticReport?identifier=urn:ietf:rfc:3986|{first['identifier'][0]['value']}"
    )


def test_a_technical_failure_takes_no_result_s_place() -> None:
    failure = message(report(without_nodule(Outcome.TECHNICAL_FAILURE), captures={}))
    assert failure["identifier"][0] != message(report())["identifier"][0]


def test_it_refers_to_patient_order_study_series_and_report() -> None:
    dataset = report()
    diagnostic = message(dataset, patient_id_system="urn:oid:1.2.3")
    assert diagnostic["subject"]["identifier"] == {"value": "SYN-1", "system": "urn:oid:1.2.3"}
    assert diagnostic["basedOn"][0]["identifier"]["value"] == "A1"
    (study,) = contained(diagnostic, "ImagingStudy")
    assert study["identifier"][0]["value"] == f"urn:oid:{dataset.StudyInstanceUID}"
    series = {each["modality"]["code"]: each["uid"] for each in study["series"]}
    assert series["SR"] == dataset.SeriesInstanceUID
    assert set(series) == {"CT", "OT", "SR"}
    assert diagnostic["identifier"][1]["value"] == f"urn:oid:{dataset.SOPInstanceUID}"
    assert "Phantom" not in json.dumps(diagnostic), "the RIS has the name"
    nobody = report()
    nobody.PatientID = nobody.AccessionNumber = nobody.StudyDate = ""
    assert "subject" not in message(nobody)


@pytest.mark.parametrize("day", ["", "20241301", "202411", "unknown!"])
def test_a_study_that_names_no_day_is_told_under_that_of_the_report(day: str) -> None:
    dataset = report()
    dataset.StudyDate = day
    diagnostic = message(dataset)
    assert diagnostic["effectiveDateTime"][:10] == diagnostic["issued"][:10]


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> OutgoingObject:
    """A report as it lies in the spool."""
    return outgoing(
        Artifact(kind=ArtifactKind.REPORT, dataset=report()), tmp_path_factory.mktemp("report")
    )


def send(server: Server, artifact: OutgoingObject) -> list[int]:
    confirmed: list[int] = []
    config = FhirDestination(name="ris", url=f"{server.url}/", timeout_s=5)
    connect(config).send([artifact], lambda _, status: confirmed.append(status))
    return confirmed


def test_the_bundle_is_posted_to_the_base_of_the_service(
    server: Server, artifact: OutgoingObject
) -> None:
    server.answers(200, DONE, "application/fhir+json")
    assert send(server, artifact) == [0x0000]
    path, headers, body = server.asked[0]
    assert path == "/dicom-web"
    assert headers["Content-Type"] == "application/fhir+json; charset=utf-8"
    assert json.loads(body) == bundle(told(artifact.read()))


def test_a_report_that_cannot_be_told_is_for_a_person(server: Server, tmp_path: Path) -> None:
    bare = outgoing(one_set()[1], tmp_path)
    with pytest.raises(DestinationRefused, match="cannot be told in words"):
        send(server, bare)
    assert server.asked == []


def test_pictures_are_not_told(server: Server, picture: OutgoingObject) -> None:
    assert send(server, picture) == []
    assert server.asked == []


@pytest.mark.parametrize(
    ("code", "answer", "error"),
    [
        (200, None, DestinationNotReady),
        (200, {"resourceType": "Bundle", "entry": []}, DestinationNotReady),
        (200, {"entry": [{"response": {"status": "412"}}]}, DestinationNotReady),
        (200, [1], DestinationNotReady),
        (401, None, DestinationNotReady),
        (404, {"resourceType": "OperationOutcome"}, DestinationNotReady),
        (412, {"resourceType": "OperationOutcome"}, DestinationNotReady),
        (503, None, DestinationUnreachable),
    ],
)
def test_what_is_not_said_to_be_done_is_tried_again(
    server: Server, artifact: OutgoingObject, code: int, answer: Any, error: type[DestinationError]
) -> None:
    server.answers(code, answer, "application/fhir+json")
    with pytest.raises(error):
        send(server, artifact)


def test_a_server_that_tells_what_it_is_is_there(server: Server) -> None:
    server.answers(200, {"resourceType": "CapabilityStatement"}, "application/fhir+json")
    connect(FhirDestination(name="ris", url=server.url)).verify()
    assert server.asked[0][0] == "/dicom-web/metadata"
    server.answers(404)
    with pytest.raises(DestinationNotReady, match="check url"):
        connect(FhirDestination(name="ris", url=server.url)).verify()
