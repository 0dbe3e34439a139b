"""One look for many who ask at the same time: bounded, and not more often than is of use."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

FRESH_S = 1.0
"""A look is good for so long."""
WITHIN_S = 3.0
"""What has not answered by then does not answer."""
T = TypeVar("T")


class OneLook(Generic[T]):
    """Any number of threads ask; one looks."""

    def __init__(self, look: Callable[[], T], *, within_s: float = WITHIN_S) -> None:
        self._look = look
        self.within_s = within_s
        self._lock = threading.Lock()
        self._looking: Future[T] | None = None
        self._began_s = 0.0

    def seen(self) -> T:
        """What was seen a moment ago.  Raises TimeoutError, and what the look raises."""
        return self._begun().result(self.within_s)

    async def seen_soon(self) -> T:
        """The same for whoever waits in an event loop, and so keeps no thread waiting."""
        return await asyncio.wait_for(asyncio.wrap_future(self._begun()), self.within_s)

    def _begun(self) -> Future[T]:
        """The look of a moment ago, or one that begins now."""
        with self._lock:
            looking = self._looking
            is_fresh = time.monotonic() - self._began_s < FRESH_S
            if looking is None or (looking.done() and not is_fresh):
                self._began_s = time.monotonic()
                looking = self._looking = Future()
                looking.set_running_or_notify_cancel()  # whoever stops waiting ends it for nobody
                threading.Thread(
                    target=self._fill, args=(looking,), name="look", daemon=True
                ).start()
        return looking

    def _fill(self, looking: Future[T]) -> None:
        try:
            looking.set_result(self._look())
        except Exception as error:
            # Whoever asked gets it.
            looking.set_exception(error)
