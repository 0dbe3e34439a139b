"""Errors in words: one describer for the diary, the log, `m3node check` and the command line.

Our own messages name no patient (house rule, tested).  Those of libraries may quote what they read
("invalid value for PN: ..."), so of them only type and place are told: enough to find the line,
nothing to leak.
"""

import os
import traceback

from sqlalchemy.exc import OperationalError, SQLAlchemyError

from m3net.errors import M3NetError
from node.core.errors import NodeError


def in_words(error: BaseException) -> str:
    """What happened and what to do, for where the log is at hand: the diary, a report."""
    return reason(error) or f"unexpected {type(error).__name__}; the log has where"


def in_words_with_place(error: BaseException) -> str:
    """The same for a terminal: no log was written, so the place of a foreign error stands here."""
    at = "".join(f" at {place}" for place in places(error, most=1))
    return reason(error) or f"unexpected {type(error).__name__}{at}"


def reason(error: BaseException) -> str | None:
    """What happened and what to do; None if the error's own words may quote a patient."""
    match error:
        case NodeError() | M3NetError():
            return str(error)
        case OperationalError():
            said = str(error.orig).strip().partition("\n")[0]
            return f"the database does not answer: {said}; see database.url"
        case SQLAlchemyError():
            return f"the database failed with {type(error).__name__}; see `m3node check`"
        case OSError() if error.strerror:
            return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
        case _:
            return None


def places(error: BaseException, *, most: int) -> list[str]:
    """Where it arose, as `file:line function`, the innermost first; none if it was never raised."""
    frames = traceback.extract_tb(error.__traceback__)[-most:]
    return [f"{os.path.basename(f.filename)}:{f.lineno} {f.name}" for f in reversed(frames)]
