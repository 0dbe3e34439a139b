"""Errors in one line, for people who did not write the program."""

import traceback
from pathlib import Path

from sqlalchemy.exc import OperationalError, SQLAlchemyError

from m3net.errors import M3NetError
from node.core.errors import NodeError


def in_words(error: Exception) -> str:
    """What happened and what to do; what a library may have quoted is left out."""
    match error:
        case NodeError() | M3NetError():
            return f"error: {error}"
        case OperationalError():
            reason = str(error.orig).strip().partition("\n")[0]
            return f"error: the database does not answer: {reason}; see database.url"
        case SQLAlchemyError():
            return f"error: the database failed with {type(error).__name__}; see `m3node check`"
        case OSError() if error.strerror:
            place = f"{error.filename}: " if error.filename else ""
            return f"error: {place}{error.strerror}"
        case _:
            return f"error: {type(error).__name__} {_place(error)}; M3NODE_TRACEBACK=1 shows more"


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "nowhere"
