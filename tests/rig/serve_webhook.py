"""A receiver of signed webhooks on a free port of 127.0.0.1 that ends with the process that started it.

    python3 tests/rig/serve_webhook.py SECRET [CA CERT KEY]

Prints its port on a line of its own once it listens; with the three files, behind it the port on which it takes the same
over TLS from clients that show a certificate of that authority. Ends when its standard input does. Verifies each request as
the page of the backend tells receivers to: the signature over time, dot and body in constant time, the time within
five minutes. What passes is kept once for each idempotency key, and `GET /received` tells it; what does not is
answered with 401. Needs the standard library alone.
"""

import hashlib
import hmac
import json
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = sys.argv[1].encode()
TOLERANCE_SECONDS = 300
RECEIVED: list = []
KEYS: set = set()
LOCK = threading.Lock()


def is_signed(header: str, body: bytes) -> bool:
    """Whether the signature is that of the secret, and of now."""
    pairs = dict(pair.split("=", 1) for pair in header.split(",") if "=" in pair)
    stamp = pairs.get("t", "")
    if not stamp.isdigit() or abs(time.time() - int(stamp)) > TOLERANCE_SECONDS:
        return False
    expected = hmac.new(SECRET, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, pairs.get("v1", ""))


class Receiver(BaseHTTPRequestHandler):
    """Takes what is signed."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """One webhook."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not is_signed(self.headers.get("X-Ops-Signature", ""), body):
            self.answer(401, b"the signature is wrong")
            return
        key = self.headers.get("Idempotency-Key")
        with LOCK:
            repeated = key in KEYS
            KEYS.add(key)
            RECEIVED.append({"key": key, "repeated": repeated, "method": self.command, "body": json.loads(body)})
        self.answer(200, b"ok")

    do_PUT = do_POST

    def do_GET(self) -> None:
        """What was received."""
        with LOCK:
            self.answer(200, json.dumps(RECEIVED).encode())

    def answer(self, status: int, body: bytes) -> None:
        """Answers."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_) -> None:
        """Says nothing."""


def serve() -> ThreadingHTTPServer:
    """A server on a free port; who calls starts it."""
    return ThreadingHTTPServer(("127.0.0.1", 0), Receiver)


def serve_tls(ca: str, cert: str, key: str) -> ThreadingHTTPServer:
    """The same over TLS, for clients of this authority. Each shakes hands on its own thread, when it is read from."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca)
    context.load_cert_chain(cert, key)
    context.verify_mode = ssl.CERT_REQUIRED
    server = serve()
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return server


def main() -> None:
    """Serves until standard input ends."""
    servers = [serve()] + ([serve_tls(*sys.argv[2:5])] if len(sys.argv) > 2 else [])
    for server in servers:
        server.handle_error = lambda *_: None  # clients that are turned away are the test's matter
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print(*(server.server_port for server in servers), flush=True)
    sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
