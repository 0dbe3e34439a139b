"""Which processes a node of this configuration has."""

from collections.abc import Mapping

from node.config import NodeConfig

SUPERVISOR = "supervisor"
"""No role: what starts them."""
WITHOUT: Mapping[str, str] = {
    "receiver": "no object is taken in",
    "worker": "no study is analysed",
    "deliverer": "no result is sent",
    "scheduler": "no study is judged complete",
    "puller": "no source is asked",
    "watcher": "nobody is told of what is wrong",
    "web": "neither DICOMweb nor the page is served",
    SUPERVISOR: "no process that ends is started again",
}
"""Of every role, what is so without it."""


ROLES = tuple(role for role in WITHOUT if role != SUPERVISOR)


def roles_of(config: NodeConfig) -> tuple[str, ...]:
    """The roles that `serve` starts, in this order."""
    wanted = {"web": config.web.enabled, "puller": bool(config.sources)}
    return tuple(role for role in ROLES if wanted.get(role, True))
