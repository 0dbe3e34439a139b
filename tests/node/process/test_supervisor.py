"""The supervisor, with real processes: what crashes comes back, and nothing outlives it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from node.core.errors import ConfigError
from node.process import life, orphans
from node.process.supervisor import EX_CONFIG, notify, port_is_free

SERVE = """
import sys
from pathlib import Path
from node.config import LogConfig
from node import logs
from node.process.supervisor import Supervisor
logs.configure(LogConfig(format="json"), role="supervisor")
here = Path(sys.argv[1])
def command(role):
    return [sys.executable, "-c", (here / (role + ".py")).read_text(), str(here), role]
sys.exit(Supervisor(
    directory=here, command=command, drain_s=float(sys.argv[2]), roles=sys.argv[3:],
    first_pause_s=0.01, shows_life=["watcher"], frozen_after_s=1.5,
).run())
"""
PREAMBLE = """
import os, signal, subprocess, sys, time
from pathlib import Path
here, role = Path(sys.argv[1]), sys.argv[2]
def note(word):
    with open(here / "notes", "a") as f:
        f.write(f"{role} {word} {os.getpid()}\\n")
"""
SLEEPS = PREAMBLE + "note('up')\ntime.sleep(120)\n"
POLITE = PREAMBLE + (
    "def stop(*_):\n    note('stopped')\n    sys.exit(0)\n"
    "signal.signal(signal.SIGTERM, stop)\nnote('up')\ntime.sleep(120)\n"
)
STUBBORN = PREAMBLE + (
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nnote('up')\ntime.sleep(120)\n"
)
CRASHES_ONCE = PREAMBLE + (
    "first = not (here / 'crashed').exists()\n(here / 'crashed').touch()\nnote('up')\n"
    "os.abort() if first else time.sleep(120)\n"
)
GIVES_UP = PREAMBLE + f"note('up')\nsys.exit({EX_CONFIG})\n"
HAS_GRANDCHILD = PREAMBLE + (
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(120)'],"
    " start_new_session=True)\n"
    "note(f'up {child.pid}')\ntime.sleep(120)\n"
)


def eventually(true: Callable[[], object], within_s: float = 60.0) -> None:
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "did not become true in time"
        time.sleep(0.01)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Served:
    """A supervisor under test, in a process of its own."""

    def __init__(self, here: Path, *, drain_s: float = 10, **scripts: str) -> None:
        self.here = here
        for role, script in scripts.items():
            (here / f"{role}.py").write_text(script)
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(here), str(drain_s), *scripts],
            start_new_session=True,
            stderr=subprocess.PIPE,
            text=True,
        )

    def notes(self) -> list[list[str]]:
        try:
            return [line.split() for line in (self.here / "notes").read_text().splitlines()]
        except FileNotFoundError:
            return []

    def pids(self) -> list[int]:
        return [int(word) for words in self.notes() for word in words[2:]]

    def wait_for(self, *words: str, times: int = 1) -> None:
        """Until so many notes begin with these words."""
        eventually(lambda: sum(tuple(n[: len(words)]) == words for n in self.notes()) >= times)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    started: list[Served] = []

    def start(**arguments: object) -> Served:
        started.append(Served(tmp_path, **arguments))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.communicate()
        eventually(lambda one=one: not any(lives(pid) for pid in one.pids()))


def test_sigterm_lets_the_children_finish(served: Callable[..., Served]) -> None:
    node = served(a=POLITE, b=POLITE)
    node.wait_for("a", "up")
    node.wait_for("b", "up")
    node.process.terminate()
    assert node.process.wait(20) == 0
    node.wait_for("a", "stopped")
    node.wait_for("b", "stopped")


def test_a_child_that_does_not_stop_is_killed_when_the_drain_time_is_over(
    served: Callable[..., Served],
) -> None:
    node = served(drain_s=0.2, a=STUBBORN)
    node.wait_for("a", "up")
    node.process.terminate()
    assert node.process.wait(20) == 0
    assert not any(lives(pid) for pid in node.pids())


def test_a_second_signal_does_not_wait(served: Callable[..., Served]) -> None:
    node = served(drain_s=100, a=STUBBORN, b=POLITE)
    node.wait_for("a", "up")
    node.wait_for("b", "up")
    node.process.terminate()
    node.wait_for("b", "stopped")
    node.process.send_signal(signal.SIGINT)
    assert node.process.wait(20) == 0


def test_a_crash_of_one_is_restarted_and_takes_nobody_along(served: Callable[..., Served]) -> None:
    node = served(a=CRASHES_ONCE, b=SLEEPS)
    node.wait_for("a", "up", times=2)
    node.wait_for("b", "up")
    assert [n[0] for n in node.notes()].count("b") == 1


def test_a_child_that_gives_up_ends_the_service_with_a_failure(
    served: Callable[..., Served],
) -> None:
    node = served(a=GIVES_UP, b=SLEEPS)
    assert node.process.wait(20) == 1
    assert [n[0] for n in node.notes()].count("a") == 1
    assert not any(lives(pid) for pid in node.pids())


def test_sighup_is_ignored(served: Callable[..., Served]) -> None:
    node = served(a=POLITE)
    node.wait_for("a", "up")
    node.process.send_signal(signal.SIGHUP)
    node.process.terminate()
    assert node.process.wait(20) == 0


def test_after_sigkill_of_the_supervisor_neither_child_nor_grandchild_lives(
    served: Callable[..., Served],
) -> None:
    node = served(a=HAS_GRANDCHILD, b=STUBBORN)
    node.wait_for("a", "up")
    node.wait_for("b", "up")
    pids = node.pids()
    assert len(pids) == 3
    assert all(lives(pid) for pid in pids)
    node.process.kill()
    eventually(lambda: not any(lives(pid) for pid in pids), within_s=5)


def test_one_node_serves_a_directory_and_the_second_names_the_first(
    served: Callable[..., Served], tmp_path: Path
) -> None:
    node = served(a=POLITE)
    node.wait_for("a", "up")
    with pytest.raises(ConfigError, match=f"served by process {node.process.pid} already"):
        orphans.lock_directory(tmp_path)


def test_the_directory_is_free_again_after_sigkill(
    served: Callable[..., Served], tmp_path: Path
) -> None:
    node = served(a=STUBBORN)
    node.wait_for("a", "up")
    node.process.kill()
    node.process.wait()
    lock = orphans.lock_directory(tmp_path)
    assert not any(lives(pid) for pid in node.pids())
    os.close(lock)


def test_an_orphan_kills_itself_when_its_parent_died_before_it_could_ask() -> None:
    script = "from node.process import orphans; orphans.die_with_parent(); print('alive')"
    environ = {**os.environ, orphans.PARENT: "1"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environ, capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert done.stdout == b""


def test_a_taken_port_is_seen_before_anything_is_started() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert not port_is_free("127.0.0.1", listening.getsockname()[1])


def test_an_address_of_another_machine_is_told() -> None:
    with pytest.raises(ConfigError, match=r"^192\.0\.2\.1 is no address of this machine"):
        port_is_free("192.0.2.1", 11112)


def test_systemd_is_told_when_it_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notify("READY=1")
        assert sock.recv(64) == b"READY=1"


def test_a_guard_that_somebody_kills_is_replaced_and_the_family_still_ends_with_the_supervisor(
    served: Callable[..., Served],
) -> None:
    node = served(a=HAS_GRANDCHILD)
    node.wait_for("a", "up")
    guard = guard_of(node.process.pid, node.pids())
    os.kill(guard, signal.SIGKILL)
    assert node.process.stderr is not None
    while "guard.lost" not in (line := node.process.stderr.readline()):
        assert line, "the loss of the guard was not told"
    assert guard_of(node.process.pid, node.pids()) not in (None, guard)
    node.process.kill()
    eventually(lambda: not any(lives(pid) for pid in node.pids()), within_s=5)


def guard_of(supervisor: int, others: list[int]) -> int | None:
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    found = [int(pid) for pid in children if int(pid) not in others and lives(int(pid))]
    return found[0] if found else None


def test_a_role_that_shows_no_life_is_killed_and_started_again(
    served: Callable[..., Served],
) -> None:
    shows = PREAMBLE + (
        "from node.process import life\nnote('up')\n"
        "for _ in range(4000):\n    life.show(here, role)\n    time.sleep(0.03)\n"
    )
    node = served(watcher=shows, b=SLEEPS)
    node.wait_for("watcher", "up")
    node.wait_for("b", "up")
    os.kill(node.pids()[[n[0] for n in node.notes()].index("watcher")], signal.SIGSTOP)
    node.wait_for("watcher", "up", times=2)
    assert [n[0] for n in node.notes()].count("b") == 1


def test_the_supervisor_shows_that_it_lives(served: Callable[..., Served], tmp_path: Path) -> None:
    node = served(a=SLEEPS)
    node.wait_for("a", "up")
    shown = life.file(tmp_path, "supervisor").read_text()
    assert shown.splitlines()[0] == str(node.process.pid)
