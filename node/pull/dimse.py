"""A source that is asked over C-FIND and gives over C-GET or C-MOVE (PS3.4 C, Study Root).

It is asked series by series and image by image: the SOP Instance UIDs that it lists are its count.
Over C-GET objects come on the association on which they were asked for; over C-MOVE it calls this
node's receiver, as any sender does.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made at import
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from m3net.annotations.kinds import READABLE
from m3net.attributes import PARSER_ERRORS
from m3net.uids import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.calling.association import Call, Context, associated, echo
from node.config import DimseSource
from node.core.errors import DestinationNotReady, DestinationRefused
from node.core.fetching import Order, SeriesThere
from node.dicom.compression import PLAIN
from node.dicom.header_text import is_uid
from node.dicom.sop_classes import interpreted, recognised
from node.dicom.transfer_syntaxes import LAST_RESORT, decodable
from node.pull.source import MOST_INSTANCES, MOST_SERIES
from node.pull.taking import Taking

_FIND = str(StudyRootQueryRetrieveInformationModelFind)
_GET = str(StudyRootQueryRetrieveInformationModelGet)
_MOVE = str(StudyRootQueryRetrieveInformationModelMove)
_SUCCESS = 0x0000
_PENDING = frozenset({0xFF00, 0xFF01})
_UNKNOWN_DESTINATION = 0xA801
_AT_ONCE = 100
"""Images that one request names."""
_LARGEST_LIST = 64 << 20
_LOOK_EVERY_S = 0.5
_LARGEST_IN_MEMORY = 1 << 30
"""Bytes of an object over C-GET, which pynetdicom holds whole."""


class QueryRetrieveProvider:
    """One Query/Retrieve SCP; every question is an association of its own."""

    def __init__(self, config: DimseSource) -> None:
        self._config = config

    def find(self, study: StudyInstanceUID) -> Sequence[SeriesThere]:
        """What it holds of the study."""
        with associated(self._config, [(_FIND, PLAIN)]) as call:
            asked = _query(
                "SERIES",
                StudyInstanceUID=study,
                SeriesInstanceUID="",
                Modality="",
                NumberOfSeriesRelatedInstances="",
            )
            found: dict[str, SeriesThere] = {}
            for each in list(self._answers(call, asked, most=MOST_SERIES)):
                series = str(each.get("SeriesInstanceUID", ""))
                if is_uid(series) and str(each.get("StudyInstanceUID", study)) == study:
                    found[series] = SeriesThere(
                        series_instance_uid=SeriesInstanceUID(series),
                        modality=str(each.get("Modality", "")),
                        said=_number(each, "NumberOfSeriesRelatedInstances"),
                        instances=self._images(call, study, series),
                    )
        return tuple(found.values())

    def find_studies(self, accession_number: str) -> Sequence[StudyInstanceUID]:
        """The studies of that accession number."""
        asked = _query("STUDY", AccessionNumber=accession_number, StudyInstanceUID="")
        with associated(self._config, [(_FIND, PLAIN)]) as call:
            uids = [
                str(each.get("StudyInstanceUID", ""))
                for each in self._answers(call, asked, most=MOST_SERIES)
                if str(each.get("AccessionNumber", "")).strip() == accession_number
            ]
        return tuple(StudyInstanceUID(uid) for uid in dict.fromkeys(uids) if is_uid(uid))

    def fetch(self, study: StudyInstanceUID, order: Order, into: Taking) -> None:
        """It has sent what it would of the order."""
        into.expect(order)
        by_image = order.instances is not None
        named = sorted(order.instances or ())
        for start in range(0, max(len(named), 1), _AT_ONCE):
            asked = _query(
                "IMAGE" if by_image else "SERIES",
                StudyInstanceUID=study,
                SeriesInstanceUID=order.series,
            )
            if by_image:
                asked.SOPInstanceUID = named[start : start + _AT_ONCE]
            if self._config.retrieve == "get":
                self._get(asked, into)
            else:
                self._move(asked, into)

    def verify(self) -> None:
        """C-ECHO."""
        echo(self._config)

    def _images(self, call: Call, study: str, series: str) -> frozenset[SOPInstanceUID]:
        asked = _query("IMAGE", StudyInstanceUID=study, SeriesInstanceUID=series, SOPInstanceUID="")
        uids = (
            str(each.get("SOPInstanceUID", ""))
            for each in self._answers(call, asked, most=MOST_INSTANCES)
            if str(each.get("SeriesInstanceUID", series)) == series
        )
        return frozenset(SOPInstanceUID(uid) for uid in uids if is_uid(uid))

    def _answers(self, call: Call, asked: Dataset, *, most: int) -> Iterator[Dataset]:
        """The matches of one C-FIND."""
        status = None
        number = 0
        with self._paced(call, largest=_LARGEST_LIST):
            for answer, match in call.association.send_c_find(asked, _FIND):
                status = answer.get("Status")
                number += 1
                if number > most + 1:
                    raise DestinationRefused(f"lists more than {most} matches of a C-FIND")
                if status in _PENDING and match is not None:
                    yield match
        if status is None:
            raise call.unanswered("a C-FIND")
        if status != _SUCCESS:
            raise DestinationNotReady(f"answered a C-FIND with status {status:04X}")

    def _get(self, asked: Dataset, into: Taking) -> None:
        """The objects come over the association on which they are asked for."""
        before = into.came

        def on_store(event: evt.Event) -> int:
            request = cast(C_STORE, event.request)
            call.guard.renew()
            call.connection.renew_budget(largest)
            status = into.store(
                memoryview(b"") if request.DataSet is None else request.DataSet.getbuffer(),
                sop_instance_uid=str(request.AffectedSOPInstanceUID),
                syntax=str(event.context.transfer_syntax),
            )
            if into.failed:
                call.guard.cut()
            return status

        largest = min(into.max_object_bytes, _LARGEST_IN_MEMORY) + _LARGEST_LIST
        with associated(
            self._config,
            [(_GET, PLAIN), *_storage()],
            required=[_GET],
            stored_here=sorted(_classes()),
            handlers=[(evt.EVT_C_STORE, on_store)],
        ) as call:
            status = None
            with self._paced(call, largest=largest):
                for answer in _few(call.association.send_c_get(asked, _GET), into):
                    status = answer.get("Status")
            into.check()
            self._require_sent(call, status, "C-GET", came=into.came > before)

    def _move(self, asked: Dataset, into: Taking) -> None:
        """The objects come to this node's receiver; while they do, there is more time."""
        before = into.here_now()
        with associated(self._config, [(_MOVE, PLAIN)]) as call:
            status = None
            with self._paced(call, largest=_LARGEST_LIST), _renewed(call, into):
                answers = call.association.send_c_move(asked, self._config.calling_ae_title, _MOVE)
                for answer in _few(answers, into):
                    status = answer.get("Status")
            self._require_sent(call, status, "C-MOVE", came=into.here_now() > before)

    @contextmanager
    def _paced(self, call: Call, *, largest: int) -> Iterator[None]:
        """The block lasts as long as something comes, and not slower than is set."""
        config = self._config
        call.association.dimse_timeout = None
        call.association.network_timeout = None
        call.connection.renew_budget(largest)
        with (
            call.guard.within(2 * config.timeout_s, slowest_kb_s=config.slowest_kb_s),
            call.standing(),
        ):
            yield

    def _require_sent(self, call: Call, status: int | None, what: str, *, came: bool) -> None:
        """It has ended the operation; that not all could be sent is seen by what is here."""
        if status is None:
            raise call.unanswered(f"a {what}")
        if status == _SUCCESS or came:
            return
        if status == _UNKNOWN_DESTINATION:
            raise DestinationNotReady(
                f"does not know {self._config.calling_ae_title}, to which it is to send (status "
                "A801): register this node's host and port there"
            )
        raise DestinationNotReady(f"answered a {what} with status {status:04X} and sent nothing")


def _few(answers: Iterator[tuple[Dataset, Dataset | None]], into: Taking) -> Iterator[Dataset]:
    """The answers to one operation; raises DestinationRefused if they have no end."""
    for number, (answer, _) in enumerate(answers):
        if number > into.most:
            raise DestinationRefused(f"sends no object, and more than {into.most} answers")
        yield answer


@contextmanager
def _renewed(call: Call, into: Taking) -> Iterator[None]:
    """Whenever more of the study is here, the call has as long again."""
    over = threading.Event()

    def look() -> None:
        here = into.here_now()
        while not over.wait(_LOOK_EVERY_S):
            if (now := into.here_now()) > here:
                here = now
                call.guard.renew()

    looking = threading.Thread(target=look, name="fetch-progress", daemon=True)
    looking.start()
    try:
        yield
    finally:
        over.set()
        looking.join()


def _classes() -> frozenset[UID]:
    return interpreted() | recognised()


def _storage() -> list[Context]:
    """The classes that mean something here; a CT in each syntax by itself, so that it comes as it
    is stored there, and annotations uncompressed or as they are."""
    compressed = [uid for uid in decodable() if uid not in PLAIN and uid not in LAST_RESORT]
    annotations = {*map(UID, READABLE), *recognised()}
    contexts: list[Context] = []
    for uid in sorted(_classes(), key=lambda uid: (uid in annotations, uid)):
        contexts.append((uid, PLAIN))
        if uid not in annotations:
            contexts += [(uid, (syntax,)) for syntax in compressed]
    return contexts[: 128 - 1]


def _query(level: str, **keys: str) -> Dataset:
    asked = Dataset()
    asked.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(asked, keyword, value)
    return asked


def _number(match: Dataset, keyword: str) -> int | None:
    try:
        value = match.get(keyword)
        return None if value in (None, "") else max(0, int(value))
    except PARSER_ERRORS:
        return None
