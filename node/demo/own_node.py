"""A node of the demo's own: configured, started, fed over C-STORE, and stopped again."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import UID, ImplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association

from node.demo.study import DemoFailed

_TITLE, _PACS = "M3NODE", "DEMO_PACS"
_VERIFICATION = UID("1.2.840.10008.1.1")
_MAX_CONTEXTS = 128
_PR_SET_PDEATHSIG = 1
_START_S, _STOP_S = 120.0, 40.0

_CONFIG = """\
# Made by `m3node demo`; everything else has its default.
[receiver]
ae_title = "{title}"
host = "127.0.0.1"
port = {port}

[web]
enabled = {page}
port = {web_port}

[study]
quiet_period_s = 3.0
max_wait_s = 10.0
look_every_s = 0.5

[storage]
directory = "data"
min_free_gb = 0.1

[[destinations]]
name = "demo"
kind = "dimse"
host = "127.0.0.1"
port = {pacs_port}
ae_title = "{pacs}"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnNode:
    """A running node.

    web_port : of its page
    log      : what its processes write
    """

    port: int
    web_port: int
    log: Path
    process: subprocess.Popen[bytes]

    def require_alive(self) -> None:
        """Raises DemoFailed, with the end of the log, if the node has ended."""
        if self.process.poll() is not None:
            raise DemoFailed(
                f"the node ended with status {self.process.returncode}; {self.log} ends with\n"
                + "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])
            )


@contextmanager
def own_node(directory: Path, *, pacs_port: int, page: bool) -> Iterator[OwnNode]:
    """A node runs within the block, delivers to `pacs_port`, and is gone after it.

    page : whether its page is served
    """
    directory.mkdir(parents=True, exist_ok=True)
    config, log = directory / "node.toml", directory / "serve.log"
    port, web_port = _free_port(), _free_port()
    config.write_text(
        _CONFIG.format(
            title=_TITLE,
            port=port,
            web_port=web_port,
            page="true" if page else "false",
            pacs_port=pacs_port,
            pacs=_PACS,
        )
    )
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "node", "serve", "--config", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # What the user's shell sets for a real node must not reach this one.
            env=_clean(os.environ),
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
    node = OwnNode(port=port, web_port=web_port, log=log, process=process)
    try:
        _wait_for_echo(node)
        yield node
    finally:
        _stop(process)


def _clean(environment: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in environment.items() if not key.startswith("M3NODE_")}


def _wait_for_echo(node: OwnNode) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        node.require_alive()
        if _listens(node.port):
            association = _client({_VERIFICATION: {ImplicitVRLittleEndian}}).associate(
                "127.0.0.1", node.port, ae_title=_TITLE
            )
            if association.is_established:
                status = association.send_c_echo()
                association.release()
                if status and status.Status == 0x0000:
                    return
        time.sleep(0.2)
    raise DemoFailed(f"the node did not answer within {_START_S:.0f} s; see {node.log}")


def _end_with_parent() -> None:
    """If the demo is killed, the kernel asks its node to stop."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


def send(files: Sequence[Path], port: int, on_sent: Callable[[], None]) -> None:
    """The files are stored on the node, over one association, in the syntax that they have.

    Raises DemoFailed if one is not taken.
    """
    wanted: dict[str, set[str]] = {}
    for path in files:
        meta = dcmread(path, specific_tags=["SOPClassUID"], stop_before_pixels=True)
        wanted.setdefault(str(meta.SOPClassUID), set()).add(str(meta.file_meta.TransferSyntaxUID))
    if sum(len(syntaxes) for syntaxes in wanted.values()) > _MAX_CONTEXTS:
        raise DemoFailed("more kinds of objects than one association can carry; send fewer")
    association = _client(wanted).associate("127.0.0.1", port, ae_title=_TITLE)
    if not association.is_established:
        raise DemoFailed("the node did not take the association")
    try:
        for path in files:
            _store(association, path)
            on_sent()
    finally:
        association.release()


def _store(association: Association, path: Path) -> None:
    try:
        status = association.send_c_store(dcmread(path))
    except ValueError as error:
        raise DemoFailed(f"{path.name} cannot be sent: {error}") from None
    if not status or status.Status != 0x0000:
        answer = f"status {status.Status:04X}" if status else "no answer"
        raise DemoFailed(f"the node did not store {path.name}: {answer}")


def _client(wanted: Mapping[str, set[str]]) -> AE:
    ae = AE(ae_title="DEMO_CT")
    for sop_class, syntaxes in wanted.items():
        for syntax in sorted(syntaxes):
            ae.add_requested_context(sop_class, syntax)
    return ae


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
