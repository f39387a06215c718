"""A job has the uploaded name, its rows and bytes are counted, and its download is called after it."""

import csv
import io
from pathlib import Path
from urllib.parse import unquote

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from model_server import bounds
from model_server.api import download, form_reader
from model_server.jobs import database
from model_server.jobs.job import JobRequest
from model_server.jobs.queue import Queue
from model_server.tabular.count import RowCounter

from .conftest import Server


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("customers.csv", "customers.csv"),
        ("C:\\Users\\me\\customers 2024.csv", "customers 2024.csv"),
        ("../../etc/passwd", "passwd"),
        ("a\r\nX-Evil: 1\x00\x1b[2J.csv", "a X-Evil: 1 [2J.csv"),
        ("Kundenübersicht.csv", "Kundenübersicht.csv"),
        ("gpj.\u202excod.csv", "gpj. xcod.csv"),
        ("..", ""),
        ("/", ""),
        ("x" * 500 + ".csv", "x" * 115 + "….csv"),
        ("x" * 500, "x" * 119 + "…"),
    ],
)
def test_the_kept_name_shows_nothing_but_itself(sent: str, kept: str) -> None:
    assert form_reader.file_name(sent.encode().decode("latin-1")) == kept


@given(st.text())
def test_no_name_is_too_long_or_unseen(sent: str) -> None:
    kept = form_reader.file_name(sent.encode("utf-8", "replace").decode("latin-1"))
    assert len(kept) <= bounds.NAME_CHARACTERS
    assert kept.isprintable()
    assert not {"/", "\\"} & set(kept)


@given(
    st.lists(st.lists(st.text('a"\n\r, ', max_size=4), min_size=1, max_size=3), max_size=8),
    st.sampled_from(["\n", "\r\n"]),
    st.integers(1, 9),
    st.booleans(),
)
def test_rows_are_counted_as_a_csv_reader_counts_them(
    rows: list[list[str]], end: str, piece: int, ends_open: bool
) -> None:
    file = io.StringIO()
    csv.writer(file, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(rows)
    text = file.getvalue().removesuffix(end if ends_open else "\0")
    content, counter = text.encode(), RowCounter()
    for start in range(0, len(content), piece):
        counter.feed(content[start : start + piece])
    assert counter.rows(has_header=False) == len(rows)


@given(st.text('a5"\n\r, ', max_size=30), st.integers(1, 9))
def test_whatever_it_is_a_count_is_that_of_a_csv_reader_or_none(text: str, piece: int) -> None:
    try:
        rows = sum(map(bool, csv.reader(io.StringIO(text, newline=""), strict=True)))
    except csv.Error:
        return
    content, counter = text.encode(), RowCounter()
    for start in range(0, len(content), piece):
        counter.feed(content[start : start + piece])
    assert counter.rows(has_header=False) in (rows, None)


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b'a,b\n1,5" pipe\n2,6" pipe\n', None),  # inches: which quote ends what is the reader's to say
        (b'\xef\xbb\xbf"a"\n1\n', 1),
        (b"a\r1\r2\r", 2),
        (b"\xef\xbb\xbf", 0),
    ],
)
def test_rows_of_unusual_csv(content: bytes, rows: int | None) -> None:
    counter = RowCounter()
    counter.feed(content)
    assert counter.rows(has_header=True) == rows


@pytest.mark.parametrize(
    ("content", "rows"),
    [(b"", 0), (b"a\n", 0), (b"a", 0), (b"a\n1", 1), (b"a\n\n\n1\n\n2\n\n", 2), (b"\n\na\r\n\r\n1", 1)],
)
def test_blank_lines_are_no_rows(content: bytes, rows: int) -> None:
    for piece in (1, 2, 100):
        counter = RowCounter()
        for start in range(0, len(content), piece):
            counter.feed(content[start : start + piece])
        assert counter.rows(has_header=True) == rows


def test_what_would_take_long_to_count_is_not_counted() -> None:
    counter = RowCounter()
    counter.feed(b'[{"a":1},\n{"a":2}]\n')
    assert counter.rows(has_header=True) is None
    counter = RowCounter()
    counter.feed(b"a\n" + b"1\n" * bounds.COUNTED_QUOTED_BYTES)
    counter.feed(b'"x"\n' * 10)
    assert counter.rows(has_header=True) == bounds.COUNTED_QUOTED_BYTES + 10
    for _ in range(9):
        counter.feed(b'"x"\n' * (bounds.MIB // 4))
    assert counter.rows(has_header=True) is None


def test_a_job_is_listed_by_name_rows_and_bytes_and_downloaded_after_it(server: Server) -> None:
    content = b"a,b\n1,2\n3,4\n"
    files = {"File": ("Küche; 1.csv", content)}
    answer = requests.post(f"{server.url}/data/run-job", files=files, timeout=10)
    entry = requests.get(f"{server.url}/data/jobs?limit=1", timeout=60).json()["data"]["jobs"][0]
    assert [entry[key] for key in ("id", "name", "rows", "bytes")] == [
        *(answer.headers["x-job-id"], "Küche; 1.csv", 2, len(content))
    ]
    job = entry["id"]
    for form, ending in (("", "csv"), ("json/", "json"), ("csv/", "csv")):
        found = requests.get(f"{server.url}/data/result/{form}{job}", timeout=60).headers["content-disposition"]
        shown, _, encoded = found.partition("; filename*=UTF-8''")
        assert shown == f'inline; filename="K_che_ 1-result.{ending}"'
        assert unquote(encoded) == f"Küche; 1-result.{ending}"
    assert answer.headers["content-disposition"].startswith("inline; filename=")
    unnamed = requests.post(f"{server.url}/data/run-job", files={"File": (None, b"a\n")}, timeout=10)
    assert (
        unnamed.headers["content-disposition"] == f'inline; filename="job-{unnamed.headers["x-job-id"][:8]}-result.csv"'
    )


@pytest.mark.parametrize(
    ("kind", "head", "way", "ending"),
    [
        ("text/html", b"<html>", "attachment", ".html"),
        ("image/svg+xml", b"<svg", "attachment", ".svg"),
        ("application/pdf", b"%PDF", "attachment", ".pdf"),
        ("image/png", b"\x89PNG", "inline", ".png"),
        ("application/octet-stream", b'{"a":1}', "inline", ".json"),
        ("application/octet-stream", b"a,b\n1", "inline", ".csv"),
        ("application/octet-stream", b"prose", "inline", ".txt"),
        ("application/octet-stream", b"\xff\0", "inline", ".bin"),
        ("application/octet-stream", b"\x89PNG\r\n\x1a\n\0", "inline", ".png"),
        ("no type", b"", "attachment", ".bin"),
    ],
)
def test_what_a_browser_could_run_is_only_kept(tmp_path: Path, kind: str, head: bytes, way: str, ending: str) -> None:
    queue = Queue(database.open_sqlite(tmp_path / "jobs", on_network=False), "m", 3)
    job = queue.new("1" * 36, JobRequest("text/csv", name="archive.tar.gz"))
    queue.close()
    assert download.header(job, kind, head) == f'{way}; filename="archive.tar-result{ending}"'
