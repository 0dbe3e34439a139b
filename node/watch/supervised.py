"""The supervisor's pulse: it keeps no database open, so what it changes on disk stands for it."""

import socket
from datetime import datetime
from pathlib import Path

from node.persistence.process_identity import process_named
from node.persistence.watching import PulseRow
from node.watch.moment import Moment
from node.watch.roles import SUPERVISOR


class SupervisorsPulse:
    """What its file says of it, by how it changes and not by any clock."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._last: str | None = None
        self._started_at: datetime | None = None

    def row(self, now: Moment) -> PulseRow | None:
        """That it has said that it runs; None if it has not since the last look."""
        try:
            shown = self._file.read_text()
            pid = int(shown.partition("\n")[0])
        except (OSError, ValueError):
            return None
        before, self._last = self._last, shown
        if before is None or before == shown:
            return None
        self._started_at = self._started_at or now.at
        return PulseRow(
            host=socket.gethostname(),
            role=SUPERVISOR,
            owner=process_named(pid),
            boot=now.boot,
            started_at=self._started_at,
            at=now.at,
            tick=now.tick,
            moved_tick=now.tick,
            doing=None,
        )
