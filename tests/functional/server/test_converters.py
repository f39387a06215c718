"""Long conversions are done by processes of their own."""

import errno
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
import requests

from chaos.hosts import children, kill
from model_server import bounds
from model_server.converters import ConverterDiedError, Converters
from model_server.tabular.problems import DataError, TooLargeError
from tests.rig.waiting import eventually

from .conftest import StartServer
from .long_work import meet_fault, meet_full_disk, refuse, sleep, who

NUMBERS = {"input": [{"Path": "n", "DataType": "number"}]}
LIMITS = {"upload_bytes": 10**6}


@pytest.fixture
def long_file(tmp_path: Path) -> Path:
    path = tmp_path / "long"
    path.write_bytes(b"x" * (bounds.QUICK_BYTES + 1))
    return path


def test_what_is_short_is_done_here_and_what_is_long_in_a_process_that_is_less_urgent(
    tmp_path: Path, long_file: Path
) -> None:
    short = tmp_path / "short"
    short.write_bytes(b"x" * bounds.QUICK_BYTES)
    assert Converters().do(who, short, also="é") == [os.getpid(), os.nice(0), bounds.QUICK_BYTES, "é"]
    pid, niceness, size, also = Converters().do(who, long_file, also="é")
    assert pid != os.getpid()
    assert niceness == min(19, os.nice(0) + 10)
    assert (size, also) == (bounds.QUICK_BYTES + 1, "é")


def test_a_mapping_of_many_rules_makes_short_data_long(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Map 5000 records by 2000 rules each, which took more than a minute in the server's own interpreter."""
    apart: list[str] = []

    def do_apart(self: Converters, function: Any, *arguments: Any) -> Any:
        apart.append(function.__name__)
        return original(self, function, *arguments)

    original = Converters.do_apart
    monkeypatch.setattr(Converters, "do_apart", do_apart)
    server = start_server()
    rules = [{"source": "n", "destination": f"n{number}"} for number in range(bounds.RULES)]
    content = json.dumps([{"n": 1, "more": "x" * bounds.KIB}]).encode()
    for given, expected in ((rules[:2], []), (rules, ["convert_input"])):
        form = {"MimeType": "application/json", "Mappings": json.dumps(given)}
        url = f"{server.url}/data/add-job"
        assert requests.post(url, files={"File": content}, data=form, timeout=120).status_code == 200
        assert apart == expected


def test_what_a_conversion_refuses_is_refused_here(long_file: Path) -> None:
    for too_large in (False, True):
        with pytest.raises(DataError) as refused:
            Converters().do(refuse, long_file, too_large)
        assert refused.value.problems == ("long", "a second problem")
        assert isinstance(refused.value, TooLargeError) is too_large
    with pytest.raises(OSError, match="it is full") as full:
        Converters().do(meet_full_disk, long_file)
    assert full.value.errno == errno.ENOSPC


def test_a_fault_of_ours_is_none_of_the_data(long_file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="an error of its own"):
        Converters().do(meet_fault, long_file)
    assert "KeyError" in capfd.readouterr().err


def test_all_end_with_the_server_and_none_begins_afterwards(long_file: Path) -> None:
    converters, ended = Converters(), []

    def convert() -> None:
        with pytest.raises(ConverterDiedError):
            converters.do(sleep, long_file)
        ended.append(True)

    threads = [threading.Thread(target=convert) for _ in range(2)]
    for thread in threads:
        thread.start()
    eventually(long_file.with_name("began").exists)
    converters.stop()
    for thread in threads:
        thread.join(30)
    assert ended == [True, True]
    with pytest.raises(ConverterDiedError):
        converters.do(sleep, long_file)


def kill_a_converter() -> bool:
    """Kill one that works; return false if there is none."""
    for pid in children(os.getpid()):
        if b"convert" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
            return kill(pid)
    return False


def test_a_job_whose_conversion_was_killed_is_done_again(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expect it to be done, not refused: its data are right."""
    monkeypatch.setattr(bounds, "CHECKED_BYTES", bounds.QUICK_BYTES)
    server = start_server(schema=NUMBERS, limits=LIMITS)
    job_id = server.send(b"n\n" + b"1\n" * 300_000)
    eventually(kill_a_converter)
    assert server.wait(job_id)["isError"] is False
    (listed,) = requests.get(f"{server.url}/data/jobs", timeout=60).json()["data"]["jobs"]
    assert listed["attempts"] == 2


def test_a_client_whose_conversion_was_killed_is_told_to_try_again(start_server: StartServer) -> None:
    server = start_server(schema=NUMBERS, limits=LIMITS)
    answers: list[requests.Response] = []

    def send() -> None:
        files = {"File": b"n\n" + b"1\n" * 300_000}
        answers.append(requests.post(f"{server.url}/data/add-job", files=files, timeout=60))

    client = threading.Thread(target=send)
    client.start()
    eventually(kill_a_converter)
    client.join(60)
    assert (answers[0].status_code, answers[0].headers["retry-after"]) == (503, "5")
    assert "was killed" in answers[0].json()["errorMessage"]
    assert server.stored() == set()
