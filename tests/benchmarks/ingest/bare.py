"""The least that a receiver in Python can do: PDUs into a buffer, fragments into a synced file.

One thread an association; the association is accepted by the node's own code, whatever it asks for;
no check, no row, no name.  What the node reaches of its rate is what its promises leave of it.

    python -m tests.benchmarks.ingest.bare PORT FOLDER
"""

import os
import socket
import struct
import sys
import threading
from pathlib import Path

from node.inbound.dimse import upper_layer
from node.inbound.dimse.commands import C_STORE_RQ, Command, response
from node.inbound.dimse.messages import as_pdus
from node.inbound.dimse.upper_layer import Answered

_HEADER = struct.Struct(">BxL")


def main() -> None:
    """Serve until killed."""
    port, folder = int(sys.argv[1]), Path(sys.argv[2])
    server = socket.create_server(("127.0.0.1", port))
    while True:
        connection, _ = server.accept()
        threading.Thread(target=_serve, args=(connection, folder), daemon=True).start()


def _serve(connection: socket.socket, folder: Path) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    buffer = memoryview(bytearray(1 << 18))
    request = upper_layer.decode_request(_pdu(connection, buffer)[1])
    answers = [
        Answered(context_id=each.context_id, result=0, transfer_syntax=each.transfer_syntaxes[0])
        for each in request.contexts
    ]
    connection.sendall(upper_layer.accept(request, answers, maximum_length=131072))
    number, file = 0, -1
    while True:
        kind, body = _pdu(connection, buffer)
        if kind != 4:
            connection.sendall(upper_layer.release_response())
            connection.close()
            return
        at, chunks = 0, []
        while at < len(body):
            length, context_id, control = struct.unpack_from(">LBB", body, at)
            if control & 1:
                message_id = _message_id(bytes(body[at + 6 : at + 4 + length]))
            else:
                chunks.append(body[at + 6 : at + 4 + length])
            at += 4 + length
            done = control == 2
        if chunks:
            if file < 0:
                name = folder / f"{threading.get_ident()}-{number}"
                file = os.open(name, os.O_CREAT | os.O_WRONLY)
            os.writev(file, chunks)
            if done:
                os.fsync(file)
                os.close(file)
                file, number = -1, number + 1
                command = Command(
                    context_id=context_id,
                    field=C_STORE_RQ,
                    message_id=message_id,
                    has_data_set=True,
                    sop_class=b"",
                    sop_instance=b"",
                )
                answer = response(command, 0)
                connection.sendall(as_pdus(answer, context_id=context_id, maximum=0))


def _message_id(command: bytes) -> int:
    at = command.index(b"\0\0\x10\1\2\0\0\0")
    return int(struct.unpack_from("<H", command, at + 8)[0])


def _pdu(connection: socket.socket, buffer: memoryview) -> tuple[int, memoryview]:
    if connection.recv_into(buffer[:6], 6, socket.MSG_WAITALL) < 6:
        sys.exit()
    kind, length = _HEADER.unpack_from(buffer)
    connection.recv_into(buffer[6:], length, socket.MSG_WAITALL)
    return kind, buffer[6 : 6 + length]


if __name__ == "__main__":
    main()
