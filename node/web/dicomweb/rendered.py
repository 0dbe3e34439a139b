"""Images as a browser shows them: JPEG and PNG, whole and as thumbnails (PS3.18 8.3.5, 10.4.1.1.3).

Of a multi-frame object one frame stands for all: the representative one that it names, else the
first.  Nothing is written into a picture that is not in it: `annotation` is not heeded.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from io import BytesIO
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.pixels.processing import apply_color_lut

from m3net import attributes
from m3net.attributes import PARSER_ERRORS
from node.dicom.retrieval import MOST_RENDERED_SAMPLES
from node.web.dicomweb.accept import not_acceptable
from node.web.dicomweb.asked import Answer, Asked, of_part, of_parts
from node.web.dicomweb.bulkdata import bulkdata
from node.web.dicomweb.encoded_object import Unreadable
from node.web.dicomweb.frame_index import NoFrames
from node.web.dicomweb.frame_media import framed
from node.web.dicomweb.frames import Frames, Undecodable
from node.web.dicomweb.instances import DICOM
from node.web.dicomweb.metadata import JSON, note_unreadable
from node.web.dicomweb.multipart_out import Part
from node.web.dicomweb.rendered_grey import Window, grey
from node.web.dicomweb.rendered_view import View, view_of
from node.web.problems import Problem

JPEG, PNG = "image/jpeg", "image/png"
_ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
_DOCUMENT = "00420011"
_MOST_A_SIDE_OF_JPEG = 65500
"""Pixels that libjpeg writes; an image may have 65,535."""
_LOOKED_AT = 16
"""Objects of a series that a thumbnail is tried of."""


def rendered(asked: Asked, numbers: Sequence[int] | None) -> Answer:
    """The frames of one object, or one frame of each image that is asked for.

    An image of several that cannot be shown is left out, and said: 206 with a Warning.

    numbers : of frames; None for the one that stands for the object

    Raises Problem(400) for a view that makes no sense, (406) where no picture can be had, or in no
    way that is asked for; NoSuchFrame, Unreadable, OSError.
    """
    view = view_of(asked.query, thumbnail=False)
    alone = len(asked.held) == 1
    if alone and asked.held[0].sop_class_uid == _ENCAPSULATED_PDF:
        return bulkdata(asked, _DOCUMENT)
    pictures: list[_Picture] = []
    missing = []
    for held in asked.each():
        one = replace(asked, held=(held,))
        try:
            pictures += [(one, number) for number in _chosen(one, numbers)]
        except NoFrames:
            continue  # a report among the images
        except (Unreadable, OSError) as error:
            if alone:
                raise
            missing.append(held.sop_instance_uid)
            note_unreadable(held, error)
    if not pictures:
        raise Problem(
            HTTPStatus.NOT_ACCEPTABLE,
            f"no picture of it can be had; there is {JSON} at /metadata, and {DICOM}",
        )
    return _answer(asked, pictures, view, missing=missing)


def thumbnail(asked: Asked, numbers: Sequence[int] | None) -> Answer:
    """One small picture: of the frame, or of the image in the middle of what is asked for.

    Raises Problem(400) for a view that makes no sense, (404) if there is no image, (406) if it is
    asked for in another way; of one object NoSuchFrame, Unreadable, OSError.
    """
    view = view_of(asked.query, thumbnail=True)
    middle = len(asked.held) // 2
    order = sorted(range(len(asked.held)), key=lambda at: abs(at - middle))
    for at in order[:_LOOKED_AT]:
        one = replace(asked, held=(asked.held[at],))
        try:
            return _answer(one, [(one, number) for number in _chosen(one, numbers)[:1]], view)
        except NoFrames:
            continue
        except (Unreadable, OSError):
            if len(asked.held) == 1:
                raise
    raise Problem(HTTPStatus.NOT_FOUND, "there is no image to show in small")


def _chosen(asked: Asked, numbers: Sequence[int] | None) -> Sequence[int]:
    with framed(asked) as frames:
        layout = frames.layout
        if layout.rows * layout.columns * layout.samples > MOST_RENDERED_SAMPLES:
            raise Undecodable("the image is too large to be rendered here; retrieve its frames")
        if numbers is not None:
            frames.require(numbers)
            return numbers
        named = attributes.whole(frames.header(), "RepresentativeFrameNumber")
        return [named if named is not None and 1 <= named <= frames.count else 1]


_Picture = tuple[Asked, int]
"""An object, and the number of its frame."""


def _answer(
    asked: Asked, pictures: Sequence[_Picture], view: View, *, missing: Sequence[str] = ()
) -> Answer:
    several = len(pictures) > 1 or bool(missing)
    for wish, in_parts, kind in product(asked.wishes, (False, True), (JPEG, PNG)):
        if not wish.takes(kind, multipart=in_parts) or (several and not in_parts):
            continue
        if several:
            parts = [_part(one, number, view, kind) for one, number in pictures]
        else:
            (of,) = pictures
            data = _encoded(*of, view, kind)
            parts = [Part(content_type=kind, length=len(data), chunks=partial(_alone, data))]
        if not in_parts:
            return of_part(parts[0])
        return of_parts(parts, kind, missing=missing, of=len(asked.held))
    raise not_acceptable(f"{JPEG} and {PNG}, several of them in multipart/related")


def _part(asked: Asked, number: int, view: View, kind: str) -> Part:
    """Of many pictures, made when it is its turn."""

    def chunks() -> Iterator[bytes]:
        yield _encoded(asked, number, view, kind)

    return Part(content_type=kind, length=None, chunks=chunks)


def _alone(data: bytes) -> Iterator[bytes]:
    yield data


def _encoded(asked: Asked, number: int, view: View, kind: str) -> bytes:
    with framed(asked) as frames:
        picture = view.seen(picture_of(frames, number, view.window))
    buffer = BytesIO()
    if kind == PNG:
        picture.save(buffer, "PNG", compress_level=3)
    elif max(picture.size) > _MOST_A_SIDE_OF_JPEG:
        raise Undecodable(f"the picture is too long for {JPEG}; ask for {PNG}, or a viewport")
    else:
        picture.save(buffer, "JPEG", quality=view.quality, subsampling=0)
    return buffer.getvalue()


def picture_of(frames: Frames, number: int, window: Window | None) -> Image.Image:
    """The frame in 8 bits a sample.  Raises NoSuchFrame, Undecodable, Unreadable."""
    header = frames.header()
    samples = frames.samples(number, raw=False)
    try:
        if frames.layout.photometric == "PALETTE COLOR":
            colours = apply_color_lut(samples, header)
            return Image.fromarray(_eight_bits(colours, 8 * colours.dtype.itemsize))
        if samples.ndim == 3:
            return Image.fromarray(_eight_bits(samples, frames.layout.bits_stored))
        return Image.fromarray(grey(samples, header, number, window))
    except PARSER_ERRORS as error:
        raise Undecodable("the image says of its values what makes no sense") from error


def _eight_bits(colours: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """The highest eight of those bits."""
    return np.asarray(colours >> max(0, bits - 8), np.uint8)
