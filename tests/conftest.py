"""Fixtures that more than one folder of tests uses."""

import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest

from tests import lidc
from tests.new_databases import COPIES

pytest_plugins = ["tests.shown"]

_LOGGERS = ("", "node", "m3net", "sr_templates", "pynetdicom", "pydicom")


@pytest.fixture(autouse=True)
def process_as_it_was() -> Iterator[None]:
    """What a command sets for its whole process ends with the test that calls it in this one."""
    os.umask(umask := os.umask(0))
    root = logging.getLogger()
    handlers, levels = root.handlers[:], {n: logging.getLogger(n).level for n in _LOGGERS}
    hooks = warnings.showwarning, sys.excepthook, threading.excepthook
    yield
    os.umask(umask)
    root.handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    warnings.showwarning, sys.excepthook, threading.excepthook = hooks


@pytest.fixture
def migrates() -> Iterator[None]:
    """A new database goes through every migration, as a hospital's does."""
    with COPIES.off():
        yield


@pytest.fixture(scope="session")
def lidc_0001() -> lidc.LidcStudy:
    """A real chest CT with one nodule of four readers."""
    return lidc.study("LIDC-IDRI-0001")


@pytest.fixture(scope="session")
def lidc_0003() -> lidc.LidcStudy:
    """A real chest CT with four nodules."""
    return lidc.study("LIDC-IDRI-0003")
