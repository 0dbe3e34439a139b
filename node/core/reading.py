"""Stored objects, read with their texts as the sender meant them."""

from pathlib import Path

from pydicom import Dataset, dcmread

from m3net.attributes import PARSER_ERRORS
from m3net.errors import AnnotationUnusable
from sr_templates.character_sets import assume, decode_texts


def read_header(path: Path, *, assumed_character_set: str | None) -> Dataset:
    """The object without its pixels, no text of it decoded yet (`identity.copy_identity`).

    assumed_character_set : what an object that declares none is taken to declare
    """
    header = dcmread(path, stop_before_pixels=True)
    assume(header, assumed_character_set)
    return header


def read_annotation(path: Path, *, assumed_character_set: str | None) -> Dataset:
    """The whole object, its labels decoded.

    assumed_character_set : what an object that declares none is taken to declare

    Raises AnnotationUnusable if it cannot be taken apart.
    """
    try:
        dataset = dcmread(path)
        assume(dataset, assumed_character_set)
        decode_texts(dataset)
    except PARSER_ERRORS as error:
        raise AnnotationUnusable(
            f"the object cannot be taken apart ({type(error).__name__}); resend it"
        ) from error
    return dataset
