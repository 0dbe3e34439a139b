"""The machine: room on the disk, the processes, the versions that results rest on."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import Any

from node import __version__
from node.config import StorageConfig
from node.core.states import State
from node.persistence.watching import PulseRow
from node.watch.moment import moment
from node.web.services import Services
from sr_templates.version import TEMPLATE_VERSION

_PARTS = ("torch", "pydicom", "pynetdicom", "highdicom", "numpy", "SQLAlchemy", "starlette")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownProcess:
    """One process of the node; what is wrong with it stands at the top of the page.

    heard : how long ago it last said that it runs
    """

    role: str
    owner: str
    started_at: datetime
    heard: str
    doing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownDisk:
    """The disk of what is received, in bytes; below `limit` nothing is taken in."""

    total: int
    free: int
    limit: float
    used_percent: float
    limit_percent: float


def system(services: Services) -> Mapping[str, Any]:
    """What the page of the system shows."""
    counts = services.store.counts()
    return {
        "disk": _disk(services.config.storage),
        "processes": _processes(services),
        "versions": {
            "m3node": __version__,
            "Report template": TEMPLATE_VERSION,
            "Python": python_version(),
            **{name: _version(name) for name in _PARTS},
        },
        "counts": [
            (title, {state.value: counts[table].get(state, 0) for state in State})
            for title, table in (("Analyses", "job"), ("Deliveries", "delivery"))
        ],
        "states": [state.value for state in State],
    }


def _disk(config: StorageConfig) -> ShownDisk | None:
    """None if it cannot be looked at."""
    try:
        disk = shutil.disk_usage(config.directory)
    except OSError:
        return None
    limit = config.min_free_gb * 1e9
    return ShownDisk(
        total=disk.total,
        free=disk.free,
        limit=limit,
        used_percent=round(100 * (disk.total - disk.free) / disk.total, 1),
        limit_percent=round(100 * (1 - min(1.0, limit / disk.total)), 1),
    )


def _processes(services: Services) -> Sequence[ShownProcess]:
    now = moment(services.clock())

    def heard(pulse: PulseRow) -> str:
        age_s = now.age_s(boot=pulse.boot, tick=pulse.tick, at=pulse.at)
        return f"{max(0.0, age_s):.0f} s ago"

    return [
        ShownProcess(
            role=each.role,
            owner=each.owner.rpartition(":")[0],
            started_at=each.started_at,
            heard=heard(each),
            doing=each.doing or "waits",
        )
        for each in services.store.pulses()
    ]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
