"""Attacks by tensors that take long to read, or much memory."""

import json
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

import pytest
import requests

from model_server import bounds

from .conftest import Target, harmless

CLIENTS = 8
FIELD = [{"Path": "n", "DataType": "number"}]
ROWS = bounds.RECORD_VALUES - 100
#: As many values as may be, with as many problems; as many bytes; as deep as they go.
HOSTILE = {
    "values": json.dumps(
        {"inputs": [{"name": "n", "datatype": "FP64", "shape": [ROWS], "data": [1] * ROWS}]}, separators=(",", ":")
    ),
    "problems": json.dumps({"inputs": [{"name": "n", "datatype": "FP64", "shape": [ROWS], "data": [""] * ROWS}]}),
    "bytes": json.dumps({"id": "x" * (bounds.INFERENCE_BYTES - 100), "inputs": []}),
    "depth": '{"inputs":' + "[" * (bounds.INFERENCE_BYTES - 100),
    "tensors": json.dumps({"inputs": [{"name": "x"}] * (ROWS // 3)}),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_eight_clients_with_the_largest_tensors_keep_nobody_else_waiting(
    serve: Callable[..., AbstractContextManager[Target]], body: str
) -> None:
    copy = {"command": ["cp", "{input}", "{output}"], "schema": {"input": FIELD, "output": FIELD}}
    with serve(**copy, limits={"timeout_seconds": 20, "upload_bytes": 2**26}) as target:
        answers: list[int] = []

        def send() -> None:
            with suppress(requests.RequestException):
                answers.append(requests.post(f"{target.url}/v2/models/upper/infer", body, timeout=20).status_code)

        clients = [threading.Thread(target=send) for _ in range(CLIENTS)]
        with harmless(target):
            for client in clients:
                client.start()
            for client in clients:
                client.join(60)
        assert set(answers) <= {200, 400, 413, 503, 504}
