"""One event a line, JSON or for human eyes, and never a patient in it.

    event("job.done", study=uid, job=17, seconds=3.2)

`action` is the machine name.  What libraries log may quote what they read ("invalid value for PN:
..."), so of it only where it arose is written; of errors, what `node.words` tells.
"""

import json
import logging
import os
import sys
import threading
import warnings
from datetime import UTC, datetime
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
    else:
        fields = {"action": getattr(record, "action", "message"), **getattr(record, "fields", {})}
        fields.update((k, v) for k, v in vars(record).items() if k not in _STANDARD)
        if text := record.getMessage():
            fields["message"] = text
    if record.exc_info and record.exc_info[1] is not None:
        fields.update(_error_fields(record.exc_info[1]))
    return fields


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
            "level": record.levelname.lower(),
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
        words = [when, f"{record.levelname.lower():7}", f"{self._role:10}", f"{action:24}"]
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
