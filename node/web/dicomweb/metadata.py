"""What the objects say, without their bulk data (PS3.18 10.4.1.1.2).

All is made before the first byte goes out, beside in a file where it is much: so the answer says in
its header which instances could not be read, and is never half a document.
"""

import logging
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from http import HTTPStatus
from secrets import token_hex
from typing import IO

from node.logs import event
from node.persistence.held import Held
from node.web.dicomweb.accept import not_acceptable
from node.web.dicomweb.asked import Answer, Asked, warning_of
from node.web.dicomweb.encoded_object import Unreadable, opened
from node.web.dicomweb.metadata_json import as_json
from node.web.dicomweb.metadata_model import Attribute, Path, attributes
from node.web.dicomweb.metadata_xml import as_xml
from node.web.dicomweb.multipart_out import Pieces, content_type
from node.web.problems import Problem

JSON = "application/dicom+json"
XML = "application/dicom+xml"
_IN_MEMORY = 4 << 20
_CHUNK = 256 << 10


def metadata(asked: Asked) -> Answer:
    """Of all of them; one that cannot be read is left out, and named in a Warning.

    Raises Problem(406) if it is asked for otherwise than in JSON or XML, (500) if none can be read.
    """
    for wish in asked.wishes:
        if wish.takes_alone(JSON, "application/json"):
            return _answer(asked, JSON, as_json, _AS_LIST)
        if wish.takes(XML, multipart=True):
            return _answer(
                asked, content_type(XML, boundary := token_hex(16)), as_xml, _parts(boundary)
            )
        if wish.takes(XML, multipart=False) and len(asked.held) == 1:
            return _answer(asked, XML, as_xml, (b"", b"", b""))
    raise not_acceptable(f'{JSON}, and multipart/related; type="{XML}"')


_Framing = tuple[bytes, bytes, bytes]
"""What stands before the first, between two, and behind the last."""
_AS_LIST: _Framing = (b"[", b",", b"]")


def _parts(boundary: str) -> _Framing:
    head = f"--{boundary}\r\nContent-Type: {XML}\r\n\r\n".encode("ascii")
    return head, b"\r\n" + head, f"\r\n--{boundary}--\r\n".encode("ascii")


def _answer(
    asked: Asked,
    said_type: str,
    write: Callable[[Sequence[Attribute]], bytes],
    framing: _Framing,
) -> Answer:
    before, between, behind = framing
    missing: list[str] = []
    with ExitStack() as opened_now:
        body = opened_now.enter_context(tempfile.SpooledTemporaryFile(_IN_MEMORY))
        for held in asked.each():
            try:
                written = write(_attributes(asked, held))
            except (Unreadable, OSError) as error:
                note_unreadable(held, error)
                missing.append(held.sop_instance_uid)
                continue
            body.write(between if body.tell() else before)
            body.write(written)
        if len(missing) == len(asked.held):
            raise Problem(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                "nothing of what is stored can be read; retrieve the instances as they are, or "
                "send them again",
            )
        body.write(behind)
        return Answer(
            content_type=said_type,
            length=body.tell(),
            chunks=_sent(body),
            headers=warning_of(missing, of=len(asked.held)),
            close=opened_now.pop_all().close,
        )


def note_unreadable(held: Held, error: Exception) -> None:
    """It is in the log that the object is missing from an answer."""
    event(
        "web.instance_unreadable",
        level=logging.WARNING,
        sop_instance_uid=held.sop_instance_uid,
        because=str(error),
    )


def _attributes(asked: Asked, held: Held) -> list[Attribute]:
    base = f"{asked.uri(held)}/bulkdata/"

    def link(where: Path) -> str:
        return base + "/".join(where)

    with opened(asked.path(held), max_bytes=asked.max_bytes) as of:
        return attributes(of, link, assumed_character_set=asked.assumed_character_set)


def _sent(body: IO[bytes]) -> Pieces:
    body.seek(0)
    while chunk := body.read(_CHUNK):
        yield chunk
