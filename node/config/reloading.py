"""What of a changed configuration a running node can take over, and what only a restart changes.

The receiver goes on, with new allow-lists: nobody who sends is to notice.  Every other process is
started anew with the new file when it has finished what it holds.  So what they share with the
receiver, the place of the data above all, must be as it was.
"""

from typing import Any

from node.config.sections import NodeConfig

ALLOW_LISTS = ("allowed_calling_ae_titles", "allowed_peers")
"""Of [receiver], what a running receiver takes over."""
_FIXED = frozenset({"storage", "database", "serve"})
"""Sections that all processes have to agree on, the receiver and the supervisor included."""
_FIXED_KEYS = frozenset({"watch.frozen_after_s"})


def changed(before: NodeConfig, after: NodeConfig) -> list[str]:
    """The keys that differ: "destinations", "log.level"."""
    found: list[str] = []
    for name in NodeConfig.model_fields:
        was, now = _plain(getattr(before, name)), _plain(getattr(after, name))
        if was == now:
            continue
        if isinstance(was, dict) and isinstance(now, dict):
            found += [f"{name}.{key}" for key in now if was.get(key) != now[key]]
        else:
            found.append(name)
    return found


def needs_restart(keys: list[str]) -> list[str]:
    """Those of the keys that a running node cannot take over."""
    return [key for key in keys if _is_fixed(key)]


def _is_fixed(key: str) -> bool:
    section, _, name = key.partition(".")
    if section == "receiver":
        return name not in ALLOW_LISTS
    return section in _FIXED or key in _FIXED_KEYS


def _plain(section: Any) -> Any:
    return section.model_dump() if hasattr(section, "model_dump") else section
