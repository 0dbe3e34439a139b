"""Runs a server without a network of its own, reachable through inherited loopback sockets only.

    unshare -rn python -m tests.sealed FD:PORT [FD:PORT ...] [PORT=PATH ...] -- COMMAND ...

Orthanc 1.10 ignores HttpBindAddresses and listens on every address.  Here it listens in an empty
network namespace; each FD is a socket that already listens on 127.0.0.1 outside, and what it
accepts is carried to PORT inside.  What the server is to reach is carried the other way: from PORT
inside to the Unix socket at PATH.  The server dies with this process and this one with it.
"""

import ctypes
import fcntl
import signal
import socket
import struct
import subprocess
import sys
import threading
from contextlib import suppress

_PR_SET_PDEATHSIG = 1
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1


def main(arguments: list[str]) -> int:
    split = arguments.index("--")
    _bring_loopback_up()
    server = subprocess.Popen(arguments[split + 1 :], preexec_fn=_die_with_parent)
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    for pair in arguments[:split]:
        if "=" in pair:
            port, path = pair.split("=", 1)
            carry_all(socket.create_server(("127.0.0.1", int(port))), path)
        else:
            fd, port = pair.split(":")
            carry_all(socket.socket(fileno=int(fd)), int(port))
    return server.wait()


def carry_all(listening: socket.socket, to: int | str) -> None:
    """From now on what is accepted is carried to that port on loopback, or to that Unix socket."""
    threading.Thread(target=_serve, args=(listening, to), daemon=True).start()


def _serve(listening: socket.socket, to: int | str) -> None:
    while True:
        try:
            client, _ = listening.accept()
        except OSError:
            return  # it was closed
        try:
            target = _connected(to)
        except OSError:
            client.close()  # the server is not up yet
            continue
        threading.Thread(target=_carry_both, args=(client, target), daemon=True).start()


def _connected(to: int | str) -> socket.socket:
    if isinstance(to, int):
        return socket.create_connection(("127.0.0.1", to))
    made = socket.socket(socket.AF_UNIX)
    made.connect(to)
    return made


def _carry_both(client: socket.socket, target: socket.socket) -> None:
    with client, target:
        for end in (client, target):
            if end.family == socket.AF_INET:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = threading.Thread(target=_carry, args=(target, client), daemon=True)
        back.start()
        _carry(client, target)
        back.join()


def _carry(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _bring_loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP))


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    _die_with_parent()
    sys.exit(main(sys.argv[1:]))
