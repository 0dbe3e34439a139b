"""Real DICOM peers on loopback: dcmtk's tools and Orthanc, as context managers.

Everything is started on a free port, stopped by its own pid, and has TCP_NODELAY=1 in its
environment: dcmtk's sockets otherwise stall 40 ms an image on loopback.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from pydicom import Dataset, dcmread

from tests.required import require_binary, unavailable
from tests.sealed import carry_all

_PLUGINS = Path("/usr/share/orthanc/plugins")
_ROOT = Path(__file__).resolve().parents[1]


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def listens(port: int) -> bool:
    """Whether somebody accepts connections on the port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 20.0) -> None:
    """Returns once the condition holds; the test fails, naming `what`, if it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"gave up after {timeout_s} s: {what}")
        time.sleep(0.02)


@contextmanager
def running(command: Sequence[str], *, log: Path, **options: Any) -> Iterator[subprocess.Popen]:
    """The process runs within the block and is stopped, by its pid, at the end."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TCP_NODELAY": "1"},
            **options,
        )
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen) -> None:
    """Terminate, then kill; returns when the process is gone."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


@dataclass
class StoreScp:
    """dcmtk's storescp and the folder that it fills."""

    port: int
    ae_title: str
    directory: Path
    process: subprocess.Popen

    def files(self) -> list[Path]:
        """What has arrived, oldest first."""
        return sorted(self.directory.iterdir(), key=lambda path: path.stat().st_mtime_ns)

    def received(self) -> list[Dataset]:
        """What has arrived, oldest first, read."""
        return [dcmread(path) for path in self.files()]


@contextmanager
def storescp(
    tmp_path: Path,
    *,
    port: int | None = None,
    ae_title: str = "STORESCP",
    options: Sequence[str] = (),
    accepts: Mapping[str, Sequence[str]] | None = None,
) -> Iterator[StoreScp]:
    """dcmtk's storescp.

    options : further options, such as "+xa" (every transfer syntax) or "--refuse"
    accepts : SOP class UID -> transfer syntax UIDs; everything else is rejected as a context
    """
    program = require_binary("storescp", "dcmtk")
    port = port or free_port()
    directory = tmp_path / f"storescp-{port}"
    directory.mkdir(exist_ok=True)
    command = [program, "-od", directory, "-aet", ae_title, *options]
    if accepts is not None:
        profile = tmp_path / f"storescp-{port}.cfg"
        profile.write_text(_profile(accepts))
        command += ["-xf", profile, "Only"]
    log = tmp_path / f"storescp-{port}.log"
    with running([*command, str(port)], log=log) as process:
        wait_until(lambda: process.poll() is not None or listens(port), "storescp listens")
        assert process.poll() is None, log.read_text()
        yield StoreScp(port=port, ae_title=ae_title, directory=directory, process=process)


def _profile(accepts: Mapping[str, Sequence[str]]) -> str:
    lines = ["[[TransferSyntaxes]]"]
    for n, syntaxes in enumerate(accepts.values(), 1):
        lines.append(f"[Syntaxes{n}]")
        lines += [f"TransferSyntax{k} = {uid}" for k, uid in enumerate(syntaxes, 1)]
    lines += ["[[PresentationContexts]]", "[Contexts]"]
    for n, sop_class in enumerate(accepts, 1):
        lines.append(f"PresentationContext{n} = {sop_class}\\Syntaxes{n}")
    lines += ["[[Profiles]]", "[Only]", "PresentationContexts = Contexts"]
    return "\n".join(lines) + "\n"


def storescu(
    port: int,
    files: Sequence[Path],
    *,
    called: str = "M3NODE",
    calling: str = "STORESCU",
    options: Sequence[str] = ("-R",),
    timeout_s: float = 120.0,
) -> subprocess.CompletedProcess[str]:
    """Send the files with dcmtk's storescu; stdout and stderr stand in `.stdout`.

    options : "-R" proposes what the files need; "-xs", "-xv", "-xr", ... for compressed ones
    """
    program = require_binary("storescu", "dcmtk")
    named = ["-aet", calling, "-aec", called, "127.0.0.1", str(port)]
    return _run([program, "-v", *options, *named, *files], timeout_s)


def echoscu(
    port: int,
    *,
    called: str = "M3NODE",
    calling: str = "ECHOSCU",
    options: Sequence[str] = (),
) -> subprocess.CompletedProcess[str]:
    """A C-ECHO by dcmtk's echoscu."""
    program = require_binary("echoscu", "dcmtk")
    named = ["-aet", calling, "-aec", called, "127.0.0.1", str(port)]
    return _run([program, "-v", *options, *named], 30)


def dcmtk(tool: str, *arguments: str | Path) -> None:
    """Run one of dcmtk's file tools, such as dcmcjpeg, and require that it succeeds."""
    result = _run([require_binary(tool, "dcmtk"), *arguments], 60)
    assert result.returncode == 0, result.stdout


def _run(command: Sequence[str | Path], timeout_s: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=timeout_s,
        env={**os.environ, "TCP_NODELAY": "1"},
        check=False,
    )


@dataclass
class Orthanc:
    """Orthanc with DICOM and DICOMweb, reachable on loopback only."""

    dicom_port: int
    http_port: int
    ae_title: str
    process: subprocess.Popen
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Base of its REST API."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def dicomweb_url(self) -> str:
        """Base of its DICOMweb service."""
        return f"{self.url}/dicom-web"

    def get(self, path: str) -> Any:
        """A JSON resource of the REST API, such as "/instances"."""
        with urlopen(Request(self.url + path, headers=dict(self.headers)), timeout=10) as answer:
            return json.load(answer)

    def add(self, dataset: Dataset) -> None:
        """It holds the object, given over its REST API."""
        buffer = BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
        wanted = Request(
            f"{self.url}/instances", data=buffer.getvalue(), headers=dict(self.headers)
        )
        with urlopen(wanted, timeout=30) as answer:
            assert json.load(answer)["Status"] == "Success"

    def clear(self) -> None:
        """It holds nothing."""
        for patient in self.get("/patients"):
            wanted = Request(f"{self.url}/patients/{patient}", headers=dict(self.headers))
            wanted.method = "DELETE"
            with urlopen(wanted, timeout=10):
                pass

    def sop_instance_uids(self) -> set[str]:
        """The SOP Instance UIDs of everything that it really holds."""
        instances = self.get("/instances?expand")
        return {instance["MainDicomTags"]["SOPInstanceUID"] for instance in instances}

    def stored(self, sop_instance_uid: str) -> Dataset:
        """One instance, as it lies there."""
        (found,) = (
            each["ID"]
            for each in self.get("/instances?expand")
            if each["MainDicomTags"]["SOPInstanceUID"] == sop_instance_uid
        )
        with urlopen(f"{self.url}/instances/{found}/file", timeout=10) as answer:
            return dcmread(BytesIO(answer.read()))

    def tags(self, sop_instance_uid: str) -> dict[str, Any]:
        """One instance's attributes by keyword."""
        for instance in self.get("/instances?expand"):
            if instance["MainDicomTags"]["SOPInstanceUID"] == sop_instance_uid:
                tags: dict[str, Any] = self.get(f"/instances/{instance['ID']}/simplified-tags")
                return tags
        raise AssertionError(f"Orthanc does not hold {sop_instance_uid}")


@contextmanager
def orthanc(
    tmp_path: Path,
    *,
    ae_title: str = "ORTHANC",
    settings: Mapping[str, Any] | None = None,
    web_viewer: bool = False,
    reaches: Sequence[int] = (),
) -> Iterator[Orthanc]:
    """Orthanc in a network namespace of its own; `settings` go over its configuration.

    reaches    : ports on loopback that it can call under the same numbers
    web_viewer : with Orthanc's own viewer, beside the Explorer that it always has
    """
    program = require_binary("Orthanc", "orthanc")
    unshare = require_binary("unshare", "util-linux")
    plugins = [_plugin("libOrthancDicomWeb.so", "orthanc-dicomweb")]
    if web_viewer:
        plugins.append(_plugin("libOrthancWebViewer.so", "orthanc-webviewer"))
    home = tmp_path / "orthanc"
    home.mkdir()
    config = {
        "Name": "test",
        "StorageDirectory": str(home / "storage"),
        "IndexDirectory": str(home / "index"),
        "DicomAet": ae_title,
        "DicomPort": 4242,
        "HttpPort": 8042,
        "RemoteAccessAllowed": True,
        "AuthenticationEnabled": False,
        "DicomAlwaysAllowStore": True,
        "Plugins": plugins,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    } | dict(settings or {})
    (home / "orthanc.json").write_text(json.dumps(config))
    with ExitStack() as stack:
        outside = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        fds = [each.fileno() for each in outside]
        command = [unshare, "-rn", sys.executable, "-m", "tests.sealed"]
        command += [f"{fds[0]}:4242", f"{fds[1]}:8042"]
        for port in reaches:
            way_out = stack.enter_context(socket.socket(socket.AF_UNIX))
            way_out.bind(str(home / f"to-{port}"))
            way_out.listen()
            stack.callback(way_out.shutdown, socket.SHUT_RDWR)
            carry_all(way_out, port)
            command.append(f"{port}={home / f'to-{port}'}")
        command += ["--", program, home / "orthanc.json"]
        log = home / "log"
        process = stack.enter_context(running(command, log=log, pass_fds=fds, cwd=_ROOT))
        dicom_port, http_port = (each.getsockname()[1] for each in outside)
        peer = Orthanc(
            dicom_port=dicom_port, http_port=http_port, ae_title=ae_title, process=process
        )
        wait_until(lambda: process.poll() is not None or _answers(peer), "Orthanc answers", 60)
        if process.poll() is not None and "unshare" in log.read_text():
            unavailable("no network namespace for Orthanc: unshare -rn is not permitted here")
        assert process.poll() is None, log.read_text()
        yield peer


def _plugin(library: str, package: str) -> str:
    found = _PLUGINS / library
    if not found.exists():
        unavailable(f"Orthanc lacks {library}: apt-get install {package}")
    return str(found)


def _answers(peer: Orthanc) -> bool:
    try:
        with urlopen(f"{peer.url}/system", timeout=2):
            return True
    except OSError as error:
        return getattr(error, "code", None) == 401  # it is up, and wants a password
