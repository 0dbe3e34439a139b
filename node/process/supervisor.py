"""`m3node serve`: receiver, worker, deliverer, scheduler, puller, web: processes of one group.

A slow GPU never slows a C-STORE, and a crash of one takes nobody along: it is started again after
a pause that grows from 1 to 30 s.  A child that exits with EX_CONFIG says that trying again is
useless (a taken port, a missing model): then all stop and the exit status is 1.  SIGTERM and
SIGINT let the children finish what they hold for `drain_s`; a second one does not wait.  At SIGHUP
the configuration is read again (`node.config.reloading`): the receiver is told, the others are
started anew as soon as they have finished what they hold.
"""

import errno
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from logging import ERROR, WARNING
from pathlib import Path
from types import FrameType

from node.core.errors import ConfigError
from node.logs import event
from node.process import life, orphans
from node.process.reloading import Outcome, leave_outcome
from node.watch.roles import SUPERVISOR

EX_CONFIG = 78
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
_SETTLED_S = 60.0
_TICK_S = 0.5
_SHOW_LIFE_EVERY_S = 5.0


@dataclass(slots=True, kw_only=True)
class _Child:
    role: str
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    start_at_s: float = 0.0
    pause_s: float = _FIRST_PAUSE_S
    alive: life.Life | None = None
    kill_at_s: float | None = None
    """It is to end, and be started anew; by then at the latest."""


@dataclass(slots=True, kw_only=True)
class Supervisor:
    """Starts the roles, restarts what crashes, ends them together.

    command      : role -> argument vector of its process
    before_start : called with the lock held, before the first process; may raise ConfigError
    shows_life   : roles that show on disk that they go on (`life`); one that does not for
                   `frozen_after_s` is killed and started again: nobody else would tell of it
    reread       : reads the configuration again, and returns which keys have changed; may raise
                   ConfigError, and then nothing has
    told         : roles that take over what has changed by themselves, at SIGHUP
    is_up        : whether the node answers; asked until it says so, then it is reported ready
    """

    directory: Path
    command: Callable[[str], Sequence[str]]
    drain_s: float
    roles: Sequence[str]
    before_start: Callable[[], None] = lambda: None
    is_up: Callable[[], bool] = lambda: True
    reread: Callable[[], Sequence[str]] = tuple
    told: Collection[str] = ()
    first_pause_s: float = _FIRST_PAUSE_S
    shows_life: Collection[str] = ()
    frozen_after_s: float = 90.0
    _guard: orphans.Guard = field(init=False)
    _show_life_at_s: float = 0.0
    _children: list[_Child] = field(default_factory=list)
    _signals: list[int] = field(default_factory=list)
    _failed: bool = False
    _hung_up: bool = False

    def run(self) -> int:
        """Serve until told to stop; returns the exit status.

        Raises ConfigError if another node serves the directory.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        lock = orphans.lock_directory(self.directory)
        mark = f"{os.getpid()}-{time.time_ns()}"
        self._guard = orphans.Guard(mark, keep=(lock,))
        wake, wake_end = _wakeup_pipe()
        before = {number: signal.signal(number, self._on_signal) for number in _HANDLED}
        try:
            self.before_start()
            event("serve.started", directory=str(self.directory))
            self._children = [_Child(role=role, pause_s=self.first_pause_s) for role in self.roles]
            self._loop(mark, wake)
            self._drain(wake)
        finally:
            orphans.kill_marked(mark)
            for child in self._children:
                if child.process is not None:
                    child.process.wait()
            self._guard.end()
            os.close(lock)
            signal.set_wakeup_fd(-1)
            os.close(wake)
            os.close(wake_end)
            for number, handler in before.items():
                signal.signal(number, handler)
        event("serve.stopped", failed=self._failed)
        return 1 if self._failed else 0

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del frame
        if number == signal.SIGHUP:
            self._hung_up = True
        elif number != signal.SIGCHLD:
            self._signals.append(number)

    def _loop(self, mark: str, wake: int) -> None:
        ready = False
        while not self._signals and not self._failed:
            now_s = time.monotonic()
            if self._guard.renewed():
                event("guard.lost", level=ERROR, new_pid=self._guard.pid)
            if now_s >= self._show_life_at_s:
                life.show(self.directory, SUPERVISOR)
                notify("WATCHDOG=1")
                self._show_life_at_s = now_s + _SHOW_LIFE_EVERY_S
            if self._hung_up:
                self._hung_up = False
                self._reload(now_s)
            for child in self._children:
                if child.process is None:
                    if now_s >= child.start_at_s:
                        self._start(child, mark)
                elif (status := child.process.poll()) is not None:
                    self._ended(child, status)
                elif child.alive is not None and child.alive.silent_s(now_s) > self.frozen_after_s:
                    event("process.frozen", level=ERROR, process=child.role)
                    child.process.kill()
                elif child.kill_at_s is not None and now_s >= child.kill_at_s:
                    child.process.kill()
            if not ready and self.is_up():
                ready = True
                event("serve.ready")
                notify("READY=1")
            _sleep(wake, 0.1 if not ready else _TICK_S)

    def _reload(self, now_s: float) -> None:
        """The changed configuration is taken over, or nothing is and the log says why."""
        try:
            keys = self.reread()
        except ConfigError as error:
            event("reload.refused", level=ERROR, error=error)
            outcome = Outcome(taken=False, says=f"nothing has been changed: {error}")
        else:
            event("reload.taken", keys=list(keys))
            for child in self._children if keys else ():
                if child.process is None:
                    continue  # it will be started with the new one
                if child.role in self.told:
                    child.process.send_signal(signal.SIGHUP)
                else:
                    child.process.terminate()
                    child.kill_at_s = now_s + self.drain_s
            says = f"taken over: {', '.join(keys)}" if keys else "nothing has changed"
            outcome = Outcome(taken=True, says=says)
        leave_outcome(self.directory, outcome)

    def _start(self, child: _Child, mark: str) -> None:
        child.process = subprocess.Popen(
            self.command(child.role),
            # Idle threads of the network sleep: spinning, they would slow the receiver beside them.
            env={"OMP_WAIT_POLICY": "PASSIVE", **orphans.environment(mark)},
            stdin=subprocess.DEVNULL,
        )
        child.started_s = time.monotonic()
        if child.role in self.shows_life:
            child.alive = life.Life(life.file(self.directory, child.role))
        event("process.started", process=child.role, started_pid=child.process.pid)

    def _ended(self, child: _Child, status: int) -> None:
        now_s = time.monotonic()
        lived_s = now_s - child.started_s
        child.process = None
        if child.kill_at_s is not None and status != EX_CONFIG:
            child.kill_at_s, child.start_at_s = None, now_s
            return
        if status == EX_CONFIG:
            event("process.gave_up", level=ERROR, process=child.role, lived_s=lived_s)
            self._failed = True
            return
        if lived_s >= _SETTLED_S:
            child.pause_s = self.first_pause_s
        event(
            "process.ended",
            level=WARNING,
            process=child.role,
            status=status,
            lived_s=lived_s,
            restart_in_s=child.pause_s,
        )
        child.start_at_s = now_s + child.pause_s
        child.pause_s = min(2 * child.pause_s, _LONGEST_PAUSE_S)

    def _drain(self, wake: int) -> None:
        """Let the children finish; whoever is not done after `drain_s` is killed."""
        event("serve.draining", within_s=self.drain_s)
        notify("STOPPING=1")
        running = [c.process for c in self._children if c.process is not None]
        for process in running:
            process.terminate()
        told = len(self._signals)
        end = time.monotonic() + self.drain_s
        while any(p.poll() is None for p in running) and len(self._signals) == told:
            if time.monotonic() >= end:
                event("serve.drain_cut", level=WARNING)
                break
            _sleep(wake, 0.1)
        for process in running:
            if process.poll() is None:
                process.kill()


_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGHUP)


def _wakeup_pipe() -> tuple[int, int]:
    wake, wake_end = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(wake_end, False)
    signal.set_wakeup_fd(wake_end, warn_on_full_buffer=False)
    return wake, wake_end


def _sleep(wake: int, seconds: float) -> None:
    """Sleep, or until a signal comes."""
    readable, _, _ = select.select([wake], [], [], seconds)
    if readable:
        os.read(wake, 512)


def notify(state: str) -> None:
    """Tell systemd, if it asked to be told (sd_notify)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(state.encode(), address)


def port_is_free(host: str, port: int) -> bool:
    """Whether nobody listens there; raises ConfigError if the address is not this machine's."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        kind, _, _, _, address = found[0]
        with socket.socket(kind, socket.SOCK_STREAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(address)
    except PermissionError:
        raise ConfigError(f"port {port} needs a privilege; choose one above 1023") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return False
        raise ConfigError(f"{host} is no address of this machine ({error.strerror})") from None
    return True
