"""The endpoint from which GitHub's runner gives a job its OIDC tokens, made up: GitHub's own answers its jobs only."""

import base64
import json
from http.server import BaseHTTPRequestHandler
from typing import Any

import jwt
from tests.rig.leaks import learn, planted
from tests.rig.listening import listening

from model_dockerize.sandbox import Sandbox

CLAIMS = {"sub": "repo:o/r:ref:refs/heads/main", "repository": "o/r", "repository_id": "7", "repository_owner_id": "3"}
BEARER = planted("bearer")
SIGNED = planted("oidc-signature")
PARTS = (b"{}", json.dumps(CLAIMS).encode())
TOKEN = ".".join((*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in PARTS), SIGNED))


def token_for(box: Sandbox) -> str:
    """Return a token that the STS of a sandbox takes: it cannot check GitHub's signature, but its own."""
    made = jwt.encode(CLAIMS, box.secret_key, "HS256")
    learn(made.rpartition(".")[2])
    return made


class GitHub:
    """The runner's token endpoint, and an STS that refuses. It answers within the block of a `with`."""

    def __init__(self, token: str = TOKEN) -> None:
        self.token = token
        self.asked: list[tuple[str, str]] = []
        self.answers: list[int] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append((self.path, self.headers["Authorization"]))
                self.reply(outer.answers.pop(0) if outer.answers else 200, json.dumps({"value": outer.token}))

            def do_POST(self) -> None:
                code = "<Error><Code>AccessDenied</Code><Message>Not authorized to perform "
                error = f"{code}sts:AssumeRoleWithWebIdentity</Message></Error>"
                self.rfile.read(int(self.headers["Content-Length"]))
                self.reply(403, f"<ErrorResponse>{error}</ErrorResponse>")

            def reply(self, status: int, text: str) -> None:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: Any) -> None: ...

        self._listening = listening(Handler)

    def __enter__(self) -> "GitHub":
        self.port = self._listening.__enter__().server_port
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.__exit__(None, None, None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self, endpoint: str) -> dict[str, str]:
        """Return the environment of a job that may ask for tokens, with AWS at `endpoint`."""
        return {
            "AWS_ENDPOINT_URL": endpoint,
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.url}/token?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": BEARER,
        }
