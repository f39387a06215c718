"""Attacks by data that takes long to convert."""

import json
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import pytest
import requests

from chaos.hosts import children
from model_server import bounds
from tests.rig.waiting import eventually

from .conftest import Target, harmless

CLIENTS = 60
#: So often a second client asks for /health meanwhile.
ASKED = 200
#: One value is one step for Python, however large it is: eight of them, near the bound of a record's values.
LARGE = b'{"n":1,"a":[' + b"1," * 450_000 + b"1]}"


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("application/json", b"[" + b",".join([b'{"n":1}'] * (bounds.CHECKED_BYTES // 8 - 1)) + b"]"),
        ("application/json", b"[" + b",".join([LARGE] * 8) + b"]"),
    ],
    ids=["many records", "large records"],
)
def test_sixty_conversions_keep_nobody_else_waiting(
    serve: Callable[..., AbstractContextManager[Target]], kind: str, content: bytes
) -> None:
    """And the server ends without waiting for them."""
    form, headers = requests.models.RequestEncodingMixin._encode_files(  # once, not by each client
        {"File": content}, {"MimeType": kind, "Mappings": json.dumps([{"source": "n", "destination": "n"}])}
    )

    def send(url: str) -> None:
        with suppress(requests.RequestException):  # the server stops before it has answered all
            requests.post(f"{url}/data/add-job", data=form, headers={"Content-Type": headers}, timeout=60)

    def are_busy(server: int) -> bool:
        programs = (Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") for pid in children(server))
        return sum(b"convert" in words for words in programs) == bounds.CONVERSIONS

    with serve() as target:
        clients = [threading.Thread(target=send, args=(target.url,)) for _ in range(CLIENTS)]
        with harmless(target) as watched:
            for client in clients:
                client.start()
            eventually(lambda: are_busy(target.process.pid), seconds=60)
            asked = len(watched.seconds)
            eventually(lambda: len(watched.seconds) >= asked + ASKED, seconds=60)
            eventually(lambda: are_busy(target.process.pid), seconds=20)  # as they were all the time
    for client in clients:
        client.join(60)
