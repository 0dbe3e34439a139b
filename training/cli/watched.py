"""How far long work is: a bar where a terminal watches, else a line now and then in the log."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress

EVERY_S = 30.0
"""Between two lines of a log."""


class Watched:
    """So many equal pieces of work, on stderr.

    what    : "nodules", as the line names them
    total   : how many there are; None: `begin` will say
    console : where it is shown; stderr by default
    clock   : seconds that only grow
    """

    def __init__(
        self,
        what: str,
        *,
        total: int | None = None,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what, self._total, self._clock = what, total, clock
        self._console = console or Console(stderr=True)
        self._done, self._said_s = 0, clock()
        on_terminal = self._console.is_terminal
        self._bar = Progress(console=self._console, disable=not on_terminal, transient=True)
        self._task = self._bar.add_task(what, total=total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()
        if kind is None:
            self._say()

    def begin(self, total: int) -> None:
        """So many there are."""
        self._total = total
        self._bar.update(self._task, total=total)

    def advance(self) -> None:
        """One more is done."""
        self._done += 1
        self._bar.advance(self._task)
        if not self._console.is_terminal and self._clock() - self._said_s >= EVERY_S:
            self._said_s = self._clock()
            self._say()

    def _say(self) -> None:
        total = "" if self._total is None else f" of {self._total}"
        self._console.print(f"{self._what}: {self._done}{total}", highlight=False)
