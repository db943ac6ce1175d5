"""
The console of the benchmarks: an RFB 3.8 server without security that sends as many bytes as it is asked for.

After ServerInit it reads eight bytes, a count, big-endian, and sends that many bytes; then it waits for the next count.
One process, one thread a connection: blocking sockets cost the least. Prints its port.
"""

from __future__ import annotations

import socket
import struct
import threading

CHUNK = b"\x5a" * 65536
SERVER_INIT = struct.pack(">HH16sI", 640, 480, bytes.fromhex("20180001 00ff00ff00ff100800000000".replace(" ", "")), 5)


def exactly(connection: socket.socket, count: int) -> bytes:
    """
    Read C{count} bytes, or raise L{ConnectionError}.
    """
    data = connection.recv(count, socket.MSG_WAITALL)
    if len(data) < count:
        raise ConnectionError("it hung up")
    return data


def serve(connection: socket.socket) -> None:
    """
    One viewer.
    """
    with connection:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(b"RFB 003.008\n")
            exactly(connection, 12)
            connection.sendall(b"\1\1")
            exactly(connection, 1)
            connection.sendall(bytes(4))
            exactly(connection, 1)
            connection.sendall(SERVER_INIT + b"bench")
            while True:
                (left,) = struct.unpack(">Q", exactly(connection, 8))
                while left:
                    part = CHUNK[: min(left, len(CHUNK))]
                    connection.sendall(part)
                    left -= len(part)
        except OSError:
            pass


def main() -> None:
    """
    Serve until killed.
    """
    threading.stack_size(256 * 1024)
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
