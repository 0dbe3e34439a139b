"""Whole instances, as they are stored or in the transfer syntax that is asked for (PS3.18 10.4)."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from node.dicom.retrieval import WRITTEN_IN
from node.logs import event
from node.persistence.held import Held
from node.web.dicomweb.accept import AS_STORED, Wish, not_acceptable
from node.web.dicomweb.asked import Answer, Asked, of_part, of_parts
from node.web.dicomweb.encoded_object import EncodedObject, Unreadable, opened
from node.web.dicomweb.frame_index import NoFrames, index_frames
from node.web.dicomweb.frames import DEFLATED_FRAMES, Frames
from node.web.dicomweb.instances_encoded import Written
from node.web.dicomweb.multipart_out import Part
from node.web.problems import Problem

DICOM = "application/dicom"
_CHUNK = 1 << 20
_NOT_LOSSY = frozenset(
    {
        ImplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
        DEFLATED_FRAMES,
        RLELossless,
        JPEGLossless,
        JPEGLosslessSV1,
        JPEGLSLossless,
        JPEG2000Lossless,
        HTJ2KLossless,
        HTJ2KLosslessRPCL,
    }
)
"""What PS3.18 8.7.3.3 wants decoded where a client says nothing of transfer syntaxes."""


def instances(asked: Asked) -> Answer:
    """All of them, in parts; one alone without parts too.

    A file that is gone is left out, and said: 206 with a Warning.

    Raises Problem(406) if nothing that is asked for can be had, (500) if every file is gone.
    """
    there = [held for held in asked.each() if _is_whole(asked.path(held), held.size)]
    whole = {held.sop_instance_uid for held in there}
    missing = [uid for uid in (each.sop_instance_uid for each in asked.held) if uid not in whole]
    for uid in missing:
        event("web.file_lost", level=logging.ERROR, sop_instance_uid=uid)
    if not there:
        raise Problem(
            HTTPStatus.INTERNAL_SERVER_ERROR, "the stored file is gone or cut off; send it again"
        )
    for wish in asked.wishes:
        alone = not wish.takes(DICOM, multipart=True)
        if alone and (len(asked.held) > 1 or not wish.takes(DICOM, multipart=False)):
            continue
        try:
            parts = [_part(asked, held, wish) for held in _wanted(asked, there)]
        except Unreadable:
            continue
        if alone:
            return of_part(parts[0])
        return of_parts(parts, DICOM, missing=missing, of=len(asked.held))
    stored = sorted({UID(held.transfer_syntax_uid).name for held in there})
    raise not_acceptable(
        f"{DICOM} as it is stored (transfer-syntax=*: {', '.join(stored)}), or, where the pixels "
        f"can be decoded, in {', '.join(f'{uid.name} ({uid})' for uid in WRITTEN_IN)}"
    )


def _wanted(asked: Asked, held: Sequence[Held]) -> Iterator[Held]:
    yield from replace(asked, held=held).each()


def _is_whole(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def _part(asked: Asked, held: Held, wish: Wish) -> Part:
    stored = UID(held.transfer_syntax_uid)
    said = wish.transfer_syntax
    target = stored if said in (AS_STORED, "") else UID(said)
    if said == "" and stored in _NOT_LOSSY:
        try:
            return _written(asked, held, ExplicitVRLittleEndian)
        except Unreadable:
            target = stored  # there is only this form of it
    if target == stored:
        return Part(
            content_type=f"{DICOM}; transfer-syntax={stored}",
            length=held.size,
            chunks=lambda: verified(asked.path(held), held.size),
        )
    if target not in WRITTEN_IN:
        raise Unreadable("nothing here writes that transfer syntax")
    return _written(asked, held, target)


def _written(asked: Asked, held: Held, target: UID) -> Part:
    with opened(asked.path(held), max_bytes=asked.max_bytes) as of:
        _writing(of, target)

    def chunks() -> Iterator[bytes]:
        with opened(asked.path(held), max_bytes=asked.max_bytes) as of:
            yield from _writing(of, target).chunks(held.sop_class_uid, held.sop_instance_uid)

    return Part(content_type=f"{DICOM}; transfer-syntax={target}", length=None, chunks=chunks)


def _writing(of: EncodedObject, target: UID) -> Written:
    try:
        frames = Frames(of, index_frames(of))
    except NoFrames:
        return Written(of, None, target)
    return Written(of, frames, target)


def verified(path: Path, size: int) -> Iterator[bytes]:
    """The stored file; its last piece only if all of it has the digest that is its name.

    Raises Unreadable if it has not, or is of another size: whoever was sent the rest cannot take it
    for the whole.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        waiting = b""
        left = size
        while left and (chunk := file.read(min(_CHUNK, left))):
            if waiting:
                yield waiting
            digest.update(chunk)
            waiting, left = chunk, left - len(chunk)
        if left or digest.hexdigest() != path.stem:
            raise Unreadable("the stored file is damaged; send the instance again")
        yield waiting
