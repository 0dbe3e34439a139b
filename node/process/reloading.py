"""How a running node is told to take over its configuration, and how it says what came of it.

SIGHUP has no answer; so the supervisor leaves one in the storage directory.
"""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from node.core.errors import ConfigError
from node.process.orphans import holder_of

_FILE = "m3node.reloaded"
_TAKEN, _REFUSED = "taken over", "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a reload; `says` in a sentence."""

    taken: bool
    says: str


def leave_outcome(directory: Path, outcome: Outcome) -> None:
    """Whoever asked for the reload finds it."""
    part = directory / f"{_FILE}.part"
    part.write_text(f"{_TAKEN if outcome.taken else _REFUSED}\n{outcome.says}\n", encoding="utf-8")
    part.replace(directory / _FILE)


def ask_to_reload(directory: Path, *, within_s: float = 60.0) -> Outcome:
    """The node that serves the directory has reread its configuration, or says why not.

    Raises ConfigError if none serves it, or this user may not signal it.
    """
    pid = holder_of(directory)
    if pid is None:
        raise ConfigError(f"no node serves {directory}; `m3node serve` starts one")
    before = _written_at(directory)
    try:
        os.kill(pid, signal.SIGHUP)
    except PermissionError:
        raise ConfigError(
            f"process {pid} is another user's; ask as the user that runs the node"
        ) from None
    end = time.monotonic() + within_s
    while _written_at(directory) == before:
        if time.monotonic() >= end:
            raise ConfigError(f"process {pid} has not answered within {within_s:g} s; see its log")
        time.sleep(0.05)
    kind, _, said = (directory / _FILE).read_text(encoding="utf-8").partition("\n")
    return Outcome(taken=kind == _TAKEN, says=said.strip())


def _written_at(directory: Path) -> int | None:
    try:
        return (directory / _FILE).stat().st_mtime_ns
    except FileNotFoundError:
        return None
