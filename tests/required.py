"""Skips a test that lacks a program, naming its Debian package; CI forbids such skips."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest


def require_binary(name: str, package: str) -> Path:
    """The program's path; else the test is skipped, or fails under M3NODE_FORBID_SKIPS=1."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None:
        unavailable(f"{name} is not installed: apt-get install {package}")
    return Path(found)


def unavailable(reason: str) -> NoReturn:
    """Skip, or fail where skips are forbidden; `reason` says what to install."""
    if os.environ.get("M3NODE_FORBID_SKIPS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
