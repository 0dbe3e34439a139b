"""`m3node serve` with its real processes: what cannot work ends at once, with one clear line."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from node.calling.association import echo
from node.config import DimseDestination
from node.core.errors import DestinationNotReady
from node.persistence.store import Store
from node.process.reloading import Outcome, ask_to_reload
from node.process.supervisor import EX_CONFIG
from tests.node.cli.conftest import PATIENT
from tests.peers import wait_until

WEB = {"M3NODE_WEB__ENABLED": "false"}
"""Other tests' nodes may hold its port; tests/node/web has its own."""


def serve(
    config_file: Path, port: int, *, cwd: Path | None = None, **environ: str
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "node", "serve", "--config", str(config_file)],
        cwd=cwd,
        env={**os.environ, "M3NODE_RECEIVER__PORT": str(port), **WEB, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def actions(log: str) -> list[str]:
    return [json.loads(line)["action"] for line in log.splitlines() if line.startswith("{")]


def test_a_taken_port_is_one_clear_error_and_nothing_is_started(config_file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = serve(config_file, port)
        _, log = process.communicate(timeout=60)
    assert process.returncode == 1
    assert log == (
        f"error: port {port} on 127.0.0.1 is taken; stop what listens there, "
        "or choose another receiver.port\n"
    )


def test_a_damaged_database_is_one_clear_error_and_nothing_is_started(
    config_file: Path, store: Store
) -> None:
    store.close()
    (config_file.parent / "data" / "m3node.sqlite").write_bytes(b"no database" * 1000)
    process = serve(config_file, free_port())
    _, log = process.communicate(timeout=60)
    assert process.returncode == 1
    assert log == (
        f"error: the database sqlite:///{config_file.parent}/data/m3node.sqlite is damaged (file "
        "is not a database): stop the node; then restore the last backup (m3node restore), or make "
        "the database again from the stored objects (m3node rebuild)\n"
    )


def test_a_process_whose_database_is_deleted_ends_and_is_not_started_again(
    config_file: Path, store: Store
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "node", "_run", "scheduler", "--config", str(config_file)],
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(
        lambda: store.find_study(PATIENT["AccessionNumber"]).waiting_for is not None,
        "the scheduler looks",
        60,
    )
    (config_file.parent / "data" / "m3node.sqlite").unlink()
    _, log = process.communicate(timeout=60)
    assert process.returncode == EX_CONFIG
    last = json.loads(log.splitlines()[-1])
    assert last["action"] == "process.cannot_run"
    assert "was deleted or replaced while it was in use" in log


def takes_over(config_file: Path, port: int, environ: dict[str, str]) -> None:
    """The node is told what has changed, and what only a restart changes it refuses as a whole."""
    as_it_was = config_file.read_text()

    def told(text: str) -> str:
        config_file.write_text(text)
        verb = [sys.executable, "-m", "node", "reload", "--config", str(config_file)]
        done = subprocess.run(verb, env=environ, capture_output=True, text=True, check=False)
        return f"{done.returncode} {(done.stdout + done.stderr).splitlines()[-1]}"

    def admitted(ae_title: str) -> bool:
        called = DimseDestination(
            name="own", host="127.0.0.1", port=port, ae_title="M3NODE", calling_ae_title=ae_title
        )
        try:
            echo(called)
        except DestinationNotReady:
            return False
        return True

    assert told(as_it_was + "[log]\nlevel = 7\n").startswith("1 error: ")
    assert admitted("CT2")
    listed = '[receiver]\nallowed_calling_ae_titles = ["CT1"]\n'
    new = as_it_was.replace("[receiver]\n", listed) + "[log]\nlevel = 'debug'\n"
    assert told(new) == "0 taken over: receiver.allowed_calling_ae_titles, log.level"
    wait_until(lambda: not admitted("CT2"), "the new allow-list is in force", 10)
    assert admitted("CT1")
    config_file.write_text(new.replace(listed, "[receiver]\nmax_associations = 3\n"))
    directory = config_file.parent / "data"
    assert ask_to_reload(directory) == Outcome(
        taken=False,
        says="nothing has been changed: only a restart of `m3node serve` changes "
        "receiver.max_associations",
    )
    assert not admitted("CT2")


@pytest.mark.acceptance
def test_missing_weights_end_the_service_instead_of_restarting_for_ever(
    config_file: Path,
) -> None:
    process = serve(config_file, free_port(), M3NODE_MODEL__WEIGHTS="absent.safetensors")
    _, log = process.communicate(timeout=120)
    assert process.returncode == 1
    assert actions(log).count("process.gave_up") == 1
    assert "process.ended" not in actions(log)
    assert "absent.safetensors" in log


@pytest.mark.acceptance
def test_it_serves_from_next_to_nothing_answers_and_drains(
    config_file: Path, tmp_path: Path
) -> None:
    port = free_port()
    planted = tmp_path / "planted"
    planted.mkdir()
    for name in ("click", "sqlalchemy", "node"):
        (planted / f"{name}.py").write_text("open('executed', 'w'); raise SystemExit(9)")
    process = serve(config_file, port, cwd=planted, M3NODE_DATABASE_ULR="secret")
    try:
        assert process.stderr is not None
        log = ""
        while "serve.ready" not in log:
            line = process.stderr.readline()
            assert line, log
            log += line
        (slip,) = [said for said in map(json.loads, log.splitlines()) if "variable" in said]
        assert (slip["action"], slip["level"]) == ("config.variable_sets_nothing", "warning")
        assert (slip["variable"], slip["did_you_mean"]) == (
            "M3NODE_DATABASE_ULR",
            "M3NODE_DATABASE__URL",
        )
        assert "secret" not in log
        environ = {**os.environ, **WEB, "M3NODE_RECEIVER__PORT": str(port)}
        health = [sys.executable, "-m", "node", "health", "--config", str(config_file)]
        end = time.monotonic() + 60
        while subprocess.run(health, env=environ, capture_output=True, check=False).returncode:
            assert time.monotonic() < end, "no answer to a C-ECHO"
        assert (tmp_path / "data" / "m3node.sqlite").exists()
        second = serve(config_file, free_port())
        _, said = second.communicate(timeout=60)
        assert second.returncode == 1
        assert f"is served by process {process.pid} already" in said
        takes_over(config_file, port, environ)
        assert not (planted / "executed").exists(), "what lies in the current directory is not run"
        process.send_signal(signal.SIGTERM)
        told = time.monotonic()
        _, rest = process.communicate(timeout=60)
        assert time.monotonic() - told < 5, "an idle node ends within 2 s; here others compute too"
        assert process.returncode == 0
        assert actions(rest)[-1] == "serve.stopped"
    finally:
        process.kill()
        process.wait()
