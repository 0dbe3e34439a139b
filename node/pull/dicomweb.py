"""A source that is asked over QIDO-RS and gives over WADO-RS (PS3.18 10.6, 10.4)."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from m3net.uids import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.calling.guard import LARGEST_ANSWER
from node.calling.http import Service
from node.calling.http_answer import Answer, failure
from node.config import DicomwebSource
from node.core.errors import DestinationNotReady, DestinationRefused
from node.core.fetching import Order, SeriesThere
from node.dicom.content_type import content_type
from node.dicom.header_text import is_uid
from node.dicom.multipart import Body, Broken, Multipart, OnePart
from node.pull.source import MOST_INSTANCES, MOST_SERIES
from node.pull.taking import Taking

_JSON = "application/dicom+json"
_AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_ACCESSION, _MODALITY = "00080050", "00080060"
_STUDY, _SERIES, _INSTANCE = "0020000D", "0020000E", "00080018"
_NUMBER_IN_SERIES = "00201209"
_PAGE = 200
_NO_MATCH = 204
_NOT_FOUND = 404
_ONE_BY_ONE = 20
"""Up to so many images are asked for one by one; of more, the whole series is."""


class DicomwebService:
    """One DICOMweb origin server."""

    def __init__(self, config: DicomwebSource) -> None:
        self._config = config

    def find(self, study: StudyInstanceUID) -> Sequence[SeriesThere]:
        """What it holds of the study."""
        with Service(self._config) as service:
            found: dict[str, SeriesThere] = {}
            wanted = {"includefield": f"{_MODALITY},{_NUMBER_IN_SERIES}"}
            path = f"/studies/{study}/series"
            for each in list(self._matches(service, path, wanted, _SERIES, MOST_SERIES)):
                series = _text(each, _SERIES)
                if _text(each, _STUDY) in ("", study):
                    found[series] = SeriesThere(
                        series_instance_uid=SeriesInstanceUID(series),
                        modality=_text(each, _MODALITY),
                        said=_number(each, _NUMBER_IN_SERIES),
                        instances=self._images(service, study, series),
                    )
        return tuple(found.values())

    def find_studies(self, accession_number: str) -> Sequence[StudyInstanceUID]:
        """The studies of that accession number."""
        with Service(self._config) as service:
            wanted = {_ACCESSION: accession_number}
            found = [
                StudyInstanceUID(_text(each, _STUDY))
                for each in self._matches(service, "/studies", wanted, _STUDY, MOST_SERIES)
                if _text(each, _ACCESSION) == accession_number
            ]
        return tuple(found)

    def fetch(self, study: StudyInstanceUID, order: Order, into: Taking) -> None:
        """It has sent what it would of the order."""
        path = f"/studies/{study}/series/{order.series}"
        into.expect(order)
        with Service(self._config) as service:
            if order.instances is None or len(order.instances) > _ONE_BY_ONE:
                self._pour(service, path, into)
            else:
                for uid in sorted(order.instances):
                    self._pour(service, f"{path}/instances/{uid}", into)

    def verify(self) -> None:
        """A search for one study is answered."""
        with Service(self._config) as service:
            self._asked(service, "/studies", {"limit": "1"})

    def _images(self, service: Service, study: str, series: str) -> frozenset[SOPInstanceUID]:
        path = f"/studies/{study}/series/{series}/instances"
        matches = self._matches(service, path, {}, _INSTANCE, MOST_INSTANCES)
        return frozenset(
            SOPInstanceUID(_text(each, _INSTANCE))
            for each in matches
            if _text(each, _SERIES) in ("", series)
        )

    def _matches(
        self, service: Service, path: str, wanted: Mapping[str, str], key: str, most: int
    ) -> Iterator[Mapping[str, Any]]:
        """Every match, page by page; one that has no UID, or has been, is passed by.

        A server may give shorter pages than it is asked for, or pay no heed to pages at all: a page
        that brings nothing new is the last.
        """
        seen: set[str] = set()
        at = 0
        while True:
            page = self._asked(service, path, {**wanted, "limit": str(_PAGE), "offset": str(at)})
            new = {_text(each, key): each for each in page}
            new = {uid: each for uid, each in new.items() if is_uid(uid) and uid not in seen}
            if not new:
                return
            seen.update(new)
            if len(seen) > most:
                raise DestinationRefused(f"lists more than {most} matches of a search")
            yield from new.values()
            at += len(page)

    def _asked(
        self, service: Service, path: str, params: Mapping[str, str]
    ) -> Sequence[Mapping[str, Any]]:
        answer = service.ask(
            "GET",
            path,
            params=params,
            headers={"Accept": _JSON},
            largest=16 * LARGEST_ANSWER,
        )
        if answer.status in (_NO_MATCH, _NOT_FOUND) and path != "/studies":
            return ()
        if answer.status == _NO_MATCH:
            return ()
        if error := failure(answer, where=self._config.url):
            raise error
        if answer.body is None:
            raise DestinationRefused("answered a search with more than anybody lists in a page")
        try:
            matches = json.loads(answer.body or b"[]")
        except (ValueError, RecursionError) as error:
            raise DestinationNotReady("answered a search with something that is no JSON") from error
        if not isinstance(matches, list):
            raise DestinationNotReady("answered a search with JSON that is no list of matches")
        return [each for each in matches if isinstance(each, dict)]

    def _pour(self, service: Service, path: str, into: Taking) -> None:
        """What comes at the address has gone into `into`; what is not there is left out."""
        bodies: list[Body] = []

        def begin(answer: Answer) -> Callable[[bytes], None]:
            if answer.status == _NOT_FOUND:
                return _pass_by
            if error := failure(answer, where=self._config.url):
                raise error
            body = _body_of(answer, into)
            bodies.append(body)

            def feed(piece: bytes) -> None:
                body.feed(piece)
                if body.is_over:
                    raise DestinationRefused("sends more behind the last part of an answer")

            return feed

        try:
            service.pour(path, headers={"Accept": _AS_STORED}, into=begin)
            for body in bodies:
                body.finish()
        except Broken as broken:
            raise DestinationNotReady(f"cannot be understood: {broken}") from broken


def _body_of(answer: Answer, into: Taking) -> Body:
    said = content_type(answer.content_type)
    if said is not None and said.type == "application/dicom":
        return OnePart(into)
    boundary = said.parameters.get("boundary", "") if said is not None else ""
    if said is None or said.type != "multipart/related" or not boundary:
        raise DestinationNotReady(
            "answered otherwise than with multipart/related or application/dicom"
        )
    return Multipart(boundary, into)


def _pass_by(_: bytes) -> None:
    """Of an answer that says that something is not there, nothing is wanted."""


def _text(match: Mapping[str, Any], tag: str) -> str:
    """The first value of an attribute in the DICOM JSON Model (PS3.18 F.2); "" if it has none."""
    element = match.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    if not isinstance(values, list) or not values:
        return ""
    return str(values[0]).strip() if isinstance(values[0], str | int) else ""


def _number(match: Mapping[str, Any], tag: str) -> int | None:
    text = _text(match, tag)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
