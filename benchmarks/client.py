"""
The viewer of the benchmarks: a WebSocket client that costs as little as a client in Python can.

It speaks just enough: the opening handshake, one frame a message out, frame headers skipped on the way in. What it
receives in bulk it does not look at.
"""

from __future__ import annotations

import base64
import os
import socket
import struct
import sys
import time

MASK = b"\0\0\0\0"


class Viewer:
    """
    One session.
    """

    def __init__(self, port: int, token: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        self._payload = b""
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET /websockify?token={token} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: binary\r\n\r\n".encode()
        )
        head = self._until(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101"):
            raise ConnectionError(head.decode("latin-1"))

    def _until(self, marker: bytes) -> bytes:
        while marker not in self._buffer:
            self._more()
        head, _, self._buffer = self._buffer.partition(marker)
        return head

    def _more(self) -> None:
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError("it hung up")
        self._buffer += data

    def send(self, data: bytes) -> None:
        """
        One masked binary frame of fewer than 126 bytes; the mask is zero, which costs a server no less.
        """
        self._socket.sendall(bytes((0x82, 0x80 | len(data))) + MASK + data)

    def _frame(self) -> bytes:
        """
        The payload of the next frame, which is a short one.
        """
        while len(self._buffer) < 2 or len(self._buffer) < 2 + self._buffer[1]:
            self._more()
        length = self._buffer[1]
        payload, self._buffer = self._buffer[2 : 2 + length], self._buffer[2 + length :]
        return payload

    def read(self, count: int) -> bytes:
        """
        Exactly C{count} bytes from short frames.
        """
        while len(self._payload) < count:
            self._payload += self._frame()
        data, self._payload = self._payload[:count], self._payload[count:]
        return data

    def open(self) -> None:
        """
        The RFB handshake, up to and with ServerInit.
        """
        self.read(12)
        self.send(b"RFB 003.008\n")
        self.read(2)
        self.send(b"\1")
        self.read(4)
        self.send(b"\1")
        name = struct.unpack(">I", self.read(24)[20:])[0]
        self.read(name)

    def ask(self, count: int) -> None:
        """
        Ask the target for C{count} bytes.
        """
        self.send(struct.pack(">Q", count))

    def take(self, count: int) -> int:
        """
        Receive at least C{count} bytes, headers included.
        """
        got = len(self._buffer)
        self._buffer = b""
        space = bytearray(1 << 20)
        while got < count:
            new = self._socket.recv_into(space)
            if not new:
                raise ConnectionError("it hung up")
            got += new
        return got

    def close(self) -> None:
        """
        Hang up in good order.
        """
        self._socket.sendall(bytes((0x88, 0x82)) + MASK + struct.pack(">H", 1000))
        self._socket.close()


def setUps(port: int, tokens: list[str], rounds: int) -> None:
    """
    Open and close one session after another.
    """
    for number in range(rounds):
        viewer = Viewer(port, tokens[number % len(tokens)])
        viewer.open()
        viewer.close()


def main() -> None:
    """
    C{client.py setups PORT ROUNDS TOKEN…}: open and close sessions, one after another.
    """
    _, _, port, rounds, *tokens = sys.argv
    began = time.monotonic()
    setUps(int(port), tokens, int(rounds))
    print(time.monotonic() - began)


if __name__ == "__main__":
    main()
