"""Calls the sandbox's own paths, and signs requests by hand: for tests of what no client sends."""

import json
import urllib.request
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from model_dockerize.sandbox import Sandbox


def signed(
    running: Sandbox, method: str, path: str, body: bytes = b"", service: str = "sandbox", **changes: str
) -> urllib.request.Request:
    """Return a request that the sandbox's root has signed. `changes`: other `key`, `secret`, `token`, `url`."""
    url = changes.get("url", running.endpoint_url) + path
    keys = Credentials(
        changes.get("key", running.account_id), changes.get("secret", running.secret_key), changes.get("token")
    )
    request = AWSRequest(method, url, {}, body)
    SigV4Auth(keys, service, running.region).add_auth(request)
    return urllib.request.Request(url, body or None, dict(request.headers.items()), method=method)


def ask_sandbox(running: Sandbox, method: str, path: str) -> Any:
    """Call one of the sandbox's own paths; return what it answers."""
    with urllib.request.urlopen(signed(running, method, path), timeout=10) as answer:
        body = answer.read()
    return json.loads(body) if body else None
