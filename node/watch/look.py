"""One look at the signs for many who ask: bounded in time, and not more often than is of use."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime

from node.config import NodeConfig
from node.persistence.store import Store
from node.watch.moment import moment
from node.watch.sign import Sign
from node.watch.signs import signs, unreachable

FRESH_S = 1.0
"""A look is good for so long."""
WITHIN_S = 3.0
"""A database or a disk that has not answered by then does not answer."""


class Lookout:
    """Any number of threads ask; one looks."""

    def __init__(
        self,
        config: NodeConfig,
        store: Store,
        *,
        clock: Callable[[], datetime],
        within_s: float = WITHIN_S,
    ) -> None:
        self._config = config
        self._store = store
        self._clock = clock
        self._within_s = within_s
        self._lock = threading.Lock()
        self._looking: Future[tuple[Sign, ...]] | None = None
        self._began_s = 0.0

    def signs(self) -> tuple[Sign, ...]:
        """Everything that is wrong, the worst first, as it was a moment ago."""
        with self._lock:
            looking = self._looking
            is_fresh = time.monotonic() - self._began_s < FRESH_S
            if looking is None or (looking.done() and not is_fresh):
                self._began_s = time.monotonic()
                looking = self._looking = Future()
                threading.Thread(
                    target=self._look, args=(looking,), name="lookout", daemon=True
                ).start()
        try:
            return looking.result(self._within_s)
        except TimeoutError:
            return (unreachable(f"disk or database have not answered within {self._within_s:g} s"),)

    def _look(self, looking: Future[tuple[Sign, ...]]) -> None:
        try:
            looking.set_result(signs(self._config, self._store, now=moment(self._clock())))
        except BaseException as error:
            looking.set_exception(error)
            raise
