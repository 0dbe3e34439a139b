"""What the answer to a STOW-RS request says of the one instance that was sent (PS3.18 10.5.3).

The HTTP status alone says little: 200 and 202 may carry a list of failures (Failed SOP Sequence),
and 409 always does.  The list comes in JSON or XML, alone or in an array or a multipart body, and
under whatever media type; so it is looked for by what stands there.  Whatever does not name the
instance is no success, but for an empty 200.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email import message_from_bytes
from typing import Any
from xml.etree import ElementTree

from node.calling.http_answer import Answer, failure
from node.core.errors import DestinationNotReady
from node.outbound.destination import OutgoingObject, require_stored

_FAILED_SOP_SEQUENCE = "00081198"
_REFERENCED_SOP_SEQUENCE = "00081199"
_REFERENCED_SOP_INSTANCE_UID = "00081155"
_WARNING_REASON = "00081196"
_FAILURE_REASON = "00081197"
_PROCESSING_FAILURE, _DUPLICATE = 0x0110, 0x0111
_ALREADY_THERE = frozenset({_DUPLICATE, 0xB00E})
"""Duplicate SOP instance; the same in Azure's words (45070)."""
_BEING_CREATED = 0xB00F
"""Azure's 45071: another request is storing it, or one that failed has not been cleaned up."""
_WARNINGS = range(0xB000, 0xC000)
_ALREADY_EXISTS = "already exist"
"""Google gives 0110 for every failure, and says which in an attribute of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """What the answer says of one instance.

    uid     : None if it names none
    reason  : of its failure; None if it names none
    warning : None if there is none
    said    : every text that stands in it, never to be quoted
    """

    uid: str | None
    reason: int | None
    warning: int | None
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Module:
    """A Store Instances Response Module (PS3.18 table 10.5.3-3)."""

    failed: tuple[_Item, ...]
    stored: tuple[_Item, ...]


def status_in(answer: Answer, sent: OutgoingObject, *, where: str) -> int:
    """The status under which the instance is stored; raises like `Destination.send` if it is not.

    where : the destination, for the sentence
    """
    modules = list(_modules(answer.body or b"", answer.content_type))
    failed = _about(sent, [item for each in modules for item in each.failed], unnamed=True)
    if failed is not None:
        return _failure_of(failed, sent, code=answer.status)
    if _says_already_exists(answer):
        return _DUPLICATE
    error = failure(answer, where=where, about=sent.sop_instance_uid)
    if error is not None:
        raise error
    stored = _about(sent, [item for each in modules for item in each.stored], unnamed=False)
    if stored is not None:
        return stored.warning or 0x0000
    if answer.status == 200 and answer.body is not None and not answer.body.strip():
        return 0x0000
    raise DestinationNotReady(
        f"{where} answered HTTP {answer.status} without saying that {sent.sop_instance_uid} is "
        f"stored ({_what_it_is(answer)}); whether it is, is not known"
    )


def _failure_of(item: _Item, sent: OutgoingObject, *, code: int) -> int:
    reason = _PROCESSING_FAILURE if item.reason is None else item.reason
    said = f"HTTP {code}"
    if reason in _ALREADY_THERE:
        return _DUPLICATE
    if reason == _PROCESSING_FAILURE and _exists(item.said):
        return _DUPLICATE
    if reason == _BEING_CREATED:
        raise DestinationNotReady(
            f"is creating {sent.sop_instance_uid} for another request: status {reason:04X} ({said})"
        )
    if reason in _WARNINGS or reason == 0x0000:
        raise DestinationNotReady(
            f"lists {sent.sop_instance_uid} as failed with status {reason:04X}, which is none of a "
            f"failure ({said}); whether it is stored is not known"
        )
    require_stored(reason, sent, said=said)
    return reason


def _about(sent: OutgoingObject, items: list[_Item], *, unnamed: bool) -> _Item | None:
    """The item about this instance.

    unnamed : one that names no instance is about it too, the only one that was sent
    """
    for item in items:
        if item.uid == sent.sop_instance_uid or (unnamed and item.uid is None):
            return item
    return None


def _what_it_is(answer: Answer) -> str:
    if answer.body is None:
        return "more than 1 MiB, or packed in a way that cannot be read"
    return f"{len(answer.body)} bytes of {answer.media_type or 'no media type'}"


def _modules(body: bytes, content_type: str) -> Iterator[_Module]:
    """The modules that stand in the body, if any can be read."""
    if content_type.lower().lstrip().startswith("multipart/"):
        header = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
        for part in message_from_bytes(header + body).walk():
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes):
                yield from _modules(payload, part.get_content_type().replace("multipart", ""))
        return
    text = body.lstrip(b"\xef\xbb\xbf \t\r\n")
    try:
        if text[:1] in (b"{", b"["):
            yield from _in_json(json.loads(text))
        elif text[:1] == b"<":
            yield from _in_xml(ElementTree.fromstring(text))
    except (
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
        ElementTree.ParseError,
    ):
        return  # it is no such module, or a broken one: it names nothing


def _in_json(value: Any) -> Iterator[_Module]:
    """DICOM JSON (PS3.18 annex F): one module, or an array of them."""
    for module in value if isinstance(value, list) else [value]:
        if isinstance(module, dict):
            yield _Module(
                failed=tuple(_json_items(module, _FAILED_SOP_SEQUENCE)),
                stored=tuple(_json_items(module, _REFERENCED_SOP_SEQUENCE)),
            )


def _json_items(module: Mapping[str, Any], sequence: str) -> Iterator[_Item]:
    for item in module.get(sequence, {}).get("Value") or []:
        first = {tag: (attribute.get("Value") or [None])[0] for tag, attribute in item.items()}
        yield _item(first)


def _in_xml(root: ElementTree.Element) -> Iterator[_Module]:
    """The Native DICOM Model (PS3.19 A.1), whatever its name space."""
    for each in root.iter():
        each.tag = each.tag.rpartition("}")[2]
    yield _Module(
        failed=tuple(_xml_items(root, _FAILED_SOP_SEQUENCE)),
        stored=tuple(_xml_items(root, _REFERENCED_SOP_SEQUENCE)),
    )


def _xml_items(root: ElementTree.Element, sequence: str) -> Iterator[_Item]:
    for item in root.findall(f"./DicomAttribute[@tag='{sequence}']/Item"):
        yield _item(
            {
                attribute.get("tag", ""): attribute.findtext("Value")
                for attribute in item.findall("DicomAttribute")
            }
        )


def _item(first: Mapping[str, Any]) -> _Item:
    """Of the first value of each attribute, by tag."""
    uid = str(first.get(_REFERENCED_SOP_INSTANCE_UID) or "").strip(" \0")
    return _Item(
        uid=uid or None,
        reason=_number(first.get(_FAILURE_REASON)),
        warning=_number(first.get(_WARNING_REASON)),
        said=" ".join(value for value in first.values() if isinstance(value, str)),
    )


def _number(value: Any) -> int | None:
    """A value of US (PS3.5 6.2).  Raises ValueError or OverflowError if it is none."""
    if value is None or value == "":
        return None
    number = int(value)
    if not 0 <= number <= 0xFFFF:
        raise ValueError("no status has more than four hexadecimal digits")
    return number


def _says_already_exists(answer: Answer) -> bool:
    """Google's error object, alone or in an array, of a request that stored nothing new."""
    if answer.status != 409:
        return False
    try:
        value = json.loads(answer.body or b"null")
    except (ValueError, RecursionError):
        return False
    for each in value if isinstance(value, list) else [value]:
        error = each.get("error") if isinstance(each, dict) else None
        if isinstance(error, dict) and _exists(str(error.get("status", ""))):
            return True
    return False


def _exists(text: str) -> bool:
    return _ALREADY_EXISTS in text.lower().replace("_", " ")
