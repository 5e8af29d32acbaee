"""A forwarder between a client and the relay that notes what passes: what was asked, and what was said on sockets."""

import json
import re
import socket
import threading
from urllib.parse import urlsplit

REQUEST = re.compile(rb"(GET|POST|HEAD) (\S+) HTTP/1\.1\r\n")


class Tap:
    """Listens on loopback. `asked`: "GET /openai/responses" and the like. `sent`, `told`: JSON messages on sockets."""

    def __init__(self, url):
        self.target = (urlsplit(url).hostname, urlsplit(url).port)
        self.asked, self.sockets, self.sent, self.told = [], 0, [], []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.target)
            up, down = Frames(self.sent.append), Frames(self.told.append)
            threading.Thread(target=self._pump, args=(client, server, self._note_request, up), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, self._note_answer, down), daemon=True).start()

    def _pump(self, source, sink, note, frames):
        try:
            while data := source.recv(65536):
                note(data)
                frames.push(data)
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _note_request(self, data):
        if line := REQUEST.match(data):
            self.asked.append(f"{line[1].decode()} {line[2].decode()}")

    def _note_answer(self, data):
        self.sockets += data.startswith(b"HTTP/1.1 101 ")


class Frames:
    """Reads one direction of a connection: nothing of it until its head speaks of a WebSocket, then its messages."""

    def __init__(self, keep):
        self.keep, self.buffer, self.open, self.message = keep, b"", None, b""

    def push(self, data):
        if self.open is False:
            return
        self.buffer += data
        if self.open is None:
            head, end, rest = self.buffer.partition(b"\r\n\r\n")
            if not end:
                return
            self.open, self.buffer = b"\r\nupgrade: websocket" in head.lower(), rest
        while self.open and (frame := self._frame()):
            last, kind, payload = frame
            if kind < 3:
                self.message += payload
                if last:
                    self.keep(json.loads(self.message))
                    self.message = b""

    def _frame(self):
        """The next whole frame: whether it is the last of its message, its kind, its payload."""
        data = self.buffer
        if len(data) < 2:
            return None
        masked, length, at = data[1] & 0x80, data[1] & 0x7F, 2
        if length > 125:
            wide = 2 if length == 126 else 8
            length, at = int.from_bytes(data[2 : 2 + wide], "big"), 2 + wide
        start = at + (4 if masked else 0)
        if len(data) < start + length:
            return None
        payload = data[start : start + length]
        if masked:
            mask = (data[at:start] * (length // 4 + 1))[:length]
            payload = (int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")).to_bytes(length, "big")
        self.buffer = data[start + length :]
        return data[0] & 0x80, data[0] & 0x0F, payload
