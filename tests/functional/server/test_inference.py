"""The Open Inference Protocol, version 2. On a real server, with what a public client sent and understood."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from model_server import bounds
from tests.rig.waiting import eventually

from .conftest import Server, StartServer, running, write_program

EXCHANGE = Path(__file__).with_name("inference-exchange.json")
CSV, JSON = "text/csv; header=present", "application/json"
FIELDS = [
    {"Path": "name", "DataType": "string"},
    {"Path": "age", "DataType": "number"},
    {"Path": "born", "DataType": "date", "Optional": True},
    {"Path": "member", "DataType": "boolean", "Optional": True},
]
#: Gives back what it takes.
COPY = ["cp", "{input}", "{output}"]
IRIS: dict[str, Any] = {
    "name": "iris",
    "version": "1",
    "command": COPY,
    "schema": {"input": FIELDS, "output": FIELDS},
    "limits": {"timeout_seconds": 20, "upload_bytes": 4 * bounds.INFERENCE_BYTES},
}
FULL: dict[str, list[Any]] = {"name": ["Al"], "age": [7], "born": ["2024-01-31"], "member": [True]}


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("iris")
    with running(folder, write_program(folder / "program"), **IRIS) as started:
        yield started


def tensors(**columns: list[Any]) -> list[dict[str, Any]]:
    kinds = {"name": "BYTES", "age": "FP64", "born": "BYTES", "member": "BOOL"}
    return [
        {"name": name, "datatype": kinds.get(name, "FP64"), "shape": [len(values)], "data": values}
        for name, values in columns.items()
    ]


def infer(server: Server, request: object, model: str = "iris", **headers: str) -> requests.Response:
    content = request if isinstance(request, bytes) else json.dumps(request).encode()
    url = f"{server.url}/v2/models/{model}/infer"
    return requests.post(url, data=content, headers={"Content-Type": JSON, **headers}, timeout=20)


def refused(answer: requests.Response, status: int = 400) -> str:
    assert (answer.status_code, list(answer.json())) == (status, ["error"]), answer.text
    assert answer.headers["content-type"].startswith(JSON)
    return str(answer.json()["error"])


@pytest.mark.parametrize("exchange", json.loads(EXCHANGE.read_text(encoding="utf-8"))["exchange"], ids=str)
def test_a_public_client_is_answered_as_it_was(iris: Server, exchange: dict[str, Any]) -> None:
    body = exchange.get("body", "").encode("latin-1")
    url = iris.url + exchange["path"]
    answer = requests.request(exchange["method"], url, data=body, headers=exchange.get("headers"), timeout=20)
    found = answer.json()
    if exchange["path"] == "/v2":
        del found["version"]
    assert (answer.status_code, found) == (exchange["status"], exchange["answer"])


@pytest.mark.parametrize("kind", [CSV, JSON])
def test_the_columns_of_a_model_of_either_form_go_through(start_server: StartServer, kind: str) -> None:
    server = start_server(**{**IRIS, "input_types": [kind], "output_types": [kind]})
    answer = infer(server, {"id": "a", "inputs": tensors(**FULL)})
    found = answer.json()
    assert (answer.status_code, found["id"], found["model_name"]) == (200, "a", "iris")
    assert {each["name"]: each["data"] for each in found["outputs"]} == FULL
    assert [each["shape"] for each in found["outputs"]] == [[1]] * 4
    job = requests.get(f"{server.url}/data/jobs", timeout=60).json()["data"]["jobs"][0]
    assert (job["id"], job["status"]) == (answer.headers["x-job-id"], "Complete")


def test_an_optional_input_may_be_left_out_and_outputs_be_chosen(iris: Server) -> None:
    inputs = tensors(name=["Al", "Bo"], age=[7, 8.5])
    answer = infer(iris, {"inputs": inputs, "outputs": [{"name": "age"}]})
    assert "id" not in answer.json()
    assert answer.json()["outputs"] == [{"name": "age", "datatype": "FP64", "shape": [2], "data": [7, 8.5]}]
    text = refused(infer(iris, {"inputs": inputs}))
    assert "row 1, born has no value" in text
    assert "cannot be had as tensors" in text


def test_a_column_may_be_a_matrix_of_one_column(iris: Server) -> None:
    inputs = tensors(name=["Al", "Bo"], age=[[7], [8]])
    inputs[0]["shape"] = inputs[1]["shape"] = [2, 1]
    answer = infer(iris, {"inputs": inputs, "outputs": [{"name": "age"}]})
    assert answer.json()["outputs"][0]["data"] == [7, 8]


def test_many_rows_go_through_files(iris: Server) -> None:
    columns: dict[str, list[Any]] = {"name": ["x" * 20] * 20_000, "age": list(range(20_000))}
    answer = infer(iris, {"inputs": tensors(**columns), "outputs": [{"name": "name"}, {"name": "age"}]})
    assert answer.status_code == 200, answer.text
    assert {each["name"]: each["data"] for each in answer.json()["outputs"]} == columns
    eventually(lambda: not [path for path in iris.stored() if path.parent.name == "uploads"])


@pytest.mark.parametrize(
    ("kind", "values"),
    [("INT8", [-128, 127]), ("UINT8", [255]), ("INT64", [-(2**63)]), ("UINT64", [2**64 - 1]), ("FP32", [0.5, 1])],
)
def test_numbers_come_as_any_number_of_the_protocol(iris: Server, kind: str, values: list[float]) -> None:
    inputs = tensors(name=["x"] * len(values), age=values)
    inputs[1]["datatype"] = kind
    answer = infer(iris, {"inputs": inputs, "outputs": [{"name": "age"}]})
    assert answer.json()["outputs"][0]["data"] == values


WRONG: list[tuple[object, str]] = [
    (b"", "the body is empty"),
    (b"{", "damaged"),
    (b"[]", "one JSON object"),
    (b"[" * 100_000, "one JSON object"),
    (b'{"inputs":' + b"[" * 100_000, "nested too deeply"),
    (b"\xff", "not UTF-8"),
    (b'{"inputs":[NaN]}', "NaN is not JSON"),
    (b"1", "with inputs"),
    ({"inputs": []}, "with inputs"),
    ({"inputs": [1]}, "input 1 must be an object"),
    ({"inputs": tensors(**FULL), "id": 7}, "id must be a text"),
    ({"inputs": tensors(**FULL), "id": "x" * 256}, "at most 255"),
    ({"inputs": tensors(**FULL), "outputs": [{"name": "other"}]}, "outputs must name some of name, age, born, member"),
    ({"inputs": tensors(**FULL), "outputs": "age"}, "outputs must name"),
    ({"inputs": tensors(**FULL), "parameters": []}, "parameters must be an object"),
    ({"inputs": tensors(**FULL), "parameters": {"sequence_id": 1}}, "sequence_id is not part"),
    ({"inputs": tensors(**FULL), "outputs": [{"name": "age", "parameters": {"classification": 1}}]}, "classification"),
    ({"inputs": tensors(**FULL, other=[1])}, "input 'other' is not one of the model"),
    ({"inputs": tensors(**FULL) + tensors(age=[1])}, "input 'age' is there twice"),
    ({"inputs": tensors(name=["x"])}, "input 'age' is missing"),
    ({"inputs": tensors(name=["x"], age=[1, 2])}, "the same first dimension"),
    ({"inputs": tensors(name=[1], age=[1])}, "input 'name', row 1 is no BYTES"),
    ({"inputs": tensors(name=["x"], age=["1"])}, "input 'age', row 1 is no FP64"),
    ({"inputs": tensors(name=["x"], age=[True])}, "input 'age', row 1 is no FP64"),
    ({"inputs": tensors(name=["x"], age=[None])}, "input 'age', row 1 is no FP64"),
    ({"inputs": tensors(name=["x"], age=[1], member=[1])}, "input 'member', row 1 is no BOOL"),
    ({"inputs": tensors(name=["x"], age=[1], born=["soon"])}, "a date like"),
]


@pytest.mark.parametrize(("request_", "text"), WRONG, ids=[text for _, text in WRONG])
def test_what_is_wrong_is_named_in_the_form_of_the_protocol(iris: Server, request_: object, text: str) -> None:
    assert text in refused(infer(iris, request_))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"datatype": "FP16"}, "FP16 has no form in JSON"),
        ({"datatype": "BOOL"}, "its datatype must be FP64 or"),
        ({"datatype": ["FP64"]}, "its datatype must be FP64 or"),
        ({"datatype": "INT8", "data": [128]}, "row 1 is no INT8"),
        ({"datatype": "UINT8", "data": [-1]}, "row 1 is no UINT8"),
        ({"datatype": "INT32", "data": [1.5]}, "row 1 is no INT32"),
        ({"shape": [2]}, "its shape must be [N] or [N, 1]"),
        ({"shape": [True]}, "its shape must be"),
        ({"shape": [1, 2]}, "its shape must be"),
        ({"shape": None}, "its shape must be"),
        ({"shape": [1], "data": [[1]]}, "row 1 is no FP64"),
        ({"data": None}, "binary tensors are not taken"),
        ({"data": "1"}, "needs data, a list"),
        ({"parameters": {"binary_data_size": 8}}, "binary_data_size is not part"),
        ({"parameters": {"shared_memory_region": "x"}}, "shared_memory_region is not part"),
        ({"name": ["age"]}, "must be an object with name"),
    ],
    ids=str,
)
def test_a_tensor_that_is_wrong_is_refused_by_name(iris: Server, change: dict[str, Any], text: str) -> None:
    inputs = tensors(name=["x"], age=[1])
    inputs[1].update(change)
    assert text in refused(infer(iris, {"inputs": inputs}))


def test_several_problems_are_told_at_once(iris: Server) -> None:
    text = refused(infer(iris, {"inputs": tensors(name=[1, "x", 2], age=["a", 1, 2]), "id": 1}))
    assert text == "input 'name', row 1 is no BYTES; input 'name', row 3 is no BYTES; input 'age', row 1 is no FP64"


def test_what_is_larger_than_its_bounds_is_refused_before_it_is_read(iris: Server) -> None:
    large = b'{"inputs":[{"name":"name","data":["' + b"x" * bounds.INFERENCE_BYTES + b'"]}]}'
    assert "larger than" in refused(infer(iris, large), 413)
    many = b'{"inputs":[' + b"0," * bounds.RECORD_VALUES + b"0]}"
    assert f"more than {bounds.RECORD_VALUES} values" in refused(infer(iris, many))
    assert not [path for path in iris.stored() if path.parent.name == "uploads"]
    assert "without Content-Encoding" in refused(infer(iris, b"x", **{"Content-Encoding": "gzip"}), 415)


def test_another_model_version_or_path_is_not_here(iris: Server) -> None:
    for path in (
        "/v2/models/other",
        "/v2/models/iris/versions/2",
        "/v2/models/other/ready",
        "/v2/nothing",
        "/v2/models",
    ):
        refused(requests.get(iris.url + path, timeout=60), 404)
    assert "iris, version 1" in refused(infer(iris, {}, "other"), 404)
    assert "run the model" in refused(requests.post(f"{iris.url}/v2/models/iris", timeout=60), 405)
    assert requests.get(f"{iris.url}/v2/models/iris/versions/1", timeout=60).json()["versions"] == ["1"]


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({}, "this model declares none"),
        ({"input": FIELDS}, "of the output: tensors are columns of a schema"),
        (
            {"input": [{"Path": "a/b", "DataType": "number"}], "output": FIELDS},
            "of the input: tensors are columns, and",
        ),
        ({"input": FIELDS, "output": [{"Path": "a[*]", "DataType": "number"}]}, "these fields are nested: a[*]"),
    ],
)
def test_a_model_without_columns_says_so(start_server: StartServer, schema: dict[str, Any], text: str) -> None:
    server = start_server(**{**IRIS, "schema": schema, "input_types": [JSON], "output_types": [JSON]})
    assert text in refused(requests.get(f"{server.url}/v2/models/iris", timeout=60))
    assert text in refused(infer(server, {"inputs": tensors(**FULL)}))
    assert requests.get(f"{server.url}/v2/models/iris/ready", timeout=60).json() == {"name": "iris", "ready": True}


def test_the_end_of_a_job_in_the_form_of_the_protocol(start_server: StartServer, program_folder: Path) -> None:
    program = "import sys, time; name = open(sys.argv[1]).read().split(chr(10))[1].split(',')[0]\n"
    program += "time.sleep(2.5) if name == 'slow' else sys.exit('no good') if name == 'bad' else None\n"
    program += "open(sys.argv[2], 'w').write('name,age\\n' + name + (',x' if name == 'odd' else ',1'))\n"
    program += f"open(sys.argv[2], 'ab').truncate({bounds.INFERENCE_RESULT_BYTES + 1}) if name == 'huge' else None"
    (program_folder / "main.py").write_text(program, encoding="utf-8")
    server = start_server(name="iris", version="1", schema={"input": FIELDS[:2], "output": FIELDS[:2]})
    good = infer(server, {"inputs": tensors(name=["x"], age=[1])})
    assert [each["data"] for each in good.json()["outputs"]] == [["x"], [1]]
    bad = infer(server, {"inputs": tensors(name=["bad"], age=[1])})
    assert (refused(bad), "x-job-id" in bad.headers) == ("no good", True)
    odd = infer(server, {"inputs": tensors(name=["odd"], age=[1])})
    assert "row 1, age: a number is needed, 'x' is there" in refused(odd)
    huge = infer(server, {"inputs": tensors(name=["huge"], age=[1])})
    assert f"it is larger than {bounds.INFERENCE_RESULT_BYTES} bytes" in refused(huge)
    url = f"{server.url}/v2/models/iris/infer?wait=1"
    slow = requests.post(url, json={"inputs": tensors(name=["slow"], age=[1])}, timeout=20)
    assert slow.headers["x-job-id"] in refused(slow, 504)
    assert server.wait(slow.headers["x-job-id"])["errorMessage"] is None


def test_the_same_key_is_the_same_job(iris: Server) -> None:
    request = {"id": "1", "inputs": tensors(**FULL)}
    first, again = (infer(iris, request, **{"Idempotency-Key": "infer once"}) for _ in range(2))
    assert (first.headers["x-job-id"], first.json()) == (again.headers["x-job-id"], again.json())
    other = {"inputs": tensors(**{**FULL, "age": [8]})}
    refused(infer(iris, other, **{"Idempotency-Key": "infer once"}), 422)


def test_before_the_self_proof_nothing_is_ready_and_no_job_is_taken(start_server: StartServer) -> None:
    server = start_server(**IRIS, extra={"unproved": lambda: "the model has not yet answered its sample"})
    assert requests.get(f"{server.url}/v2/health/live", timeout=60).status_code == 200
    for path in ("/v2/health/ready", "/v2/models/iris/ready"):
        answer = requests.get(server.url + path, timeout=60)
        assert (answer.status_code, answer.json()["ready"]) == (503, False)
    answer = infer(server, {"inputs": tensors(**FULL)})
    assert "has not yet answered" in refused(answer, 503)
    assert answer.headers["retry-after"] == "5"
