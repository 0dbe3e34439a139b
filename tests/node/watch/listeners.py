"""Whoever is told, on a port of loopback: a web server, and a mail server as small as can be."""

import json
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Heard:
    """What came.

    answer : the status that is answered with; 0: none ever is
    """

    port: int = 0
    answer: int = 200
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def told(self) -> list[tuple[str, str, str]]:
        """Event, name and subject of each."""
        return [(each["event"], each["name"], each["subject"]) for each in self.bodies]


@contextmanager
def webhook() -> Iterator[Heard]:
    heard = Heard()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if heard.answer == 0:
                heard.over.wait(30)
                return
            if heard.answer == 200:
                heard.bodies.append(json.loads(body))
                heard.headers.append(dict(self.headers))
            self.send_response(heard.answer)
            if heard.answer == 302:
                self.send_header("Location", f"http://127.0.0.1:{heard.port}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    heard.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield heard
    finally:
        heard.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Mailed:
    """What a mail server took.

    drips : it answers with a line that never ends, a byte now and then
    """

    port: int = 0
    lines: list[str] = field(default_factory=list)
    mails: list[str] = field(default_factory=list)
    drips: bool = False
    over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def mail_server(context: ssl.SSLContext | None = None) -> Iterator[Mailed]:
    """RFC 5321 as far as a client of ours goes; STARTTLS where a context is given."""
    mailed = Mailed()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            connection = self.request
            if mailed.drips:
                while not mailed.over.wait(0.02):
                    try:
                        connection.sendall(b"2")
                    except OSError:
                        return
                return
            connection.sendall(b"220 test ESMTP\r\n")
            reader = connection.makefile("rb")
            for raw in iter(reader.readline, b""):
                line = raw.decode().strip()
                mailed.lines.append(line)
                match line.split()[0].upper():
                    case "EHLO":
                        offers = b"250-test\r\n"
                        if context is not None:
                            offers += b"250-STARTTLS\r\n"
                        connection.sendall(offers + b"250 8BITMIME\r\n")
                    case "STARTTLS":
                        assert context is not None
                        connection.sendall(b"220 go\r\n")
                        with (
                            context.wrap_socket(connection, server_side=True) as inner,
                            inner.makefile("rb") as within,
                        ):
                            for raw in iter(within.readline, b""):
                                if self._command(inner, within, raw.decode().strip()):
                                    return
                        return
                    case _:
                        if self._command(connection, reader, line):
                            return

        def _command(self, connection: Any, reader: Any, line: str) -> bool:
            mailed.lines.append(line)
            match line.split()[0].upper():
                case "EHLO":
                    connection.sendall(b"250-test\r\n250 AUTH PLAIN\r\n")
                case "AUTH":
                    connection.sendall(b"235 ok\r\n")
                case "DATA":
                    connection.sendall(b"354 go\r\n")
                    data = []
                    for raw in iter(reader.readline, b".\r\n"):
                        data.append(raw.decode())
                    mailed.mails.append("".join(data))
                    connection.sendall(b"250 taken\r\n")
                case "QUIT":
                    connection.sendall(b"221 bye\r\n")
                    return True
                case _:
                    connection.sendall(b"250 ok\r\n")
            return False

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that leaves is no error of the test."""

    server = Server(("127.0.0.1", 0), Handler)
    mailed.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield mailed
    finally:
        mailed.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
