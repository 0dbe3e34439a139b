"""The signs for many who ask: the page, its live updates, /healthz, /metrics."""

from collections.abc import Callable
from datetime import datetime

from node.config import NodeConfig
from node.persistence.store import Store
from node.watch.moment import moment
from node.watch.one_look import WITHIN_S, OneLook
from node.watch.sign import Sign
from node.watch.signs import signs, unreachable


class Lookout:
    """Any number of threads ask; one looks, and nobody waits for long."""

    def __init__(
        self,
        config: NodeConfig,
        store: Store,
        *,
        clock: Callable[[], datetime],
        within_s: float = WITHIN_S,
    ) -> None:
        self._look = OneLook(lambda: signs(config, store, now=moment(clock())), within_s=within_s)

    def signs(self) -> tuple[Sign, ...]:
        """Everything that is wrong, the worst first, as it was a moment ago."""
        try:
            return self._look.seen()
        except TimeoutError:
            return self._late

    async def signs_soon(self) -> tuple[Sign, ...]:
        """The same for whoever waits in an event loop, and so keeps no thread waiting."""
        try:
            return await self._look.seen_soon()
        except TimeoutError:
            return self._late

    @property
    def _late(self) -> tuple[Sign, ...]:
        late = f"disk or database have not answered within {self._look.within_s:g} s"
        return (unreachable(late),)
