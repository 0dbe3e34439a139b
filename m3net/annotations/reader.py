"""A reader of one kind of annotation object: what it is told of the kind, and what all readers owe.

pydicom takes values apart when they are first looked at, and says what is wrong with them far from
the place that could judge it.  So whatever a reader's functions trip over is said here, for all.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydicom import Dataset

from m3net.annotations.types import Annotation, Planes, References
from m3net.attributes import PARSER_ERRORS
from m3net.errors import AnnotationUnusable


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What becomes of what an object holds, for the conformance statement; a phrase each.

    read    : becomes a nodule
    listed  : is named in the report as not read as a nodule
    refused : is named in the report with the reason
    """

    read: tuple[str, ...]
    listed: tuple[str, ...]
    refused: tuple[str, ...]


def _always(_dataset: Dataset) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationReader:
    """Reads one kind of object; one module each, registered by SOP Class in `READERS`.

    kind            : for people: "Segmentation", "Measurement report"
    find_references : as `references`, of a sound object
    find_marks      : as `read`, of a sound object
    recognises      : whether an object of the SOP Class can mark a nodule at all.  What cannot is
                      no annotation: a dose report, a presentation state of window and zoom
    """

    kind: str
    scope: Scope
    find_references: Callable[[Dataset], References]
    find_marks: Callable[[Dataset, Planes], Annotation]
    recognises: Callable[[Dataset], bool] = _always

    def references(self, dataset: Dataset) -> References:
        """What the object refers to; a segmentation's centres only where it holds its pixels.

        Raises AnnotationUnusable if it lacks what every such object has.
        """
        with _incomplete_is_unusable(self.kind):
            return self.find_references(dataset)

    def read(self, dataset: Dataset, planes: Planes) -> Annotation:
        """Its marks in LPS mm, one for each thing that may be a nodule.

        planes : of the study's CT slices.  Localizers must not be among them: where a mark on a
                 scout lies in depth is not known.

        Raises AnnotationUnusable if the object as a whole makes no sense.
        """
        with _incomplete_is_unusable(self.kind):
            return self.find_marks(dataset, planes)


@contextmanager
def _incomplete_is_unusable(kind: str) -> Iterator[None]:
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
