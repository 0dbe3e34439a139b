"""What can be wrong with an input, and with a model.

::

    M3NetError
    ├── StudyError            this input will never work; the message is its one clear reason
    │   ├── SeriesUnusable        the CT series is no volume: gaps, uneven spacing, two geometries
    │   ├── AnnotationUnusable    the object cannot be read or trusted as a whole
    │   └── NoduleUnusable        one marked nodule cannot be analysed; the others still are
    ├── WeightsError          the model's files are missing, altered or of another network
    └── InferenceError        the model cannot run here, or gave something that is no number

A message says what was found, what was expected and what to do.  It never holds a patient's name,
ID or birth date: it ends in reports, logs and the diary.
"""


class M3NetError(Exception):
    """The root of everything this package raises on purpose."""


class StudyError(M3NetError):
    """This input will never work; the message is the one reason a person reads."""


class SeriesUnusable(StudyError):
    """The CT series does not make a volume."""


class AnnotationUnusable(StudyError):
    """The annotation object cannot be read, or its geometry cannot be trusted."""


class NoduleUnusable(StudyError):
    """One marked nodule cannot be analysed."""


class WeightsError(M3NetError):
    """The model's files are missing, altered, or belong to another network."""


class InferenceError(M3NetError):
    """The model cannot run on this machine, or gave something that is no number."""
