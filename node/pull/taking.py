"""What a source sends goes the way of everything that comes in, and nothing else of it does.

A source is asked for some objects of one study.  What is of another study, of another patient, or
not asked for is not taken; how much of it came is counted, and said in the report.  What is here
already stays as it is: nobody has asked for it.
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping

from pydicom.uid import UID
from sqlalchemy.exc import SQLAlchemyError

from m3net.uids import SOPInstanceUID, StudyInstanceUID
from node.core.errors import (
    CANNOT_UNDERSTAND,
    OUT_OF_RESOURCES,
    SOP_CLASS_MISMATCH,
    DestinationRefused,
    NotNow,
    Refused,
)
from node.core.fetching import Order
from node.core.sender import Sender, SenderKind
from node.dicom.content_type import content_type
from node.dicom.header_text import is_uid
from node.dicom.sop_classes import is_accepted
from node.dicom.transfer_syntaxes import decodable, is_keepable
from node.inbound.identifiers import Identifiers
from node.inbound.intake import Intake
from node.inbound.senders import Senders
from node.inbound.streamed import StreamedFile
from node.logs import event

SUCCESS = 0x0000
OTHER_STUDY = "of another study"
OTHER_PATIENT = "of another patient"
NOT_ASKED_FOR = "not asked for"
UNREADABLE = "not readable"
_HERE_ALREADY = "it is here already"
_UNCALLED_FOR = 100


class Taking:
    """Takes the objects of one fetch (`node.dicom.multipart.TakesParts`); `close` it in the end.

    patient    : the Patient ID that the study goes by here; empty if it names none
    here_now   : how much of the study is here, for a source that sends to the receiver
    moved      : called at each object that comes
    not_taken  : how many objects were not taken, by the reason
    """

    def __init__(
        self,
        *,
        intake: Intake,
        senders: Senders,
        source: str,
        study: StudyInstanceUID,
        patient: str,
        max_object_bytes: int,
        here_now: Callable[[], int],
        moved: Callable[[], None] = lambda: None,
    ) -> None:
        self._moved = moved
        self.not_taken: Counter[str] = Counter()
        self.taken: set[SOPInstanceUID] = set()
        self.here_now = here_now
        self.max_object_bytes = max_object_bytes
        self._intake = intake
        self._senders = senders
        self._source = source
        self._study = study
        self._patient = patient.strip()
        self._order: Order | None = None
        self._came = 0
        self._row: int | None = None
        self._part: StreamedFile | None = None
        self._part_bytes = 0
        self._because: str | None = None
        self._announced: str | None = None
        self._failure: Exception | None = None

    def expect(self, order: Order) -> None:
        """From now on this is what was asked for."""
        self._order = order
        self._came = 0

    @property
    def came(self) -> int:
        """How many objects have come since `expect`, taken or not."""
        return self._came

    @property
    def most(self) -> int:
        """So many objects may come of an order, or answers that it is being carried out."""
        order = self._order
        return 2 * (order.expected + len(order.here)) + _UNCALLED_FOR if order else 0

    def store(self, encoded: memoryview, *, sop_instance_uid: str, syntax: str) -> int:
        """The status of one whole object that came over DIMSE, in that transfer syntax."""
        try:
            self._begin(syntax)
            self._announced = sop_instance_uid
            self.data(encoded)
            return self._end()
        except Exception as error:
            # pynetdicom would answer and go on; `check` raises it where it is heard.
            self._failure = error
            return OUT_OF_RESOURCES

    @property
    def failed(self) -> bool:
        """Whether it is useless to go on."""
        return self._failure is not None

    def check(self) -> None:
        """Raises what has made it useless to go on."""
        if self._failure is not None:
            raise self._failure

    def begin(self, header: Mapping[str, str]) -> None:
        """A part of a multipart body begins."""
        said = content_type(header.get("content-type", ""))
        syntax = said.parameters.get("transfer-syntax", "") if said else ""
        self._begin(syntax if is_uid(syntax) else "")

    def data(self, data: memoryview) -> None:
        """Its next bytes.  Raises DestinationRefused if they go on long after it is lost."""
        self._part_bytes += len(data)
        if self._part_bytes > 2 * self.max_object_bytes:
            raise DestinationRefused("sends an object larger than receiver.max_object_mb, and more")
        if self._part is not None:
            self._part.write(data)

    def end(self) -> None:
        """The object is kept, or counted among those that were not."""
        self._end()

    def close(self) -> None:
        """What has not come whole is gone, and the source sends no more."""
        part, self._part = self._part, None
        if part is not None:
            part.close()
        if self._row is not None:
            self._senders.close(self._row)

    def _begin(self, syntax: str) -> None:
        self._came += 1
        self._moved()
        order = self._order
        if (
            order is not None
            and self._came > 2 * (order.expected + len(order.here)) + _UNCALLED_FOR
        ):
            raise DestinationRefused(
                f"sends more than it was asked for: {self._came} objects, where "
                f"{order.expected} were"
            )
        self._because = self._announced = None
        self._part = StreamedFile(self._intake, self._judge, syntax=syntax)

    def _end(self) -> int:
        part, self._part = self._part, None
        if part is None:
            return CANNOT_UNDERSTAND
        with part:
            try:
                ids = part.finish()
                part.keep(self._row_of_this())
            except Refused as refused:
                return self._not_taken(refused)
            except (OSError, SQLAlchemyError) as error:
                raise NotNow(error) from error
        self.taken.add(ids.sop_instance_uid)
        return SUCCESS

    def _not_taken(self, refused: Refused) -> int:
        if refused.status == OUT_OF_RESOURCES:
            raise NotNow(refused)
        if refused.comment == _HERE_ALREADY:
            return SUCCESS
        because = self._because or UNREADABLE
        self.not_taken[because] += 1
        if self.not_taken[because] == 1:
            event(
                "fetch.not_taken",
                level=logging.WARNING,
                source=self._source,
                study=self._study,
                because=because,
                says=refused.comment,
            )
        return refused.status

    def _judge(self, ids: Identifiers, syntax: str) -> None:
        """Raises Refused if the object is not what was asked for."""
        if self._announced is not None and ids.sop_instance_uid != self._announced:
            raise Refused(SOP_CLASS_MISMATCH, "data set and command differ in SOP Instance")
        if not is_accepted(UID(ids.sop_class_uid), "all"):
            raise Refused(CANNOT_UNDERSTAND, "this SOP class is not accepted")
        if not (syntax in decodable() or is_keepable(UID(syntax))):
            raise Refused(CANNOT_UNDERSTAND, "this transfer syntax is not accepted")
        if ids.study_instance_uid != self._study:
            raise self._other(OTHER_STUDY)
        patient = ids.identity.patient_id.strip()
        if patient and self._patient and patient != self._patient:
            raise self._other(OTHER_PATIENT)
        order = self._order
        if order is None or ids.series_instance_uid != order.series:
            raise self._other(NOT_ASKED_FOR)
        if ids.sop_instance_uid in order.here or ids.sop_instance_uid in self.taken:
            raise Refused(SOP_CLASS_MISMATCH, _HERE_ALREADY)
        if order.instances is not None and ids.sop_instance_uid not in order.instances:
            raise self._other(NOT_ASKED_FOR)
        self._patient = self._patient or patient

    def _other(self, because: str) -> Refused:
        self._because = because
        return Refused(SOP_CLASS_MISMATCH, because)

    def _row_of_this(self) -> int:
        if self._row is None:
            self._row = self._senders.open(Sender(kind=SenderKind.SOURCE, name=self._source))
        return self._row
