"""Attacks by what one client does with a form."""

import json
import socket
import time
from contextlib import ExitStack, suppress

import pytest
import requests

from model_server import bounds

from .conftest import MIB, Target, harmless


def part(name: str, content: bytes) -> bytes:
    return b'--b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (name.encode(), content)


def begin(connection: socket.socket) -> None:
    """Send the head of a form that does not say how long it is."""
    kind = b"Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n"
    connection.sendall(b"POST /data/add-job HTTP/1.1\r\nHost: x\r\n" + kind)


def send(connection: socket.socket, content: bytes) -> None:
    connection.sendall(b"%x\r\n%b\r\n" % (len(content), content))


def test_fields_that_nobody_asked_for_are_not_kept(target: Target) -> None:
    with harmless(target), target.connect() as connection:
        begin(connection)
        with suppress(OSError):
            for number in range(99):
                send(connection, part(f"f{number}", b"x" * MIB))
            connection.sendall(b"0\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_uploads_that_never_end_share_the_memory_of_all(target: Target) -> None:
    """Send a hundred: each of them alone would be too small to be written yet."""
    piece = b"x" * 64 * 1024
    with harmless(target), ExitStack() as opened:
        uploads = [opened.enter_context(target.connect()) for _ in range(100)]
        for upload in uploads:
            begin(upload)
            send(upload, part("File", b"n\n")[:-2].replace(b'"File"', b'"File"; filename="x"'))
        for _ in range(29):
            for upload in uploads:
                send(upload, piece)


def test_a_field_has_so_many_bytes_and_no_more(target: Target) -> None:
    url = f"{target.url}/data/add-job"
    for name, most in (("MimeType", bounds.FIELD_BYTES), ("Mappings", bounds.MAPPING_BYTES)):
        fits, more = (
            requests.post(url, files={"File": b"n\n1\n"}, data={name: " " * size}, timeout=10)
            for size in (most, most + 1)
        )
        assert fits.status_code == 200
        assert more.status_code == 400
        assert f"larger than {most} bytes" in more.json()["errorMessage"]


#: Refused by each bound of a mapping, by itself or for what it makes of a record.
MAPPINGS = {
    "vectors": [{"source": "[1]" * 30_000 + "x", "destination": "n"}],
    "many vectors": [{"source": "[1]" * 330 + "x", "destination": f"n{i}"} for i in range(220)],
    "elements": [{"source": "a", "destination": f"b{i}[100000]"} for i in range(1900)],
    "levels": [{"source": "a", "destination": "/".join("a" * 5000)}],
    "entries": [{"source": "a", "destination": f"n{i}"} for i in range(2001)],
}


@pytest.mark.parametrize("mapping", MAPPINGS.values(), ids=MAPPINGS)
def test_a_mapping_takes_neither_time_nor_memory(target: Target, mapping: list[dict[str, str]]) -> None:
    fields = {"Mappings": json.dumps(mapping), "MimeType": "application/json"}
    with harmless(target):
        answer = requests.post(f"{target.url}/data/add-job", files={"File": b'[{"a":1}]'}, data=fields, timeout=30)
        time.sleep(0.2)
    assert answer.status_code == 400, answer.text


def test_a_look_at_the_list_reads_no_mappings(target: Target) -> None:
    mapping = json.dumps([{"source": "n", "destination": "n"}])
    padded = mapping.replace("[", "[" + " " * (bounds.MAPPING_BYTES - len(mapping)))
    fields = {"Mappings": padded, "OutputMappings": padded}
    url = f"{target.url}/data/add-job"
    with requests.Session() as session:
        for _ in range(100):
            assert session.post(url, files={"File": b"n\n1\n"}, data=fields, timeout=30).status_code == 200
    with harmless(target):
        for _ in range(6):
            assert requests.get(f"{target.url}/data/jobs?limit=500", timeout=30).ok


@pytest.mark.parametrize(
    ("kind", "content", "reason"),
    [
        ("application/json", b"[" + b"x" * 64 * MIB, "longer than"),
        ("application/json", b'["' + b"x" * 64 * MIB, "longer than"),
        ("application/json", b"[[" + b"[]," * 20 * MIB, "values"),
        ("application/json", b"[[" + b'{"a":1},' * 5 * MIB, "values"),
        ("text/csv; header=present", b"n\n" + b"x" * 64 * MIB, "longer than"),
        ("text/csv; header=present", b"n\n" + b"xy," * 5 * MIB, "columns"),
        ("text/csv; header=present", b'n\n"' + (b"x" * 1000 + b"\n") * 20_000, "longer than"),
    ],
    ids=["damaged", "text", "lists", "objects", "line", "columns", "lines"],
)
def test_a_record_takes_little_memory(target: Target, kind: str, content: bytes, reason: str) -> None:
    """Upload to a model that takes CSV: JSON must be converted; a mapping has the CSV read."""
    mapping = json.dumps([{"source": "n", "destination": "n"}])
    with harmless(target):
        answer = requests.post(
            f"{target.url}/data/add-job",
            files={"File": content},
            data={"MimeType": kind, "Mappings": mapping},
            timeout=60,
        )
        job_id = answer.json()["data"]["id"]
        status = requests.get(f"{target.url}/data/status/{job_id}?wait=50", timeout=60).json()
    assert reason in status["errorMessage"]
