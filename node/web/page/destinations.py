"""Where results go: when something last arrived there, what waits, what is dead."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from node.config import DestinationConfig
from node.core.states import State
from node.persistence.destination_lists import DestinationRow
from node.web.access.person import Person
from node.web.page.acting import Acts, Button
from node.web.services import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownDestination:
    """One destination, configured or not any more.

    where : its address as it is configured, without what a log must not hold
    """

    name: str
    kind: str
    where: str
    configured: bool
    last_success: datetime | None
    waiting: int
    oldest: datetime | None
    dead: int
    error: str
    acts: Sequence[Button]

    @property
    def state(self) -> tuple[str, str]:
        """In a word, and which shape and colour stand for it."""
        if self.error:
            return "does not take them", "bad"
        if self.dead:
            return "dead deliveries", "bad"
        if not self.configured:
            return "not configured", "over"
        if self.waiting:
            return "under way", "busy"
        return ("takes them", "good") if self.last_success else ("nothing sent yet", "over")


def destinations(services: Services, person: Person) -> Mapping[str, Any]:
    """What the page of the destinations shows."""
    known = {row.name: row for row in services.store.destination_rows()}
    configured = {each.name: each for each in services.config.destinations}
    names = [*configured, *(name for name in known if name not in configured)]
    acts = Acts(services, person)
    return {"rows": [_shown(name, configured.get(name), known.get(name), acts) for name in names]}


def _shown(
    name: str, config: DestinationConfig | None, row: DestinationRow | None, acts: Acts
) -> ShownDestination:
    counts = row.counts if row else {}
    return ShownDestination(
        name=name,
        kind=config.kind if config else "",
        where=_where(config) if config else "",
        configured=config is not None,
        last_success=row.last_success_at if row else None,
        waiting=counts.get(State.QUEUED, 0) + counts.get(State.RUNNING, 0),
        oldest=row.oldest_waiting_at if row else None,
        dead=counts.get(State.DEAD, 0),
        error=(row.error if row else None) or "",
        acts=acts.of_destination(name, dead=counts.get(State.DEAD, 0)) if config else (),
    )


def _where(config: DestinationConfig) -> str:
    if config.kind == "dimse":
        return f"{config.ae_title} at {config.host}:{config.port}"
    if config.kind == "hl7":
        return f"{config.host}:{config.port}"
    split = urlsplit(str(config.url))  # what stands before the host may be a secret
    port = "" if split.port is None else f":{split.port}"
    return f"{split.scheme}://{split.hostname}{port}{split.path}"
