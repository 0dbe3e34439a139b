"""Who is connected: counted before anything is read, so that nobody shuts out everybody else.

A connection that has not asked for an association yet is a request.  An honest one is over in
milliseconds; so where an address, or all of them together, have too many open, the oldest gives
way to the newest.  Associations are counted by `admission`.
"""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from node.dicom.limits import MOST_REQUESTS, MOST_REQUESTS_OF_ONE


@dataclass(eq=False, slots=True)
class Connected:
    """One connection.

    is_secured : whether what is said over it is within TLS
    associated : once it has been let in
    """

    connection: socket.socket
    peer: str
    is_secured: bool
    associated: bool = False
    thread: threading.Thread | None = field(default=None, repr=False)

    def cut_off(self, *, last: bytes = b"") -> None:
        """Its thread reads its end, and its peer reads `last`; within TLS, the end alone."""
        with suppress(OSError):
            if last and not self.is_secured:
                self.connection.send(last, socket.MSG_DONTWAIT)
            self.connection.shutdown(socket.SHUT_RDWR)


class Connections:
    """Those that are open, in the order in which they came."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[Connected, None] = {}

    def add(self, connected: Connected) -> Connected | None:
        """It is counted; returns the request that has to give way for it, if one has."""
        with self._lock:
            requests = [each for each in self._open if not each.associated]
            of_it = [each for each in requests if each.peer == connected.peer]
            self._open[connected] = None
        if len(of_it) >= MOST_REQUESTS_OF_ONE:
            return of_it[0]
        return requests[0] if len(requests) >= MOST_REQUESTS else None

    def associate(self, connected: Connected, refused: Callable[[int, int], bool]) -> None:
        """It is let in, unless `refused` says otherwise.

        refused : told how many others are in, and how many of them are of the same address
        """
        with self._lock:
            others = [each for each in self._open if each.associated]
            of_it = [each for each in others if each.peer == connected.peer]
            connected.associated = not refused(len(others), len(of_it))

    def remove(self, connected: Connected) -> None:
        """It is over."""
        with self._lock:
            self._open.pop(connected, None)

    def associated(self) -> int:
        """How many have been let in and are still there."""
        with self._lock:
            return sum(each.associated for each in self._open)

    def all(self) -> list[Connected]:
        """Every one that is open."""
        with self._lock:
            return list(self._open)
