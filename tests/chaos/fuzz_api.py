"""Asks a real server for everything that can be asked, wrongly too: no 5xx, nothing of its inside in an answer.

    python tests/chaos/fuzz_api.py [REQUESTS] [SEED]

Three models are served, each by `python -m model_server` in a process of its own: CSV with a schema, nested JSON with a
schema, plain text. Requests come from schemathesis, by the server's own OpenAPI document, and from strategies below:
mappings, CSV, JSON, MIME types, multipart bodies, paths. Prints what was sent and what came back; exit code 1 at the
first answer that is not as it must be, with the request that hypothesis shrank it to.
"""

import http.client
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.openapi import from_url
from schemathesis.specs.openapi import checks as openapi_checks

LIB = Path(__file__).resolve().parents[2] / "lib"
PROMISES = [
    not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
    openapi_checks.response_headers_conformance,
]
#: What an answer must never hold: places in the image or on this computer, and how Python tells of a fault.
INSIDE = ("Traceback", 'File "', "site-packages", "/opt/model-server", "/var/gai_data", "sqlalchemy", str(LIB))

COPY = ["cp", "{input}", "{output}"]
TABLE = [
    {"Path": "name", "DataType": "string"},
    {"Path": "age", "DataType": "number"},
    {"Path": "born", "DataType": "date", "Optional": True},
    {"Path": "member", "DataType": "boolean", "Optional": True},
]
NESTED = [
    {"Path": "order/id", "DataType": "number"},
    {"Path": "order/items[*]/price", "DataType": "number", "Optional": True},
    {"Path": "tags[0]", "DataType": "string", "Optional": True},
]
MODELS: Mapping[str, Mapping[str, object]] = {
    "csv": {
        "input_types": ["text/csv; header=present"],
        "output_types": ["text/csv; header=present"],
        "schema": {"input": TABLE, "output": TABLE},
    },
    "json": {
        "input_types": ["application/json"],
        "output_types": ["application/json"],
        "schema": {"input": NESTED, "output": NESTED},
    },
    "text": {"input_types": ["text/plain"], "output_types": ["application/octet-stream"]},
}


@dataclass
class Tally:
    """The requests sent, by kind, and the answers to them, by status."""

    sent: Counter[str] = field(default_factory=Counter)
    answered: Counter[int] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return sum(self.sent.values())

    def add(self, kind: str, status: int, text: str, inside: tuple[str, ...]) -> None:
        """Count an answer that is as it must be; raise AssertionError else."""
        self.sent[kind] += 1
        self.answered[status] += 1
        assert status < 500, f"{kind}: HTTP {status}: {text[:300]}"
        for place in inside:
            assert place not in text, f"{kind}: the answer shows {place!r}: {text[:300]}"


# What is sent.

names = st.sampled_from(["name", "age", "born", "member", "order", "items", "tags", "1", "2", "A b", "ä", "NAME"])
vectors = st.sampled_from(
    ["", "[*]", "[0]", "[1+2]", "[0-1]", "[2,3]", "[3-1]", "[", "[99999]", "[0][1]", "[x]", "[0,*]"]
)
paths = st.one_of(
    st.lists(st.builds("{}{}".format, names, vectors), min_size=1, max_size=3).map("/".join),
    st.text(max_size=12),
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=True),
    st.text(max_size=20),
    st.sampled_from(["1", "2024-01-01"]),
)
rules = st.fixed_dictionaries(
    {},
    optional={
        "source": paths,
        "Destination": paths,
        "defaultValue": scalars | st.just([]),
        "other": scalars,
    },
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | st.text(max_size=5), inner, max_size=4)
)
mappings = st.one_of(
    st.just(""),
    st.just(""),
    st.sampled_from(
        ['[{"source":"name","destination":"n"}]', '[{"source":"order/items[*]/price","destination":"p[*]"}]']
    ),
    st.lists(rules, max_size=4).map(json.dumps),
    values.map(json.dumps),
    st.text(max_size=40),
    st.just("[" * 20000),
    st.just('[{"source":"\\ud800","destination":"\\udc00[","x\\ud800":1}]'),
)
cells = st.one_of(
    st.text(max_size=8), st.integers().map(str), st.sampled_from(["", "yes", "2024-02-30", "1e999", '"', "NaN", "a\nb"])
)
tables = st.lists(st.lists(names | cells, max_size=5).map(",".join), max_size=5).map("\n".join)
documents = values.map(json.dumps)
good = st.sampled_from(
    [
        b"name,age\nAl,7\nBo,8.5\n",
        b"born,age,name,member,x\n2024-01-31,7,Al,yes,1\n",
        b'[{"name":"Al","age":7,"order":{"id":1,"items":[{"price":2}]},"tags":["a"]}]',
        b'{"name":"Al","age":"7","order":{"id":"1"}}',
    ]
)
contents = st.one_of(
    good,
    good,
    tables.map(lambda text: text.encode("utf-8", "replace")),
    documents.map(str.encode),
    st.binary(max_size=200),
    st.just(b"[" * 50_000),
    st.just(b'{"a":' * 5_000),
    st.just(b'[{"a":"\\ud800","order":{"id":1}}]'),
)
types = st.one_of(
    st.just(""),
    st.sampled_from(
        [
            "",
            "text/csv",
            "text/csv; header=present",
            "TEXT/CSV;HEADER=ABSENT",
            "application/json",
            "text/plain",
            "*/*",
            "a/b;c",
        ]
    ),
    st.text(max_size=30),
)
field_names = st.sampled_from(
    ["File", "file", "MimeType", "Mappings", "OUTPUTMAPPINGS", "CallbackUrl", "Pipeline", "x", ""]
)
urls = st.one_of(
    st.just(""),
    st.sampled_from(["http://127.0.0.1:9/", "ftp://x", "http://", "//x", "http://[::1"]),
    st.text(max_size=20),
)
header_safe = st.characters(codec="latin-1", exclude_categories=["Cc"])
parts = st.builds(
    lambda name, extra, body: (
        b'--b\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n' % (name.encode(), extra, body)
    ),
    field_names,
    st.sampled_from(
        [b"", b'; filename="f"', b"; filename*=utf-8''%ff", b"\r\nContent-Type: \xff", b"\r\nX" * 40, b'; name="File"']
    ),
    contents,
)
bodies = st.one_of(
    st.lists(parts, max_size=4).map(lambda items: b"".join(items) + b"--b--\r\n"),
    st.lists(parts, max_size=2).map(b"".join),
    st.binary(max_size=300),
)
content_types = st.one_of(
    st.just("multipart/form-data; boundary=b"),
    st.sampled_from(["multipart/form-data", "multipart/form-data; boundary=", "application/json", "text/plain", ""]),
    st.text(header_safe, max_size=40).map(lambda text: f"multipart/form-data; boundary={text}".strip()),
)
SEGMENTS = (
    *(
        "data",
        "status",
        "result",
        "json",
        "csv",
        "delete",
        "jobs",
        "mapping",
        "api",
        "license",
        "file",
        "Job",
        "static",
    ),
    *("swagger", "v1", "swagger.json", "AddJob", "Mapping", "ready", "metrics", "..", "%2e%2e", "%00", "~", "etc"),
)
OTHER_SEGMENTS = ("v2", "models", "versions", "infer", "health", "live", "jobs", "latest", "result-link", "ping")
raw_segments = st.sampled_from((*SEGMENTS, *OTHER_SEGMENTS)) | st.binary(max_size=8).map(
    lambda raw: "".join(f"%{byte:02x}" for byte in raw)
)
raw_paths = st.lists(raw_segments, max_size=5).map(lambda items: "/" + "/".join(items))
queries = st.one_of(
    st.just(""),
    st.sampled_from(["?limit=0", "?limit=x&offset=-1", "?wait=0", "?offset=" + "9" * 30, "?a", "?limit=1&limit=2"]),
)
tensors = st.fixed_dictionaries(
    {},
    optional={
        "name": names | scalars,
        "datatype": st.sampled_from(["FP64", "BYTES", "BOOL", "INT8", "UINT64", "FP16"]) | scalars,
        "shape": st.lists(st.integers(-1, 3), max_size=3) | scalars,
        "data": st.lists(scalars | st.lists(scalars, max_size=2), max_size=4) | scalars,
        "parameters": values,
    },
)
whole = [
    {"name": "name", "datatype": "BYTES", "shape": [2], "data": ["Al", "\u00e4"]},
    {"name": "age", "datatype": "INT8", "shape": [2, 1], "data": [7, 8]},
    {"name": "born", "datatype": "BYTES", "shape": [2], "data": ["2024-01-31", "2024-02-29"]},
    {"name": "member", "datatype": "BOOL", "shape": [2], "data": [True, False]},
]
inferences = st.fixed_dictionaries(
    {"inputs": st.just(whole) | st.lists(tensors, max_size=3).map(lambda more: [*whole, *more]) | values},
    optional={"id": scalars, "outputs": st.lists(tensors, max_size=3) | scalars, "parameters": values},
)
methods = st.sampled_from(["GET", "POST", "DELETE", "HEAD", "PUT", "OPTIONS", "PATCH"])


class Fuzzer:
    """Asks one server."""

    def __init__(self, url: str, inside: tuple[str, ...], tally: Tally, start: int) -> None:
        self.url = url
        self._inside = (*INSIDE, *inside)
        self._tally = tally
        self._seed = start
        self._session = requests.Session()
        self._session.trust_env = False
        self._jobs = ["00000000-0000-4000-8000-000000000000"]
        self.kinds = (self.forms, self.multipart, self.results, self.paths, self.documents, self.bodies)

    def described(self, examples: int) -> None:
        """Send everything that the OpenAPI document describes: as described, and not quite."""
        load_all_checks()
        schema = from_url(f"{self.url}/swagger/v1/swagger.json")
        for found in schema.get_all_operations():
            operation = found.ok()
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                with suppress(Unsatisfiable):  # without parameters there is nothing to get wrong
                    self._run(examples, self._described, operation.as_strategy(generation_mode=mode))

    def forms(self, examples: int) -> None:
        """Send jobs and mapping files: mappings, data, types."""
        self._run(
            examples,
            self._form,
            st.sampled_from(["/data/add-job", "/data/add-job", "/data/mapping", "/AddJob", "/Mapping"]),
            contents,
            types,
            types,
            mappings,
            mappings,
            urls,
        )

    def multipart(self, examples: int) -> None:
        """Send bodies that are forms, or nearly."""
        addresses = [
            "/data/add-job",
            "/data/mapping",
            "/AddJob",
            "/api/license/file",
            "/api/license",
            "/License",
            "/api/v1/jobs",
        ]
        self._run(
            examples,
            self._raw,
            st.just("multipart"),
            st.just("POST"),
            st.sampled_from(addresses),
            bodies,
            content_types,
        )

    def documents(self, examples: int) -> None:
        """Send JSON where JSON is taken."""
        body = (
            documents.map(str.encode)
            | contents
            | st.builds(lambda value: json.dumps({"License": value}).encode(), values)
        )
        self._run(
            examples,
            self._raw,
            st.just("json"),
            st.just("POST"),
            st.just("/api/license"),
            body,
            st.just("application/json"),
        )

    def bodies(self, examples: int) -> None:
        """Send bodies that are the data, and tensors."""
        address = st.sampled_from(["/invocations", "/v2/models/csv/infer", "/v2/models/csv/versions/1/infer"])
        body = contents | inferences.map(lambda value: json.dumps(value).encode("utf-8", "replace"))
        kinds = types.map(
            lambda text: text.encode("latin-1", "replace").decode("latin-1").translate({13: None, 10: None})
        )
        self._run(examples, self._raw, st.just("body"), st.just("POST"), address, body, kinds.map(str.strip))

    def paths(self, examples: int) -> None:
        """Send any path by any method."""
        self._run(
            examples,
            self._raw,
            st.just("path"),
            methods,
            st.builds("{}{}".format, raw_paths, queries),
            st.just(b""),
            st.just(""),
        )

    def results(self, examples: int) -> None:
        """Ask for status and results of jobs that there are, in all forms; delete some."""
        kinds = st.sampled_from(["status", "result", "result", "result/json", "result/csv", "delete"])
        self._run(examples, self._result, kinds, st.integers(0, 10**6))

    def _run(self, examples: int, function: Callable[..., None], *strategies: st.SearchStrategy[Any]) -> None:
        self._seed += 1
        bounded = settings(
            max_examples=examples,
            deadline=None,
            database=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        )

        def ask(values: tuple[Any, ...]) -> None:
            function(*values)

        seed(self._seed)(bounded(given(st.tuples(*strategies))(ask)))()

    def _described(self, case: schemathesis.Case[Any]) -> None:
        answer = case.call(base_url=self.url, session=self._session, timeout=20)
        text = answer.content.decode("utf-8", "replace")  # a result may be any bytes
        self._tally.add("described", answer.status_code, text, self._inside)
        case.validate_response(answer, checks=PROMISES)

    def _form(
        self, address: str, content: bytes, mime: str, part: str, mapping: str, output: str, callback: str
    ) -> None:
        part_type = part.encode("latin-1", "replace").decode("latin-1").translate({13: None, 10: None})
        fields = {"MimeType": mime, "Mappings": mapping, "OutputMappings": output, "CallbackUrl": callback}
        encoded = {key: text.encode("utf-8", "replace") for key, text in fields.items()}
        files = {"File": ("data", content, part_type)}
        answer = self._session.post(self.url + address, files=files, data=encoded, timeout=20, allow_redirects=False)
        self._tally.add("form", answer.status_code, answer.text, self._inside)
        if address == "/data/add-job" and answer.status_code == 200:
            self._jobs.append(answer.json()["data"]["id"])

    def _raw(self, kind: str, method: str, address: str, body: bytes, content_type: str) -> None:
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
        try:
            headers = {"Content-Type": content_type} if content_type else {}
            connection.request(method, address, body, headers)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        finally:
            connection.close()
        # What people write for the files that are served is not ours to judge.
        inside = () if address.startswith("/static/") and answer.status == 200 else self._inside
        self._tally.add(kind, answer.status, text, inside)

    def _result(self, kind: str, number: int) -> None:
        job = self._jobs[number % len(self._jobs)]
        method = "DELETE" if kind == "delete" and number % 7 == 0 else "GET"
        answer = self._session.request(method, f"{self.url}/data/{kind}/{job}", timeout=20)
        self._tally.add("result", answer.status_code, answer.text, self._inside)


def run(fuzzers: list[Fuzzer], tally: Tally, wanted: int) -> None:
    """Send at least `wanted` requests, every kind to every server."""
    share = max(2, wanted // (len(fuzzers) * 200))
    for fuzzer in fuzzers:
        fuzzer.described(share)
    while tally.total < wanted:
        for fuzzer in fuzzers:
            part = max(5, min(250, (wanted - tally.total) // len(fuzzers) // 7))
            for kind in (*fuzzer.kinds, fuzzer.forms):
                kind(part)


def manifest(model: str, folder: Path) -> str:
    """Return the manifest of one of MODELS."""
    document = {
        "name": model,
        "version": "1",
        "build_id": "fuzz",
        "command": COPY,
        "working_directory": str(folder),
        **MODELS[model],
        "limits": {"timeout_seconds": 20, "upload_bytes": 100_000},
    }
    return json.dumps(document)


@contextmanager
def served(model: str, folder: Path, **variables: str) -> Iterator[str]:
    """Run a server in its own process, with further `variables`, until the block ends; yield its URL."""
    (folder / "model.json").write_text(manifest(model, folder), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "PYTHONPATH": str(LIB),
        "MODEL_MANIFEST": str(folder / "model.json"),
        "MODEL_SERVER_HOST": "127.0.0.1",
        "MODEL_SERVER_PORT": str(port),
        "MODEL_SERVER_USER": f"{os.geteuid()}:{os.getegid()}",
        "GAI_VOLUME_PATH": str(folder / "data"),
        **variables,
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "model_server"], env=environment, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 30
        while True:
            with suppress(requests.ConnectionError):
                requests.get(f"{url}/health", timeout=5)
                break
            assert process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.05)
        yield url
        assert process.poll() is None, "the server has died"
        assert "Traceback" not in (folder / "log").read_text(errors="replace"), f"a fault in the log of {model}"
    finally:
        process.terminate()
        process.wait(60)


def main() -> int:
    """Run all of it; return the exit code."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    start = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(10**6)
    tally = Tally()
    began = time.monotonic()
    print(f"{wanted} requests, seed {start}", flush=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        for number, model in enumerate(MODELS):
            folder = Path(name, model)
            folder.mkdir()
            with served(model, folder) as url:
                fuzzer = Fuzzer(url, (name,), tally, start + 1000 * number)
                run([fuzzer], tally, wanted * (number + 1) // len(MODELS))
    print(f"{tally.total} requests in {time.monotonic() - began:.0f} s; no 5xx, nothing of the inside shown")
    print("sent:", ", ".join(f"{kind} {count}" for kind, count in sorted(tally.sent.items())))
    print("answered:", ", ".join(f"{status}: {count}" for status, count in sorted(tally.answered.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
