"""What became of the objects of a transaction, and how that is answered (PS3.18 10.5.3, I)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from node.core.errors import OUT_OF_RESOURCES, NotNow, Refused, TooLarge
from node.inbound.identifiers import Identifiers

PROCESSING_FAILURE = 0x0110
SOP_CLASS_NOT_SUPPORTED = 0x0122
TRANSFER_SYNTAX_NOT_SUPPORTED = 0xC122
"""Failure Reasons of PS3.18 table I.2-2 that no C-STORE of this node is answered with."""
_MOST_REASONS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """An object that was not kept.

    ids : which one it is; None if that could not be read
    """

    ids: Identifiers | None
    refused: Refused

    @property
    def status(self) -> HTTPStatus:
        """What a request that brought nothing else is answered with."""
        if isinstance(self.refused, NotNow):
            return HTTPStatus.SERVICE_UNAVAILABLE
        if self.refused.status == OUT_OF_RESOURCES:
            return HTTPStatus.INSUFFICIENT_STORAGE
        if isinstance(self.refused, TooLarge):
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        return HTTPStatus.CONFLICT


@dataclass(slots=True, kw_only=True)
class Outcome:
    """Of the objects so far."""

    stored: list[Identifiers] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)

    @property
    def status(self) -> HTTPStatus:
        """200 all are stored, 202 some, else why none is (PS3.18 table 10.5.3-1).

        409 is for what the client has to cure; 413, 503 and 507 where all have failed for that.
        """
        if not self.failed:
            return HTTPStatus.OK
        if self.stored:
            return HTTPStatus.ACCEPTED
        (first, *others) = {each.status for each in self.failed}
        return HTTPStatus.CONFLICT if others else first

    def reasons(self) -> Sequence[str]:
        """Why objects failed, the most frequent first: "C000: not a DICOM file (3)"."""
        counted = Counter(
            f"{each.refused.status:04X}: {each.refused.comment}" for each in self.failed
        )
        return [f"{words} ({number})" for words, number in counted.most_common(_MOST_REASONS)]
