"""A FHIR R4 server that is told what the report says: a RIS, a portal, an EHR."""

import json

from node.calling.http import Service
from node.calling.http_answer import Answer, failure
from node.config import FhirDestination
from node.core.errors import DestinationNotReady
from node.outbound.destination import OutgoingObject
from node.outbound.fhir_message import bundle
from node.outbound.told import ToldDestination
from sr_templates.objects.told import Told

_FHIR_JSON = "application/fhir+json"
_HEADERS = {"Accept": _FHIR_JSON, "Content-Type": f"{_FHIR_JSON}; charset=utf-8"}


class FhirServer(ToldDestination):
    """One server."""

    def __init__(self, config: FhirDestination) -> None:
        self._config = config

    def tell(self, said: Told, report: OutgoingObject) -> None:
        """The study's report there says what this one says."""
        message = bundle(said, patient_id_system=self._config.patient_id_system)
        with Service(self._config) as service:
            answer = service.ask("POST", "", headers=_HEADERS, body=json.dumps(message).encode())
        error = failure(answer, where=self._config.url, about=report.sop_instance_uid)
        if error is not None:
            raise error
        if not _says_done(answer):
            raise DestinationNotReady(
                f"{self._config.url} answered HTTP {answer.status} without saying that the report "
                "is there; whether it is, is not known"
            )

    def verify(self) -> None:
        """It tells what it is (R4 http.html 3.1.0.10)."""
        with Service(self._config) as service:
            answer = service.ask("GET", "/metadata", headers={"Accept": _FHIR_JSON})
        error = failure(answer, where=self._config.url)
        if error is not None:
            raise error


def _says_done(answer: Answer) -> bool:
    """A transaction is done as a whole; its answer lists what came of each entry (3.1.0.11.3)."""
    try:
        said = json.loads(answer.body or b"null")
        statuses = [entry["response"]["status"] for entry in said["entry"]]
    except (ValueError, LookupError, TypeError, RecursionError):
        return False
    return bool(statuses) and all(str(each).startswith("2") for each in statuses)
