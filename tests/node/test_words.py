"""Every error of the lower floors is judged, and told in words, on purpose."""

import importlib
import inspect
import pkgutil
from datetime import UTC, datetime
from types import ModuleType

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

import m3net
import node.core
import sr_templates
from m3net import errors as m3net_errors
from m3net.errors import (
    AnnotationUnusable,
    InferenceError,
    M3NetError,
    NoduleUnusable,
    SeriesUnusable,
    StudyError,
    WeightsError,
)
from node.core import errors as node_errors
from node.core.errors import (
    Ambiguous,
    ConfigError,
    DatabaseBehind,
    DatabaseLost,
    DestinationError,
    DestinationNotReady,
    DestinationRefused,
    DestinationUnreachable,
    LeaseLost,
    NodeError,
    NotAllowed,
    NotNow,
    Refused,
    TooLarge,
    UnknownEntry,
    Unsuitable,
    VariantRejected,
)
from node.core.retry import FailureKind, classify
from node.words import in_words, in_words_with_place, places, reason

JUDGED = [
    (StudyError("gaps"), FailureKind.PERMANENT),
    (SeriesUnusable("gaps"), FailureKind.PERMANENT),
    (AnnotationUnusable("gaps"), FailureKind.PERMANENT),
    (NoduleUnusable("gaps"), FailureKind.PERMANENT),
    (WeightsError("altered"), FailureKind.PERMANENT),
    (InferenceError("out of memory"), FailureKind.TRANSIENT),
    (Refused(0xC000, "nonsense"), FailureKind.PERMANENT),
    (NotNow(OSError("disk")), FailureKind.TRANSIENT),
    (TooLarge("more than is taken"), FailureKind.PERMANENT),
    (ConfigError("no port"), FailureKind.PERMANENT),
    (DatabaseBehind("schema 0006"), FailureKind.TRANSIENT),
    (DatabaseLost("file deleted"), FailureKind.TRANSIENT),
    (DestinationUnreachable("down"), FailureKind.TRANSIENT),
    (DestinationNotReady("0110"), FailureKind.PASSING),
    (DestinationRefused("A900"), FailureKind.PERMANENT),
    (VariantRejected("no context", sop_class_uid="1.2"), FailureKind.PERMANENT),
    (LeaseLost("overtaken"), FailureKind.PERMANENT),
    (UnknownEntry("no job 7"), FailureKind.TRANSIENT),
    (Ambiguous([("1.2", datetime(2026, 3, 1, tzinfo=UTC))]), FailureKind.TRANSIENT),
    (NotAllowed("done"), FailureKind.TRANSIENT),
    (Unsuitable("a password has 12 characters"), FailureKind.TRANSIENT),
]
"""Whoever adds an error adds it here, and decides whether trying again makes sense."""

ROOTS = {M3NetError, NodeError, DestinationError}
CAUGHT_WITHIN = {"m3net.ct.stack.IrregularStack", "sr_templates.character_sets.Undecodable"}
"""They end where they are called: as one of the above with a message, or as bytes that are kept."""


def errors_of(package: ModuleType) -> set[type[BaseException]]:
    """Every exception class that a module of the package defines."""
    names = [m.name for m in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    return {
        value
        for name in [package.__name__, *names]
        for value in vars(importlib.import_module(name)).values()
        if inspect.isclass(value)
        and issubclass(value, BaseException)
        and value.__module__.startswith(package.__name__)
    }


def test_every_error_of_the_lower_floors_is_in_one_of_the_two_trees() -> None:
    found = errors_of(m3net) | errors_of(sr_templates) | errors_of(node.core)
    outside = {
        f"{error.__module__}.{error.__qualname__}"
        for error in found
        if error.__module__ not in (m3net_errors.__name__, node_errors.__name__)
    }
    assert outside == CAUGHT_WITHIN


def test_every_error_of_the_trees_is_judged_on_purpose() -> None:
    trees = errors_of(m3net) | errors_of(node.core)
    judged = {type(error) for error, _ in JUDGED}
    assert {e for e in trees if issubclass(e, M3NetError | NodeError)} - ROOTS == judged


@pytest.mark.parametrize(
    ("error", "kind"), JUDGED, ids=lambda value: type(value).__name__ if value else ""
)
def test_each_is_judged_and_says_its_own_words(error: Exception, kind: FailureKind) -> None:
    assert classify(error) is kind
    assert reason(error) == in_words(error) == in_words_with_place(error) == str(error)
    assert str(error) != ""


def test_of_a_foreign_error_only_type_and_place_are_told() -> None:
    with pytest.raises(ValueError, match="Müller") as raised:
        int("Müller^Hans")
    error = raised.value
    assert reason(error) is None
    assert in_words(error) == "unexpected ValueError; the log has where"
    assert in_words_with_place(error).startswith("unexpected ValueError at test_words.py:")
    (place,) = places(error, most=6)
    assert place.endswith(" test_of_a_foreign_error_only_type_and_place_are_told")


def test_a_file_error_names_the_file() -> None:
    assert reason(FileNotFoundError(2, "No such file or directory", "/srv/a")) == (
        "/srv/a: No such file or directory"
    )
    assert reason(OSError(28, "No space left on device")) == "No space left on device"
    assert reason(OSError("could not read Müller")) is None


def test_a_database_error_quotes_no_parameter() -> None:
    locked = OperationalError("SELECT ?", {"name": "Müller"}, Exception("database is locked\nX"))
    assert reason(locked) == "the database does not answer: database is locked; see database.url"
    twice = IntegrityError("INSERT ?", {"name": "Müller"}, Exception("(Müller) exists already"))
    assert reason(twice) == "the database failed with IntegrityError; see `m3node check`"
