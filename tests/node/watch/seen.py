"""What a look sees of a node that is well, for tests that change one thing."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from node.config import NodeConfig
from node.persistence.watching import PulseRow, Watched
from node.watch.moment import Moment
from node.watch.sign import Sign
from node.watch.signs import signs_in
from tests.node.persistence.filling import NOON, at

BOOT = "boot-1"
NOW = Moment(at=NOON, boot=BOOT, tick=1000.0)
ROLES = ("receiver", "worker", "deliverer", "scheduler", "watcher", "web")


def config(**sections: Any) -> NodeConfig:
    """With one destination, and what is given."""
    pacs = {"name": "pacs", "kind": "dimse", "host": "h", "port": 104, "ae_title": "PACS"}
    return NodeConfig.model_validate({"destinations": [pacs], **sections}, context=Path("/"))


def pulse(role: str, **changed: Any) -> PulseRow:
    """Of a process that said five seconds ago that it runs, and moved then."""
    return replace(
        PulseRow(
            host="host-a",
            role=role,
            owner=f"host-a:{100 + ROLES.index(role)}:77",
            boot=BOOT,
            started_at=at(-7200),
            at=at(-5),
            tick=995.0,
            moved_tick=995.0,
            doing=None,
        ),
        **changed,
    )


def well(**changed: Any) -> Watched:
    """Everything as it should be, but for what is changed; `pulses` by role."""
    pulses = {role: pulse(role) for role in ROLES} | changed.pop("pulses", {})
    seen = Watched(
        pulses=[each for each in pulses.values() if each is not None],
        queues=[],
        dead=[],
        ct_from={},
        unread=0,
        unread_since=None,
        judged_late=0,
        judge_due_since=None,
    )
    return replace(seen, **changed)


def found(seen: Watched, now: Moment = NOW, **sections: Any) -> list[Sign]:
    """The signs in it."""
    return list(signs_in(seen, config(**sections), now=now))
