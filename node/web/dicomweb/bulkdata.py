"""Bulk data, where metadata has said that they are (PS3.18 10.4.1.1.5)."""

import re
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from itertools import product

from node.dicom.retrieval import OCTETS
from node.web.dicomweb.accept import not_acceptable
from node.web.dicomweb.asked import Answer, Asked, of_part, of_parts
from node.web.dicomweb.element_values import NoValue, little_endian, values
from node.web.dicomweb.encoded_object import UNDEFINED, Element, EncodedObject, opened
from node.web.dicomweb.frame_media import frames_of
from node.web.dicomweb.multipart_out import Part
from node.web.problems import Problem

_PATH = re.compile(r"[0-9A-F]{8}(/[1-9][0-9]{0,5}/[0-9A-F]{8})*")
_LONGEST_PATH = 2048
_CHUNK = 1 << 20
_DOCUMENT, _DOCUMENT_TYPE = 0x00420011, 0x00420012
_DOCUMENT_TYPES = frozenset({"application/pdf", "model/stl", "model/obj"})
"""Under which a document may go out; a page with scripts in it may not, whatever it is called."""


def bulkdata(asked: Asked, where: str) -> Answer:
    """The value that stands there: in little endian, compressed pixels frame by frame.

    Raises Problem(400) if that is no place in an object, (404) if nothing of the kind stands there,
    (406) if it is asked for in another way; Unreadable; OSError.
    """
    if len(where) > _LONGEST_PATH or not _PATH.fullmatch(where):
        raise Problem(HTTPStatus.BAD_REQUEST, "the path of the bulk data cannot be read")
    (held,) = asked.held
    with opened(asked.path(held), max_bytes=asked.max_bytes) as of:
        elements = of.elements()
        element = _found(elements, where.split("/"))
        media_type = _document_type(of, elements) if element.tag == _DOCUMENT else OCTETS
    if element.length == UNDEFINED:
        return frames_of(asked, None)

    def chunks() -> Iterator[bytes]:
        with opened(asked.path(held), max_bytes=asked.max_bytes) as of:
            for begin in range(0, element.length, _CHUNK):
                length = min(_CHUNK, element.length - begin)
                yield little_endian(element, of.read(element.at + begin, length))

    kinds = dict.fromkeys((media_type, OCTETS))
    for wish, kind, in_parts in product(asked.wishes, kinds, (True, False)):
        if wish.takes(kind, multipart=in_parts):
            part = Part(content_type=kind, length=element.length, chunks=chunks)
            return of_parts([part], kind) if in_parts else of_part(part)
    raise not_acceptable(f"{media_type}, alone or in multipart/related")


def _found(elements: Sequence[Element], path: Sequence[str]) -> Element:
    """The element that the path leads to, if it has a value of its own."""
    within = elements
    for tag, number in zip(path[::2], [*path[1::2], None], strict=True):
        element = next((each for each in within if each.tag == int(tag, 16)), None)
        if element is None:
            break
        if number is None:
            if element.items is None:
                return element
            break
        if element.items is None or int(number) > len(element.items):
            break
        within = element.items[int(number) - 1]
    raise Problem(HTTPStatus.NOT_FOUND, "no bulk data stand there")


def _document_type(of: EncodedObject, elements: Sequence[Element]) -> str:
    for each in elements:
        if each.tag == _DOCUMENT_TYPE and 0 < each.length <= 64 and each.items is None:
            try:
                said = str(values(each, of.value(each), ())[0]).lower()
            except NoValue:
                break
            return said if said in _DOCUMENT_TYPES else OCTETS
    return OCTETS
