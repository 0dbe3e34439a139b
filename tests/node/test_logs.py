"""The log: one event a line, and no patient in it."""

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator

import pydicom
import pynetdicom
import pytest
from pydicom.dataset import Dataset

from node import logs
from node.config import LogConfig
from node.core.errors import ConfigError

NAMES = ("Müller", "Hans", "PAT-4711", "19561224", "山田")


class Log(io.StringIO):
    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


Configured = Callable[..., Log]


@pytest.fixture
def configured() -> Iterator[Configured]:
    root = logging.getLogger()
    before = root.handlers[:], root.level, warnings.showwarning
    hooks = sys.excepthook, threading.excepthook

    def configure(**settings: str) -> Log:
        log = Log()
        logs.configure(
            LogConfig.model_validate({"format": "json"} | settings), role="worker", stream=log
        )
        return log

    yield configure
    root.handlers[:], root.level, warnings.showwarning = before
    sys.excepthook, threading.excepthook = hooks


def test_an_event_is_one_json_line_with_its_machine_name(configured: Configured) -> None:
    log = configured()
    logs.event("job.done", study="1.2.3", job=17)
    (line,) = log.lines()
    assert line["action"] == "job.done"
    assert (line["role"], line["level"]) == ("worker", "info")
    assert (line["study"], line["job"]) == ("1.2.3", 17)
    assert str(line["time"]).endswith("+00:00")


def test_for_human_eyes_it_is_one_line_too(configured: Configured) -> None:
    log = configured(format="human")
    logs.event("job.retried", job=17, reason="out of\nmemory")
    (line,) = log.getvalue().splitlines()
    assert line.endswith(r'job=17 reason="out of\nmemory"')
    assert "job.retried" in line


def test_without_a_terminal_auto_is_json(configured: Configured) -> None:
    log = configured(format="auto")
    logs.event("serve.started")
    assert log.lines()[0]["action"] == "serve.started"


def test_the_level_holds(configured: Configured) -> None:
    log = configured(level="warning")
    logs.event("quiet")
    logs.event("loud", level=logging.WARNING)
    assert [line["action"] for line in log.lines()] == ["loud"]


def test_a_plain_logging_call_of_ours_is_an_event(configured: Configured) -> None:
    log = configured()
    logging.getLogger("node.inbound.dimse.receiver").info(
        "", extra={"action": "received", "study": "1.2"}
    )
    assert log.lines()[0]["action"] == "received"
    assert log.lines()[0]["study"] == "1.2"


def test_our_own_error_says_its_reason(configured: Configured) -> None:
    log = configured()
    logs.event("serve.failed", level=logging.ERROR, error=ConfigError("receiver.prot: unknown key"))
    assert log.lines()[0]["error"] == "ConfigError"
    assert log.lines()[0]["reason"] == "receiver.prot: unknown key"


def test_a_foreign_error_says_its_type_and_place_but_not_its_words(configured: Configured) -> None:
    log = configured()
    try:
        raise ValueError("could not convert 'Müller^Hans'")
    except ValueError as error:
        logs.event("job.failed", level=logging.ERROR, error=error)
    (line,) = log.lines()
    assert line["error"] == "ValueError"
    assert str(line["where"]).startswith("test_logs.py:")
    assert "Müller" not in log.getvalue()


def a_patient() -> Dataset:
    dataset = Dataset()
    dataset.PatientName = "Müller^Hans=山田"
    dataset.PatientID = "PAT-4711"
    dataset.PatientBirthDate = "19561224"
    return dataset


def test_no_patient_stands_in_the_log_whatever_a_library_says(configured: Configured) -> None:
    log = configured(level="debug")
    patient = a_patient()
    for name in ("pynetdicom.events", "pynetdicom", "pydicom", "pydicom.valuerep"):
        library = logging.getLogger(name)
        library.debug("%s", patient)
        library.info(str(patient))
        library.warning("Invalid value for VR PN: %r", str(patient.PatientName))
        library.error(f"no such patient {patient.PatientID}")
        try:
            raise RuntimeError(str(patient))
        except RuntimeError:
            library.exception("handler failed for %s", patient.PatientID)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logs.configure(LogConfig(format="json", level="debug"), role="worker", stream=log)
        warnings.warn(
            f"Invalid value for VR DA: {patient.PatientBirthDate} of Müller", stacklevel=1
        )
        pydicom.DataElement(0x00100010, "DA", "Hans 19561224")
    sys.excepthook(KeyError, KeyError("PAT-4711"), None)
    threading.excepthook(
        threading.ExceptHookArgs(
            (ValueError, ValueError("Müller"), None, threading.current_thread())
        )
    )
    text = log.getvalue()
    assert [name for name in NAMES if name in text] == []
    actions = {line["action"] for line in log.lines()}
    assert actions == {"library.message", "library.warning", "process.crashed", "thread.crashed"}


def test_what_a_library_says_is_told_as_its_source_has_it_and_alarms_nobody(
    configured: Configured,
) -> None:
    log = configured()
    library, host = logging.getLogger("pynetdicom.transport"), "pacs.example"
    library.error(f"Association request failed: unable to connect to {host}")
    library.error(
        "Association request failed: unable to connect to %s",
        host,
    )
    library.warning(host)
    try:
        raise RuntimeError(host)
    except RuntimeError:
        library.exception("Exception raised while serving")
    lines = log.lines()
    said = "Association request failed: unable to connect to"
    assert [(line["level"], line.get("says")) for line in lines] == [
        ("info", f"{said} {{host}}"),
        ("info", f"{said} %s"),
        ("info", None),
        ("error", "Exception raised while serving"),
    ]
    assert host not in log.getvalue()


def test_pynetdicoms_own_debug_logger_is_silenced(configured: Configured) -> None:
    pynetdicom.debug_logger()
    log = configured(level="debug")
    logging.getLogger("pynetdicom.events").debug("%s", a_patient())
    logging.getLogger("pynetdicom.events").info("Müller")
    assert log.getvalue() == ""
