"""What a reader makes of an object that lacks an attribute it must have, or holds nonsense in one.

pydicom takes values apart when they are first looked at, and says what is wrong with them far from
the place that could judge it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from m3net.attributes import PARSER_ERRORS
from m3net.errors import AnnotationUnusable


@contextmanager
def incomplete_is_unusable(kind: str) -> Iterator[None]:
    """An attribute that is absent or of a senseless kind makes the object unusable.

    Its value is not in the reason: it may be a patient's name in the wrong place.
    """
    try:
        yield
    except AttributeError as error:  # names an attribute, never a value
        raise AnnotationUnusable(
            f"the {kind.lower()} is incomplete or malformed: {error}"
        ) from error
    except PARSER_ERRORS as error:
        raise AnnotationUnusable(
            f"the {kind.lower()} is incomplete or malformed: an attribute holds a value that it "
            f"cannot have ({type(error).__name__})"
        ) from error
