"""The form of a result: declared or found by its bytes, as the path or Accept asks, numbers as numbers."""

import json
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from model_server.api import accept
from model_server.jobs.store import SMALL_BYTES
from model_server.tabular import detect, numbers
from model_server.tabular.mime import Form

from .conftest import Server, StartServer

CSV = "text/csv; header=present"
TABLE = b"name,score,zip,note\nann,0.5,01234,\nbob,2,00007,x\n"


def run(server: Server, content: bytes, accept: str, query: str = "") -> requests.Response:
    files = {"File": ("customers.csv", content)}
    return requests.post(f"{server.url}/data/run-job{query}", files=files, headers={"accept": accept}, timeout=20)


def test_json_is_had_for_the_asking_with_numbers_as_numbers(start_server: StartServer) -> None:
    server = start_server(output_types=["application/octet-stream"])  # as of a folder without smoke/expected.*
    answer = run(server, TABLE, "application/json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json; charset=utf-8")
    expected = [
        {"NAME": "ANN", "SCORE": 0.5, "ZIP": "01234", "NOTE": ""},
        {"NAME": "BOB", "SCORE": 2, "ZIP": "00007", "NOTE": "X"},
    ]
    assert answer.json() == expected
    address = f"{server.url}/data/result/{answer.headers['x-job-id']}"
    assert requests.get(address, headers={"accept": "application/json"}, timeout=60).json() == expected
    assert requests.get(address.replace("result/", "result/json/"), timeout=60).json() == expected
    as_text = requests.get(address.replace("result/", "result/json/") + "?types=text", timeout=60).json()
    assert as_text[1] == {"NAME": "BOB", "SCORE": "2", "ZIP": "00007", "NOTE": "X"}
    assert requests.get(f"{address}?types=text", headers={"accept": "application/json"}, timeout=60).json() == as_text
    assert requests.get(f"{address}?types=numbers", timeout=60).status_code == 400
    raw = requests.get(address, timeout=60)
    assert (raw.content, raw.headers["content-type"]) == (TABLE.upper(), "application/octet-stream")


def test_of_several_declared_types_the_first_is_the_result_s(start_server: StartServer) -> None:
    server = start_server(output_types=[CSV, "application/json"])
    answer = run(server, TABLE, "application/json")
    assert (answer.headers["content-type"], answer.json()[1]["NAME"]) == ("application/json; charset=utf-8", "BOB")
    large = TABLE + b"x,1,2,3\n" * (SMALL_BYTES // 8)
    fields = {"OutputMappings": json.dumps([{"source": "NAME", "destination": "who"}])}
    for job_id, content in (
        (server.send(TABLE), TABLE.upper()),
        (server.send(large), large.upper()),
        (server.send(TABLE, **fields), b"who\nANN\nBOB\n"),
    ):
        server.wait(job_id)
        address = f"{server.url}/data/result/{job_id}"
        raw = requests.get(address, timeout=20)
        assert (raw.headers["content-type"], raw.content) == (CSV, content)
        as_json = requests.get(address, headers={"accept": "application/json"}, timeout=20)
        assert as_json.headers["content-type"] == "application/json; charset=utf-8"


def test_large_results_are_typed_by_all_of_their_rows(start_server: StartServer) -> None:
    server = start_server(limits={"upload_bytes": 10**7})
    rows = b"".join(b"%d,%d\n" % (number, number) for number in range(20_000))
    found = run(server, b"a,b\n" + rows + b"7,x\n", "application/json").json()
    assert (len(found), found[0], found[-1]) == (20_001, {"A": 0, "B": "0"}, {"A": 7, "B": "X"})


@pytest.mark.parametrize("content", [b"prose, and more\nof it.", b"\0\1\2", b"word"])
def test_accept_is_a_preference_and_a_path_is_none(start_server: StartServer, content: bytes) -> None:
    server = start_server(output_types=["application/octet-stream"])
    answer = run(server, content, "application/json")
    assert (answer.status_code, answer.content) == (200, content.upper())
    assert answer.headers["content-type"] == "application/octet-stream"
    refused = requests.get(f"{server.url}/data/result/json/{answer.headers['x-job-id']}", timeout=60)
    assert refused.status_code == 400
    assert refused.json()["errorMessage"] == "the result cannot be had in this form: it is neither JSON nor CSV"


@pytest.mark.parametrize(
    ("header", "own", "form"),
    [
        ("application/json", CSV, Form.JSON),
        ("application/json, text/plain, */*", CSV, None),  # of a library that takes anything
        ("application/json, */*;q=0.8", CSV, Form.JSON),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", CSV, None),  # of a browser
        ("text/csv", CSV, None),
        ("text/csv", "application/json", Form.CSV),
        ("application/json;q=0, text/csv", "application/json", Form.CSV),
        ("APPLICATION/JSON ; q=0.9, text/csv;q=0.1", "application/octet-stream", Form.JSON),
        ("application/json;q=nan", CSV, None),
        ("application/json;q=x", CSV, Form.JSON),
        ("image/png", CSV, None),
        ("text/*", "application/json", Form.CSV),
        (",;q=1,,", CSV, None),
        ("*/*", "image/png", None),
    ],
)
def test_accept_by_weight_and_precision(header: str, own: str, form: Form | None) -> None:
    assert accept.preferred(header, own) is form


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (b'[{"a":1},{"a":2}]', Form.JSON),
        (b'\xef\xbb\xbf {"a": NaN}\n', Form.JSON),
        (b"[]", Form.JSON),
        (b"7", Form.JSON),
        (b"a,b\n1,2\n", Form.CSV),
        (b"score\n0.5\n", Form.CSV),
        (b"a,b\n", Form.CSV),
        (b"1,2\n3,4\n", Form.BARE_CSV),
        (b"a,b\n1\n", None),
        (b'{"a":1}\n{"a":2}\n', None),
        (b"a;b\n1;2\n", None),
        (b"word\n", None),
        (b"", None),
        (b"\xff\xfe\x00", None),
        (b"a,b\n1,\x00\n", None),
        (b"\x1b[31m,b\n1,2\n", None),
    ],
)
def test_the_form_of_bytes(tmp_path: Path, content: bytes, form: Form | None) -> None:
    path = tmp_path / "result"
    path.write_bytes(content)
    assert detect.form_of(path) is form


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("7", 7), ("-0.5", -0.5), ("1e3", 1000.0), (" 7.50 ", 7.5), ("0", 0), ("9007199254740991", 2**53 - 1)),
        *(("0.1234567890123456", 0.1234567890123456), ("", None), ("NaN", None), ("-inf", None)),
    ],
)
def test_exact_numbers(text: str, number: float | None) -> None:
    assert numbers.exact(text) == number


@pytest.mark.parametrize(
    "text",
    [
        *("007", "+5", "5.", ".5", "1_000", "0x1", "12:30", "1,5", "٣", "true", "-", "1e999", "1e-999"),
        *("9007199254740992", "0.12345678901234567890", "1" * 5000),
    ],
)
def test_what_a_number_would_change_stays_a_text(text: str) -> None:
    with pytest.raises(numbers.NotExactError):
        numbers.exact(text)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_that_python_writes_is_had_back(number: float) -> None:
    assert numbers.exact(repr(number)) == number


def test_a_column_is_numeric_as_a_whole() -> None:
    records = [
        {"a": "1", "b": "1", "c": "nan", "t": ["1", "2"], "u": ["1", "x"]},
        {"a": "", "b": "x", "c": "", "t": ["3", ""], "u": ["2", "3"]},
    ]
    columns = numbers.columns_of(records)
    assert columns == {"a", "t"}
    assert [numbers.typed(dict(record), columns) for record in records] == [
        {"a": 1, "b": "1", "c": "nan", "t": [1, 2], "u": ["1", "x"]},
        {"a": None, "b": "x", "c": "", "t": [3, None], "u": ["2", "3"]},
    ]


def test_without_a_schema_the_samples_header_is_one_for_mappings(
    start_server: StartServer, program_folder: Path
) -> None:
    (program_folder / "smoke").mkdir()
    (program_folder / "smoke" / "input.csv").write_text("sepal_length,site\n5.1,Kew\n")
    server = start_server(sample="smoke/input.csv")
    mine = {"File": ("mine.csv", b"Site,Sepal Length,more\nKew,5.1,1\n")}
    proposed = requests.post(f"{server.url}/data/mapping", files=mine, timeout=60).json()
    assert proposed == [
        {"source": "Sepal Length", "destination": "sepal_length"},
        {"source": "Site", "destination": "site"},
    ]
    form = {"Mappings": json.dumps(proposed[:1])}
    answer = requests.post(f"{server.url}/data/run-job", files=mine, data=form, timeout=10)
    assert answer.text == "SEPAL_LENGTH,SITE\n5.1,KEW\n"  # without what is none of its fields
