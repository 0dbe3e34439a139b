"""The receiver's process as `serve` runs it, on SQLite, with a disk of its own.

python -m tests.benchmarks.ingest.node PORT FOLDER
"""

import signal
import sys
import threading
from pathlib import Path

from node import app
from node.config import ReceiverConfig
from node.inbound.dimse.receiver import Receiver
from tests.integration.queueing import open_node


def main() -> None:
    """Serve until SIGTERM."""
    port, folder = int(sys.argv[1]), Path(sys.argv[2])
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=stop.set).start())
    store, _, intake = open_node(folder)
    sys.setswitchinterval(app._SWITCH_S)
    config = ReceiverConfig(port=port, max_associations=64)
    Receiver(config, intake, store).run(stop, drain_s=1)


if __name__ == "__main__":
    main()
