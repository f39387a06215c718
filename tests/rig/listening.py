"""HTTP servers of tests, in threads of this process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Server(ThreadingHTTPServer):
    # Where more than the standard library's five wait at once, the kernel resets one now and then.
    request_queue_size = 128


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler]) -> Iterator[ThreadingHTTPServer]:
    """Answer on a free port of this machine until the block ends.

    Each connection has a thread: a browser opens one in advance and asks nothing on it for a minute. The end is looked
    for a hundred times a second: the standard library's half second is most of the time of many a test.
    """
    with _Server(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
