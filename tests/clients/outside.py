"""A proxy that lets nothing through and remembers what was tried: the way out that tested programs are given."""

import socketserver
import threading


class RefusingProxy:
    """Listens on loopback; `attempts` holds the first line of every request that came."""

    def __init__(self):
        self.attempts = []
        attempts = self.attempts

        class Refusal(socketserver.StreamRequestHandler):
            timeout = 2

            def handle(self):
                try:
                    line = self.rfile.readline(4096).decode("latin-1").strip()
                    self.wfile.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                except OSError:
                    line = "(a connection without a request)"
                attempts.append(line)

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Refusal)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def environment(self, home):
        """The whole environment of a program that must not reach further than this machine."""
        return {
            "HOME": str(home),
            "TMPDIR": str(home),
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "HTTP_PROXY": self.url,
            "HTTPS_PROXY": self.url,
            "ALL_PROXY": self.url,
            "http_proxy": self.url,
            "https_proxy": self.url,
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }
