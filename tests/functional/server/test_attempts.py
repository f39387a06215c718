"""Each attempt of a job gets its data as they were sent, and data that is long to check is checked by the job."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from model_server import bounds
from model_server.api import data
from tests.rig.waiting import eventually

from .conftest import StartServer

#: Says how many lines it was given, takes one off or removes its input, and has its runner die, the first time.
EDITS = """
import os, pathlib, signal, sys
source, target = map(pathlib.Path, sys.argv[1:])
lines = source.read_text().splitlines()
if lines[0] == "remove":
    source.unlink()
else:
    source.write_text("\\n".join(lines[1:]) + "\\n")
died = pathlib.Path(__file__).with_name("died-" + str(len(lines)))
if not died.exists():
    died.touch()
    os.kill(os.getppid(), signal.SIGKILL)
target.write_text(str(len(lines)))
"""


@pytest.mark.parametrize("word", ["edit", "remove"])
@pytest.mark.parametrize("count", [100, 5001])
def test_every_attempt_gets_the_data_as_sent(
    start_server: StartServer, program_folder: Path, word: str, count: int
) -> None:
    (program_folder / "main.py").write_text(EDITS, encoding="utf-8")
    server = start_server(runner_mode="command", input_types=["text/plain"], output_types=["text/plain"])
    job_id = server.send("\n".join([word] * count).encode())
    server.wait(job_id)
    (listed,) = requests.get(f"{server.url}/data/jobs", timeout=60).json()["data"]["jobs"]
    assert listed["attempts"] == 2
    assert requests.get(f"{server.url}/data/result/{job_id}", timeout=60).text == str(count)
    eventually(lambda: not list(server.data.glob("instances/*/work/*/*")))


NUMBERS = {"input": [{"Path": "n", "DataType": "number"}]}


def test_data_that_is_long_to_check_is_checked_by_its_job(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "CHECKED_BYTES", 20_000)
    server = start_server(schema=NUMBERS)
    good = server.send(b"N, m\n" + b"1,x\n" * 20_000)
    assert server.wait(good)["data"] == {"id": good, "status": "Complete", "errorMessage": None}
    result = requests.get(f"{server.url}/data/result/{good}", timeout=60).content
    assert result == b"N,M\n".replace(b"M", b" M") + b"1,X\n" * 20_000
    bad = server.wait(server.send(b"n\n" + b"1\n" * 20_000 + b"x\n"))
    text = "the data is not what the model takes: row 20001, n: a number is needed, 'x' is there"
    assert (bad["isError"], bad["errorMessage"]) == (True, text)
    mapping = json.dumps([{"source": "k", "destination": "n"}])
    mapped = server.send(b"k\n" + b"2\n" * 20_000, Mappings=mapping)
    server.wait(mapped)
    assert requests.get(f"{server.url}/data/result/{mapped}", timeout=60).content == b"N\n" + b"2\n" * 20_000
    requests.delete(f"{server.url}/data/delete/{mapped}", timeout=60)
    assert not list(server.data.glob(f"inputs/{mapped}*"))


def test_conversions_that_clients_wait_for_take_turns(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, most, lock = 0, 0, threading.Lock()
    four = threading.Barrier(bounds.CONVERSIONS, timeout=30)

    def convert(*arguments: Any) -> bytes:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        four.wait()  # so many do come at a time
        time.sleep(0.02)  # for one more to come, if it may
        with lock:
            now -= 1
        return small_to_model(*arguments)

    small_to_model = data.small_to_model
    monkeypatch.setattr(data, "small_to_model", convert)
    monkeypatch.setattr(bounds, "INSTANT_COST", 0)
    server = start_server(schema=NUMBERS)
    with ThreadPoolExecutor(3 * bounds.CONVERSIONS) as clients:
        list(clients.map(lambda _: server.send(b"n\n1\n"), range(3 * bounds.CONVERSIONS)))
    assert most == bounds.CONVERSIONS


def test_an_idempotency_key_with_other_data_is_refused(start_server: StartServer) -> None:
    server = start_server()

    def sent(content: bytes, key: str, path: str = "add-job", **fields: str) -> requests.Response:
        headers, files = {"Idempotency-Key": key}, {"File": content}
        return requests.post(f"{server.url}/data/{path}", files=files, data=fields, headers=headers, timeout=10)

    for content in (b"alpha\n", b"alpha\n" * 5000):
        key = str(len(content))
        first = sent(content, key).json()["data"]["id"]
        assert sent(content, key, Pipeline="other", MimeType="").json()["data"]["id"] == first
        assert sent(content, key, "run-job").headers["X-Job-Id"] == first
        for path in ("add-job", "run-job"):
            for other in (sent(content + b"b", key, path), sent(content, key, path, CallbackUrl="http://localhost/x")):
                assert other.status_code == 422
                assert "was sent before, with other data" in other.json()["errorMessage"]
    assert requests.get(f"{server.url}/data/jobs", timeout=60).json()["data"]["total"] == 2
    assert len(list(server.data.glob("inputs/*"))) == 1
