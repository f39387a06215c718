"""A proxy in front of AWS stand-ins that lets chosen operations fail as AWS and networks do.

ECS and the log lines of its tasks come from the simulator, stacks from a CloudFormation of the rig's own, everything
else from moto.
"""

import json
import socket
import struct
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import sleep  # the real one, also where a test has another clock put in its place
from typing import Any, Literal

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from tests.rig import aws_calls
from tests.rig.cloudformation import CloudFormation
from werkzeug.test import Client, TestResponse

Kind = Literal["throttle", "500", "timeout", "reset", "lost answer", "expired token", "access denied"]
PASSING: tuple[Kind, ...] = ("throttle", "500", "timeout", "reset", "lost answer")
LASTING: tuple[Kind, ...] = ("expired token", "access denied")
HUNG = 4.0  # seconds that an answer takes which never comes: longer than the client's patience
_XML = ("cloudformation", "ec2", "iam", "sts", "elbv2")
# How each family of services says it: EC2's words are not those of the others.
_CODES: dict[str, dict[str, tuple[int, str]]] = {
    "throttle": {
        "cloudformation": (400, "Throttling"),
        "ec2": (503, "RequestLimitExceeded"),
        "s3": (503, "SlowDown"),
        "": (400, "ThrottlingException"),
    },
    "500": {"ec2": (500, "InternalError"), "s3": (500, "InternalError"), "": (500, "InternalFailure")},
    "expired token": {
        "cloudformation": (403, "ExpiredToken"),
        "ec2": (400, "RequestExpired"),
        "s3": (400, "ExpiredToken"),
        "sts": (403, "ExpiredToken"),
        "": (400, "ExpiredTokenException"),
    },
    "access denied": {
        "cloudformation": (403, "AccessDenied"),
        "s3": (403, "AccessDenied"),
        "ec2": (403, "UnauthorizedOperation"),
        "iam": (403, "AccessDenied"),
        "sts": (403, "AccessDenied"),
        "": (400, "AccessDeniedException"),
    },
}


@dataclass
class Faults:
    """The faults that are set now, and every call so far."""

    operation: str = ""  # service:Operation
    kind: Kind = "500"
    left: float = 0  # how often still
    calls: list[str] = field(default_factory=list)
    url: str = ""
    working: set[object] = field(default_factory=set)  # what the stand-ins are still doing

    def let(self, operation: str, kind: Kind, times: float) -> None:
        self.operation, self.kind, self.left = operation, kind, times

    def none(self) -> None:
        self.left = 0

    def settle(self) -> None:
        """Wait until the stand-ins have done what they were asked, also by clients that no longer wait."""
        while self.working:
            sleep(0.005)


class _Handler(BaseHTTPRequestHandler):
    faults: Faults
    moto: Callable[..., TestResponse]
    ecs: str
    stacks: CloudFormation
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16

    def do_GET(self) -> None:
        self.do_POST()

    def do_PUT(self) -> None:
        self.do_POST()

    def do_DELETE(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:  # who sent it was killed meanwhile
            return self._reset()
        service, operation = aws_calls.operation(self.command, self.path, dict(self.headers.items()), body)
        called = f"{service}:{operation}"
        self.faults.calls.append(called)
        fails = called == self.faults.operation and self.faults.left > 0
        if not fails:
            return self._send(*self._forward(service, operation, body))
        self.faults.left -= 1
        kind = self.faults.kind
        if kind in ("reset", "lost answer", "timeout"):
            if kind == "lost answer":
                self._forward(service, operation, body)
            if kind == "timeout":
                sleep(HUNG)
            return self._reset()
        return self._refuse(kind, service, operation)

    def _forward(self, service: str, operation: str, body: bytes) -> tuple[int, bytes, Mapping[str, str]]:
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "content-length", "connection")}
        work = object()
        self.faults.working.add(work)
        try:
            if service == "cloudformation":
                return self.stacks.answer(operation, body)
            if service == "ecs" or operation == "GetLogEvents":
                return self._ask_simulator(headers, body)
            # In this process: a connection for each call would take as long as the answer.
            said = self.moto(self.path, method=self.command, headers=headers, data=body)
            return said.status_code, said.get_data(), said.headers
        finally:
            self.faults.working.discard(work)

    def _ask_simulator(self, headers: dict[str, str], body: bytes) -> tuple[int, bytes, Mapping[str, str]]:
        request = urllib.request.Request(self.ecs + self.path, body, headers, method=self.command)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read(), answer.headers
        except urllib.error.HTTPError as error:
            return error.code, error.read(), error.headers

    def _refuse(self, kind: str, service: str, operation: str) -> None:
        status, code = _CODES[kind].get(service) or _CODES[kind][""]
        denied = f"User: rig is not authorized to perform: {service}:{operation} on resource: arn:aws:rig:::thing"
        message = denied if "denied" in kind else kind
        if service == "s3":
            whole = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
            return self._send(status, whole.encode(), {"Content-Type": "application/xml"})
        if service in _XML:
            error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
            whole = (
                f"<Response><Errors>{error}</Errors><RequestID>1</RequestID></Response>"
                if service == "ec2"
                else f"<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>"
            )
            return self._send(status, whole.encode(), {"Content-Type": "text/xml"})
        said = json.dumps({"__type": code, "message": message}).encode()
        return self._send(status, said, {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": code})

    def _send(self, status: int, data: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name in ("Content-Type", "x-amzn-ErrorType"):
            if name in headers:
                self.send_header(name, headers[name])
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def finish(self) -> None:
        with suppress(OSError, ValueError):  # the connection was reset on purpose
            super().finish()

    def log_message(self, *_: Any) -> None: ...


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None: ...


@contextmanager
def fault_proxy(moto: str, ecs: str, stacks: CloudFormation) -> Iterator[Faults]:
    """Serve what answers as AWS, and fails on demand. `moto`, `ecs`: the addresses of the stand-ins."""
    faults, app = Faults(), DomainDispatcherApplication(create_backend_app)
    answers = {"moto": partial(Client(app, use_cookies=False).open, base_url=moto), "ecs": ecs, "stacks": stacks}
    handler = type("Handler", (_Handler,), {"faults": faults, **answers})
    server = _Server(("127.0.0.1", 0), handler)
    faults.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield faults
    finally:
        server.shutdown()
        server.server_close()
