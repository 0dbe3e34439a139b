"""What a request for stored objects asks for, and what is answered; HTTP itself is elsewhere."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from secrets import token_hex

from node.persistence.held import Held
from node.persistence.spool import Spool
from node.web.dicomweb.accept import Wish
from node.web.dicomweb.multipart_out import (
    Part,
    Pieces,
    content_type,
    multipart,
    multipart_length,
    single,
)

_MOST_NAMED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request, what it names having been found.

    held      : at least one; in the order of the answer
    wishes    : what is wanted most first
    query     : further parameters, by name
    base      : URI of the service, without a slash at its end
    max_bytes : of an object, inflated
    assumed_character_set : what an object that declares none is taken to declare
    go_on     : raises if nobody waits for the answer any more
    """

    held: Sequence[Held]
    wishes: Sequence[Wish]
    query: Mapping[str, str]
    base: str
    spool: Spool
    max_bytes: int
    assumed_character_set: str | None
    go_on: Callable[[], None] = lambda: None

    def each(self) -> Iterator[Held]:
        """What is asked for, one after the other, for as long as somebody waits for the answer."""
        for held in self.held:
            self.go_on()
            yield held

    def path(self, held: Held) -> Path:
        """Where its file lies."""
        return self.spool.locate(held.path)

    def uri(self, held: Held) -> str:
        """Of the instance."""
        return (
            f"{self.base}/studies/{held.study_instance_uid}/series/{held.series_instance_uid}"
            f"/instances/{held.sop_instance_uid}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is sent back.

    length : bytes; None if it is known only when all is made
    chunks : read in any thread, by one at a time
    close  : lets go of what was opened before
    """

    content_type: str
    length: int | None
    chunks: Pieces
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)
    close: Callable[[], None] = lambda: None

    def end(self) -> None:
        """No file stays open, however far the answer came."""
        self.chunks.close()
        self.close()


def of_part(part: Part, *, close: Callable[[], None] = lambda: None) -> Answer:
    """The part alone."""
    return Answer(
        content_type=part.content_type, length=part.length, chunks=single(part), close=close
    )


def of_parts(
    parts: Sequence[Part],
    media_type: str,
    *,
    missing: Sequence[str] = (),
    of: int = 0,
    close: Callable[[], None] = lambda: None,
) -> Answer:
    """The parts in one body, under a boundary drawn for it.

    media_type : of each part
    missing    : SOP Instance UIDs of what should have been among them
    of         : how many were asked for
    """
    boundary = token_hex(16)
    return Answer(
        content_type=content_type(media_type, boundary),
        length=multipart_length(parts, boundary),
        chunks=multipart(parts, boundary),
        status=HTTPStatus.PARTIAL_CONTENT if missing else HTTPStatus.OK,
        headers=warning_of(missing, of=of),
        close=close,
    )


def warning_of(missing: Sequence[str], *, of: int) -> dict[str, str]:
    """The header that says what is missing from an answer; none if nothing is.

    missing : SOP Instance UIDs
    """
    if not missing:
        return {}
    named = ", ".join(missing[:_MOST_NAMED])
    more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
    says = f"{len(missing)} of {of} instances cannot be read and are missing here: {named}{more}"
    return {"Warning": f'299 m3node "{says}"'}
