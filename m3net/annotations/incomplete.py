"""What a reader makes of an object that lacks an attribute it must have, or holds nonsense in one.

pydicom takes values apart when they are first looked at, and says what is wrong with them in the
errors below, far from the place that could judge it.
"""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from pydicom.errors import BytesLengthException, InvalidDicomError

from m3net.errors import AnnotationUnusable

MALFORMED: tuple[type[Exception], ...] = (
    ArithmeticError,
    AttributeError,
    BytesLengthException,
    EOFError,
    InvalidDicomError,
    LookupError,
    NotImplementedError,
    OSError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What pydicom, numpy and a reader raise on an object that is not what it says it is."""


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
    except MALFORMED as error:
        raise AnnotationUnusable(
            f"the {kind.lower()} is incomplete or malformed: an attribute holds a value that it "
            f"cannot have ({type(error).__name__})"
        ) from error
