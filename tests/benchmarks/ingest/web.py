"""The web server's process as `serve` runs it, on SQLite, with a disk of its own.

python -m tests.benchmarks.ingest.web PORT FOLDER
"""

import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from node import app
from node.config import NodeConfig
from node.inbound.senders import Senders
from node.persistence.rows import NOBODY
from node.persistence.spool import Spool
from node.watch.look import Lookout
from node.web import server
from node.web.application import application
from node.web.services import Services
from tests.integration.queueing import open_node


def main() -> None:
    """Serve until SIGTERM."""
    port, folder = int(sys.argv[1]), Path(sys.argv[2])
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=stop.set).start())
    store, _, intake = open_node(folder)
    receiver = {"max_associations": 64, "max_associations_of_one_peer": 64}
    config = NodeConfig.model_validate({"web": {"port": port}, "receiver": receiver})
    services = Services(
        config=config,
        store=store,
        spool=Spool(folder / "spool"),
        intake=intake,
        senders=Senders(store, lambda: datetime.now(UTC)),
        clock=lambda: datetime.now(UTC),
        lookout=Lookout(config, store, clock=lambda: datetime.now(UTC)),
        analysis_id=lambda: "model-1",
        outbox=NOBODY,
        echo=lambda _: None,
        stopping=stop,
    )
    sys.setswitchinterval(app._SWITCH_S)
    server.run(
        config.web,
        application(services),
        stop,
        silence_s=60,
        drain_s=1,
        meanwhile=services.senders.look_after,
    )


if __name__ == "__main__":
    main()
