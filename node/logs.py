"""One event a line, JSON or for human eyes, and never a patient in it.

    event("job.done", study=uid, job=17, seconds=3.2)

`action` is the machine name.  What libraries log may quote what they read ("invalid value for PN:
..."), so of it is written where it arose, and what stands there in the library's source; of errors,
what `node.words` tells.
"""

import json
import linecache
import logging
import os
import sys
import threading
import tokenize
import warnings
from datetime import UTC, datetime
from functools import lru_cache
from types import TracebackType
from typing import TextIO

from node.config.sections import LogConfig
from node.words import places, reason

_OURS = ("node", "m3net", "sr_templates", "training")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "action",
    "fields",
}
_logger = logging.getLogger("node")

Fields = dict[str, object]


def event(
    action: str, *, level: int = logging.INFO, error: BaseException | None = None, **fields: object
) -> None:
    """Write one event; `error` adds its type, its place, and its message if it is ours."""
    _logger.log(level, "", exc_info=error, extra={"action": action, "fields": fields})


def configure(config: LogConfig, *, role: str, stream: TextIO | None = None) -> None:
    """From here on this process logs as `role`; libraries speak from warnings upwards."""
    stream = stream or sys.stderr
    human = config.format == "human" or (config.format == "auto" and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Human(role) if human else _Json(role))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in _OURS:
        logging.getLogger(name).setLevel(config.level.upper())
    for name in ("pynetdicom", "pydicom"):
        library = logging.getLogger(name)
        library.handlers[:] = []
        library.setLevel(logging.WARNING)
        library.propagate = True
    warnings.simplefilter("default")
    warnings.showwarning = _on_warning
    sys.excepthook = _on_uncaught
    threading.excepthook = _on_uncaught_in_thread


def fields_of(record: logging.LogRecord) -> Fields:
    """What of a record may be written."""
    if record.name.split(".")[0] not in _OURS:
        fields: Fields = {
            "action": "library.message",
            "library": record.name,
            "at": f"{record.module}.{record.funcName}:{record.lineno}",
            "thread": record.threadName,
        }
        if words := _words_in_source(record.pathname, record.lineno):
            fields["says"] = words
    else:
        fields = {"action": getattr(record, "action", "message"), **getattr(record, "fields", {})}
        fields.update((k, v) for k, v in vars(record).items() if k not in _STANDARD)
        if text := record.getMessage():
            fields["message"] = text
    if record.exc_info and record.exc_info[1] is not None:
        fields.update(_error_fields(record.exc_info[1]))
    return fields


_LONGEST_CALL = 8
"""So many lines a call that logs has in a library's source."""


@lru_cache(maxsize=256)
def _words_in_source(path: str, line: int) -> str:
    """The text that the source has for what is logged there, without any value put into it."""
    lines = iter([linecache.getline(path, line + n) for n in range(_LONGEST_CALL)])
    found: list[str] = []
    depth = 0
    try:
        for token in tokenize.generate_tokens(lambda: next(lines)):
            if tokenize.tok_name[token.type] in ("STRING", "FSTRING_MIDDLE"):
                found.append(token.string.lstrip("fFrRbBuU").strip("\"'"))
            depth += (token.string == "(") - (token.string == ")")
            if token.string == ")" and depth == 0:
                break
    except (tokenize.TokenError, SyntaxError):
        return ""  # the call is longer, or there is no source
    return "".join(found)


def _level_of(record: logging.LogRecord) -> str:
    """Of a library's line at most "info", unless it has caught something: what that means for the
    node is said by the node.
    """
    ours = record.name.split(".")[0] in _OURS
    if not ours and not record.exc_info and record.levelno > logging.INFO:
        return "info"
    return record.levelname.lower()


def _error_fields(error: BaseException) -> Fields:
    """An exception without what a library may have quoted in it."""
    fields: Fields = {"error": type(error).__name__}
    if said := reason(error):
        fields["reason"] = said
    if where := places(error, most=6):
        fields["where"] = " < ".join(where)
    if error.__cause__ is not None:
        fields["cause"] = type(error.__cause__).__name__
    return fields


class _Json(logging.Formatter):
    def __init__(self, role: str) -> None:
        super().__init__()
        self._role = role

    def format(self, record: logging.LogRecord) -> str:
        head = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": _level_of(record),
            "role": self._role,
            "pid": record.process,
        }
        return json.dumps(head | fields_of(record), ensure_ascii=False, default=str)


class _Human(logging.Formatter):
    def __init__(self, role: str) -> None:
        super().__init__()
        self._role = role

    def format(self, record: logging.LogRecord) -> str:
        fields = fields_of(record)
        when = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        action = str(fields.pop("action"))
        words = [when, f"{_level_of(record):7}", f"{self._role:10}", f"{action:24}"]
        return " ".join([*words, *(f"{k}={_word(v)}" for k, v in fields.items())]).rstrip()


def _word(value: object) -> str:
    text = f"{value:.3g}" if isinstance(value, float) else str(value)
    return (
        json.dumps(text, ensure_ascii=False) if not text or set(text) & set(' \n\r\t"=') else text
    )


def _on_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    del message, file, line  # the words may quote what was read
    place = f"{os.path.basename(filename)}:{lineno}"
    event("library.warning", level=logging.WARNING, category=category.__name__, at=place)


def _on_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    event("process.crashed", level=logging.ERROR, error=error.with_traceback(trace))


def _on_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        event("thread.crashed", level=logging.ERROR, error=args.exc_value)
