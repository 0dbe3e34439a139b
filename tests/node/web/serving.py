"""The web server as it runs in a node, on a port of its own, in this process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from node.app import outbox_of
from node.config import NodeConfig
from node.inbound.intake import Intake
from node.inbound.senders import Senders
from node.persistence.spool import Spool
from node.persistence.store import open_store
from node.watch.look import Lookout
from node.web import server
from node.web.application import application
from node.web.services import Services
from tests.peers import free_port, listens, wait_until


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A server and the parts of the node behind it."""

    services: Services
    port: int

    @property
    def url(self) -> str:
        """Where DICOMweb is."""
        return f"http://127.0.0.1:{self.port}/dicom-web"

    def get(self, path: str, **options: Any) -> requests.Response:
        """What is answered to a GET of the path, from the root of the server."""
        return requests.get(f"http://127.0.0.1:{self.port}{path}", timeout=30, **options)


@contextmanager
def serving(
    directory: Path,
    *,
    store: Any = None,
    min_free_bytes: int = 0,
    patience_s: float | None = None,
    drain_s: float = 5.0,
    stop: threading.Event | None = None,
    **sections: Any,
) -> Iterator[Served]:
    """Served within the block from a new store.

    patience_s : how long the store waits for a database that is locked
    stop       : ends it, as the end of the block does
    sections : of the configuration, as in node.toml
    """
    sections["storage"] = {"directory": directory, "min_free_gb": min_free_bytes / 1e9}
    sections["web"] = {"port": free_port(), **sections.get("web", {})}
    config = NodeConfig.model_validate(sections)
    port = config.web.port
    store = store or open_store(f"sqlite:///{directory / 'node.sqlite'}", patience_s=patience_s)
    spool = Spool(directory / "spool")

    stop = stop or threading.Event()

    def clock() -> datetime:
        return datetime.now(UTC)

    intake = Intake(
        spool=spool,
        store=store,
        min_free_bytes=min_free_bytes,
        clock=clock,
        config=config.receiver,
    )
    services = Services(
        config=config,
        store=store,
        spool=spool,
        intake=intake,
        senders=Senders(store, clock),
        clock=clock,
        lookout=Lookout(config, store, clock=clock),
        analysis_id=lambda: "model-1",
        outbox=outbox_of(config),
        echo=lambda _: None,
        stopping=stop,
    )
    thread = threading.Thread(
        target=server.run,
        args=(config.web, application(services), stop),
        kwargs={
            "silence_s": config.receiver.network_timeout_s,
            "drain_s": drain_s,
            "meanwhile": services.senders.look_after,
        },
        name="web",
    )
    thread.start()
    try:
        wait_until(lambda: listens(port), "the web server listens")
        yield Served(services=services, port=port)
    finally:
        stop.set()
        thread.join(30)
        store.close()
        assert not thread.is_alive(), "the web server did not end"
