"""ECS rollouts that follow a script, over HTTP, on a clock of their own: minutes pass in milliseconds.

Every request and every answer is checked against botocore's model of the service, so the script cannot tell what AWS
could not. A client in this process sleeps with `clock.sleep`; one in another process by `POST /clock?sleep=SECONDS`.
What it imitates are the documented states of ECS, not the latency of AWS.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import botocore.session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.validate import ParamValidator
from tests.rig.ecs_stories import Story
from tests.rig.ecs_world import Refused, World
from tests.rig.leaks import planted
from tests.rig.listening import listening
from tests.rig.straight import answered, headers_of

from model_dockerize.aws.client import Aws

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
ROUND_TRIP = 0.1  # virtual seconds that every call takes
_TARGETS = {"AmazonEC2ContainerServiceV20141113": "ecs", "Logs_20140328": "logs"}
_MODELS = {name: botocore.session.get_session().get_service_model(name) for name in _TARGETS.values()}
_JSON = "application/x-amz-json-1.1"
_UNLISTED = "PRE_PRODUCTION_TRAFFIC_SHIFT"  # a stage that the API's texts have and its enumeration lacks
_IDENTITY = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:iam::123456789012:user/rig</Arn><UserId>AIDARIG</UserId><Account>123456789012</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>"""


class Clock:
    """Virtual seconds since the simulator began."""

    def __init__(self) -> None:
        self._now, self._lock = 0.0, threading.Lock()

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._now += seconds


@dataclass(frozen=True)
class Refusal:
    """Between `since` and `until` (virtual seconds), `operation` is answered with this error."""

    operation: str
    code: str
    since: float = 0.0
    until: float = float("inf")
    status: int = 400
    message: str = "refused by the script"


@dataclass
class Simulator:
    """One account with one cluster. `calls`: when which operation was called."""

    world: World
    clock: Clock = field(default_factory=Clock)
    refusals: list[Refusal] = field(default_factory=list)
    calls: list[tuple[float, str]] = field(default_factory=list)
    url: str = ""
    tomorrow: set[str] = field(default_factory=set)  # fields that AWS has and its model here does not

    def environment(self) -> dict[str, str]:
        """Return what points an AWS SDK here."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "AKIARIG",
            "AWS_SECRET_ACCESS_KEY": planted("secret-access-key"),
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }

    def hear(self, connection: Aws) -> None:
        """Answer what a connection of this process asks from now on without a socket."""
        for service in _TARGETS.values():
            connection.client(service).meta.events.register("before-send", self._heard)

    def _heard(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        status, text, kind = self.respond(headers_of(request).get("X-Amz-Target", ""), request.body)
        headers = {"Content-Type": kind, "x-amzn-RequestId": f"rig-{len(self.calls)}"}
        return answered(request, status, headers, text.encode())

    def respond(self, target: str, body: bytes | str) -> tuple[int, str, str]:
        """Return the status, the text and its kind that a request for `target` is answered with."""
        prefix, _, operation = target.partition(".")
        if prefix not in _TARGETS:
            return 200, _IDENTITY, "text/xml"
        try:
            said = self.answer(_TARGETS[prefix], operation, json.loads(body or "{}"))
        except Refused as refused:
            return refused.status, json.dumps({"__type": refused.code, "message": str(refused)}), _JSON
        return 200, json.dumps(said), _JSON

    def answer(self, service: str, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Return what AWS would say now. Raises Refused for an error of AWS."""
        self.clock.sleep(ROUND_TRIP)
        now = self.clock.monotonic()
        self.calls.append((now, operation))
        for refusal in self.refusals:
            if refusal.operation in (operation, "*") and refusal.since <= now < refusal.until:
                raise Refused(refusal.code, refusal.message, refusal.status)
        model = _MODELS[service].operation_model(operation)
        report = ParamValidator().validate(self._today(asked), model.input_shape)
        if report.has_errors():
            raise Refused("InvalidParameterException", report.generate_report())
        said = self.world.answer(operation, asked, now)
        _check(model.output_shape, self._today(said), operation)
        return said

    def _today(self, value: Any) -> Any:
        """Remove the fields of `tomorrow`."""
        if isinstance(value, dict):
            return {k: self._today(v) for k, v in value.items() if k not in self.tomorrow}
        return [self._today(v) for v in value] if isinstance(value, list) else value


def _check(shape: Any, value: Any, at: str) -> None:
    """Check the rig itself: it may answer nothing that AWS's model does not have."""
    kinds = {"string": str, "integer": int, "long": int, "boolean": bool, "timestamp": float, "double": float}
    if shape.type_name == "structure":
        unknown = value.keys() - shape.members.keys()
        assert not unknown, f"{at}: AWS has no {unknown}"
        for name, part in value.items():
            _check(shape.members[name], part, f"{at}.{name}")
    elif shape.type_name == "list":
        for part in value:
            _check(shape.member, part, at)
    elif shape.type_name in kinds:
        assert isinstance(value, kinds[shape.type_name]), f"{at}: {value!r} is no {shape.type_name}"
        assert not getattr(shape, "enum", None) or value in (*shape.enum, _UNLISTED), (
            f"{at}: {value!r} is none of {shape.enum}"
        )


class _Handler(BaseHTTPRequestHandler):
    simulator: Simulator
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # headers and body in one packet: two would wait 40 ms for each other

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        asked = urlsplit(self.path)
        if asked.path == "/clock":
            self.simulator.clock.sleep(float(parse_qs(asked.query)["sleep"][0]))
            return self._send(200, json.dumps({"now": self.simulator.clock.monotonic()}))
        return self._send(*self.simulator.respond(self.headers.get("X-Amz-Target", ""), body))

    def _send(self, status: int, text: str, kind: str = _JSON) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("x-amzn-RequestId", f"rig-{len(self.simulator.calls)}")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def simulator(*stories: Story, running: str | None = "iris:1", world: type[World] = World) -> Iterator[Simulator]:
    """Simulate a service `iris` in the cluster `c` that runs `running` (None: no service yet); `stories` come next.

    `world`: World, in which deployments roll as their stories say, or ShiftingWorld, in which traffic shifts.
    """
    told = Simulator(world(list(stories), BEGIN, running))
    handler = type("Handler", (_Handler,), {"simulator": told})
    with listening(handler) as server:
        told.url = f"http://127.0.0.1:{server.server_port}"
        yield told


def moment(seconds: float) -> datetime:
    """Return the wall clock's time at this virtual second."""
    return BEGIN + timedelta(seconds=seconds)
