"""Skips a test that lacks a program, naming its Debian package; CI forbids such skips."""

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import pytest


def require_binary(name: str, package: str) -> Path:
    """The program's path; else the test is skipped, or fails under TESTS_FORBID_SKIPS=1.

    Not of this Python's environment: pynetdicom puts programs named like dcmtk's there.
    """
    folders = [*os.environ.get("PATH", "").split(os.pathsep), "/usr/sbin", "/sbin"]
    ours = Path(sys.executable).parent
    path = os.pathsep.join(folder for folder in folders if Path(folder) != ours)
    found = shutil.which(name, path=path)
    if found is None:
        unavailable(f"{name} is not installed: apt-get install {package}")
    return Path(found)


def unavailable(reason: str) -> NoReturn:
    """Skip, or fail where skips are forbidden; `reason` says what to install."""
    if os.environ.get("TESTS_FORBID_SKIPS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
