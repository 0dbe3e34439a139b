"""What a reader makes of an object that lacks an attribute it must have."""

from collections.abc import Iterator
from contextlib import contextmanager

from m3net.errors import AnnotationUnusable


@contextmanager
def incomplete_is_unusable(kind: str) -> Iterator[None]:
    """An attribute that is absent or of a senseless kind makes the object unusable.

    pydicom says it as an AttributeError or a TypeError, far from the place that could judge it.
    """
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise AnnotationUnusable(
            f"the {kind.lower()} is incomplete or malformed: {error}"
        ) from error
