"""Runs a server without a network of its own, reachable through inherited loopback sockets only.

    unshare -rn python -m tests.sealed FD:PORT [FD:PORT ...] -- COMMAND ...

Orthanc 1.10 ignores HttpBindAddresses and listens on every address.  Here it listens in an empty
network namespace; each FD is a socket that already listens on 127.0.0.1 outside, and what it
accepts is carried to PORT inside.  The server dies with this process and this one with it.
"""

import ctypes
import fcntl
import signal
import socket
import struct
import subprocess
import sys
import threading

_PR_SET_PDEATHSIG = 1
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1


def main(arguments: list[str]) -> int:
    split = arguments.index("--")
    _bring_loopback_up()
    server = subprocess.Popen(arguments[split + 1 :], preexec_fn=_die_with_parent)
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    for pair in arguments[:split]:
        fd, port = (int(n) for n in pair.split(":"))
        outside = socket.socket(fileno=fd)
        threading.Thread(target=_serve, args=(outside, port), daemon=True).start()
    return server.wait()


def _serve(outside: socket.socket, port: int) -> None:
    while True:
        client, _ = outside.accept()
        try:
            inside = socket.create_connection(("127.0.0.1", port))
        except OSError:
            client.close()  # the server is not up yet
            continue
        for source, target in ((client, inside), (inside, client)):
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_carry, args=(source, target), daemon=True).start()


def _carry(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, target):
            end.close()


def _bring_loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP))


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    _die_with_parent()
    sys.exit(main(sys.argv[1:]))
