"""Attacks on the doors: without a key, with a wrong one, with a session that is none, from a page of somebody else."""

import re
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import requests

from model_server.access import Keys
from tests.rig.waiting import eventually

from .conftest import Target, serving

OWNER, ANN, BOB = "owner-0123456789abcdef", "ann-0123456789abcdef", "bob-0123456789abcdef"
NEW_OWNER = "owner-fedcba9876543210"
NO_JOB = "00000000-0000-4000-8000-000000000000"
NO_LINK = f"/data/result/{NO_JOB}?link=9999999999.{'0' * 64}"
#: Everything but what is open.
CLOSED = [
    *(("GET", path) for path in ("/", "/License", "/AddJob", "/Mapping", "/Jobs", f"/Job/{NO_JOB}")),
    *(("GET", path) for path in (f"/Job/{NO_JOB}/Delete", "/swagger", "/swagger/", "/swagger/index.html")),
    *(("GET", path) for path in ("/swagger/v1/swagger.json", "/data/jobs", "/data/supported-mime-types", "/metrics")),
    *(("GET", path) for path in ("/api/license", f"/data/status/{NO_JOB}", f"/data/result/{NO_JOB}")),
    *(("GET", path) for path in (f"/data/result/json/{NO_JOB}", f"/data/result/csv/{NO_JOB}", "/nothing", "/login")),
    *(("GET", path) for path in ("/Login/../data/jobs", "//data/jobs", "/static", "/health/")),
    *(("POST", path) for path in ("/data/add-job", "/data/run-job", "/data/mapping", "/api/license", "/AddJob")),
    *(("POST", path) for path in ("/api/license/file", "/License", "/Mapping", f"/Job/{NO_JOB}/Delete", "/Logout")),
    *(("GET", path) for path in ("/openapi.json", "/v2", "/v2/", "/v2/models/upper", "/v2/models/upper/ready")),
    *(("GET", path) for path in ("/v2/models/upper/versions/1.2", "/v2/health", "/ping/", "/v2/health/live/")),
    *(("GET", f"/api/v1/jobs/{path}") for path in ("latest", NO_JOB, f"result-link/{NO_JOB}")),
    *(("POST", path) for path in ("/invocations", "/v2/models/upper/infer", "/api/v1/jobs")),
    *(("POST", path) for path in ("/v2/models/upper/versions/1.2/infer", "/invocations/", f"{NO_LINK}")),
    ("GET", NO_LINK),
    ("DELETE", f"/data/delete/{NO_JOB}"),
    ("HEAD", "/data/jobs"),
    ("OPTIONS", "/data/jobs"),
]


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    keys = {"MODEL_API_KEY": f"{OWNER} {NEW_OWNER}", "MODEL_API_KEY_ANN": ANN, "MODEL_API_KEY_BOB": BOB}
    with serving(tmp_path_factory.mktemp("closed"), keys) as started:
        yield started


def ask(target: Target, method: str, path: str, key: str = "", **options: object) -> requests.Response:
    """Send one request, with the path as it is: nothing of it is made shorter on its way."""
    headers = {**({"x-api-key": key} if key else {}), **options.pop("headers", {})}  # type: ignore[dict-item]
    request = requests.Request(method, target.url, headers=headers, **options).prepare()  # type: ignore[arg-type]
    request.url = target.url + path
    with requests.Session() as session:
        return session.send(request, timeout=10, allow_redirects=False)


def send(target: Target, key: str, content: bytes = b"n\nx\n", **headers: str) -> requests.Response:
    return ask(target, "POST", "/data/add-job", key, files={"File": content}, headers=headers)


def job_of(answer: requests.Response) -> str:
    assert answer.status_code == 200, answer.text
    return str(answer.json()["data"]["id"])


def log_in(target: Target, key: str) -> str:
    """Log in; return the cookie of the session, as a browser sends it."""
    answer = ask(target, "POST", "/Login", files={"Key": ("", key)})
    assert answer.status_code == 303, answer.text
    return answer.headers["set-cookie"].partition(";")[0]


@pytest.mark.parametrize(
    "key",
    ["", "x", OWNER[:-1], OWNER + "x", OWNER.upper(), f"{OWNER} {NEW_OWNER}", f"{OWNER},{ANN}", "\xff" * 20],
    ids=["missing", "wrong", "prefix", "longer", "letter case", "both", "list", "latin-1"],
)
def test_nothing_but_what_is_open_answers_without_a_key_of_ours(closed: Target, key: str) -> None:
    headers = {"x-api-key": key.encode("latin-1")} if key else {}
    for method, path in CLOSED:
        answer = ask(closed, method, path, headers=headers)
        assert answer.status_code == 401, (method, path)
        assert answer.headers["www-authenticate"] == "ApiKey"
        assert answer.headers["cache-control"] == "no-store"
        assert OWNER not in answer.text
    assert ask(closed, "GET", "/static/../data/jobs", headers=headers).status_code in (401, 404)
    assert requests.get(f"{closed.url}/health", timeout=10).text == "Health check is ok"
    for path in ("/ready", "/ping", "/v2/health/live", "/v2/health/ready"):
        assert requests.get(closed.url + path, timeout=10).ok
    assert requests.get(f"{closed.url}/static/style.css", timeout=10).ok


def test_two_keys_in_one_request_are_none(closed: Target) -> None:
    with closed.connect() as connection:
        head = f"GET /data/jobs HTTP/1.1\r\nHost: x\r\nx-api-key: wrong\r\nX-API-Key: {OWNER}\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 401 ")


def test_each_key_opens_while_an_old_one_is_replaced(closed: Target) -> None:
    for key in (OWNER, NEW_OWNER, ANN, BOB):
        assert ask(closed, "GET", "/data/jobs", key).status_code == 200


def test_a_key_sees_its_own_jobs_and_no_others(closed: Target) -> None:
    job = job_of(send(closed, ANN, b"n\nsecret of ann\n"))
    eventually(lambda: ask(closed, "GET", f"/data/result/{job}", ANN).status_code == 200)
    read = [f"/data/status/{job}", f"/data/result/{job}", f"/data/result/json/{job}", f"/data/result/csv/{job}"]
    for path in (*read, f"/Job/{job}", f"/Job/{job}/Delete"):
        assert ask(closed, "GET", path, ANN).status_code == 200
        assert ask(closed, "GET", path, OWNER).status_code == 200
        refused = ask(closed, "GET", path, BOB)
        none = ask(closed, "GET", path.replace(job, NO_JOB), BOB)
        assert (refused.status_code, refused.text) == (404, none.text)
    for path in ("/data/jobs", "/Jobs", "/"):
        listed = ask(closed, "GET", path, BOB).text
        assert job not in listed
        assert "1 complete" not in listed
    assert ask(closed, "GET", "/data/jobs", BOB).json()["data"]["total"] == 0
    assert ask(closed, "GET", "/data/jobs", ANN).json()["data"]["total"] == 1
    for method, path in (("DELETE", f"/data/delete/{job}"), ("POST", f"/Job/{job}/Delete")):
        assert ask(closed, method, path, BOB).status_code == 404
    assert ask(closed, "DELETE", f"/data/delete/{job}", ANN).status_code == 200


def test_an_idempotency_key_does_not_lead_to_the_job_of_another(closed: Target) -> None:
    jobs = [job_of(send(closed, key, **{"Idempotency-Key": "1"})) for key in (ANN, BOB, OWNER, ANN)]
    assert len(set(jobs)) == 3
    assert jobs[0] == jobs[3]


def test_a_login_is_a_session_that_scripts_and_other_sites_do_not_get(closed: Target) -> None:
    answer = ask(closed, "POST", "/Login", files={"Key": ("", ANN)})
    assert answer.headers["location"] == "./"
    attributes = answer.headers["set-cookie"].split("; ")[1:]
    assert {"HttpOnly", "SameSite=Strict", "Max-Age=28800"} == set(attributes)
    assert ANN not in answer.headers["set-cookie"]
    secure = ask(closed, "POST", "/Login", files={"Key": ("", ANN)}, headers={"x-forwarded-proto": "https"})
    assert secure.headers["set-cookie"].endswith("; Secure")
    cookie = answer.headers["set-cookie"].partition(";")[0]
    for path in ("/", "/Jobs", "/AddJob", "/data/jobs"):
        assert ask(closed, "GET", path, headers={"Cookie": f"a=b; {cookie}"}).status_code == 200
    gone = ask(closed, "POST", "/Logout", headers={"Cookie": cookie})
    assert (gone.headers["location"], "Max-Age=0" in gone.headers["set-cookie"]) == ("Login", True)


def test_a_login_with_a_wrong_key_gets_no_session(closed: Target) -> None:
    for key in ("x", ANN[:-1], "é" * 20):
        answer = ask(closed, "POST", "/Login", files={"Key": ("", key.encode())})
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers
    assert ask(closed, "POST", "/Login", files={"Key": ("", b"x" * 100_000)}).status_code == 413


def test_a_session_cannot_be_forged_prolonged_or_taken_elsewhere(closed: Target) -> None:
    name, _, value = log_in(closed, ANN).partition("=")
    expires, _, signature = value.partition(".")
    other = Keys({"MODEL_API_KEY": "another-0123456789abcdef"}, "upper")
    holder = other.holder_of("another-0123456789abcdef")
    assert holder is not None
    elsewhere = Keys({"MODEL_API_KEY_ANN": ANN}, "other model")
    ann = elsewhere.holder_of(ANN)
    assert ann is not None
    past = Keys({"MODEL_API_KEY_ANN": ANN}, "upper", clock=lambda: time.time() - 9 * 3600)
    forged = {
        "later": f"{int(expires) + 1}.{signature}",
        "never": f"999999999999.{signature}",
        "changed": f"{expires}.{signature[:-1]}{'0' if signature[-1] != '0' else '1'}",
        "shorter": f"{expires}.{signature[:-2]}",
        "unsigned": f"{expires}.",
        "empty": "",
        "upper case": f"{expires}.{signature.upper()}" if signature.upper() != signature else "",
        "the key itself": ANN,
        "of another key": other.session(holder),
        "of another model": elsewhere.session(ann),
        "expired": past.session(ann),
    }
    for what, text in forged.items():
        answer = ask(closed, "GET", "/data/jobs", headers={"Cookie": f"{name}={text}"})
        assert answer.status_code == 401, what
    assert ask(closed, "GET", "/data/jobs", headers={"Cookie": f"{name}={value}"}).status_code == 200


def test_how_long_a_wrong_key_takes_says_nothing_about_the_right_one() -> None:
    """Compare two wrong keys: who stops at the first difference takes a multiple for one that ends wrong."""
    keys = Keys({"MODEL_API_KEY": "k" * 256}, "upper")

    def seconds(shown: str) -> float:
        began = time.perf_counter()
        for _ in range(200):
            assert keys.holder_of(shown) is None
        return time.perf_counter() - began

    near, far = "k" * 255 + "x", "x" * 256
    pairs = [(seconds(near), seconds(far)) for _ in range(21)]
    ratio = statistics.median(a / b for a, b in pairs)
    assert 0.5 < ratio < 2


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "http://127.0.0.1.evil.example"},
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_page_of_another_site_changes_nothing(target: Target, closed: Target, headers: dict[str, str]) -> None:
    session = {"Cookie": log_in(closed, OWNER)}
    for attacked, more in ((target, {}), (closed, session)):
        form = {"files": {"File": b"n\nx\n", "License": b"x", "Key": b"x"}, "headers": {**more, **headers}}
        total = ask(attacked, "GET", "/data/jobs", headers=more).json()["data"]["total"]
        paths = ("/data/add-job", "/data/run-job", "/AddJob", "/License", "/api/license/file", "/Login", "/Mapping")
        others = ("/invocations", "/v2/models/upper/infer", "/api/v1/jobs")
        for path in (*paths, *others, f"/Job/{NO_JOB}/Delete", "/Logout"):
            assert ask(attacked, "POST", path, **form).status_code == 403, path  # type: ignore[arg-type]
        assert ask(attacked, "DELETE", f"/data/delete/{NO_JOB}", headers={**more, **headers}).status_code == 403
        assert ask(attacked, "GET", "/data/jobs", headers=more).json()["data"]["total"] == total


@pytest.mark.parametrize("name", ["Origin", "X-Forwarded-Host"])
def test_a_page_of_our_own_does(target: Target, name: str) -> None:
    headers = {"Origin": target.url}
    if name == "X-Forwarded-Host":
        headers = {"Origin": "https://models.example", "X-Forwarded-Host": "models.example"}
    assert send(target, "", **headers).status_code == 200
    assert send(target, "", **{"Sec-Fetch-Site": "same-origin", "Origin": target.url}).status_code == 200


def test_a_name_that_is_bound_to_our_address_gets_nothing(
    serve: Callable[..., AbstractContextManager[Target]],
) -> None:
    """Try DNS rebinding: to the browser, the page that asks and this server are one site."""
    hosts = {"MODEL_ALLOWED_HOSTS": "localhost, 127.0.0.1, Models.Example"}
    with serve(environment=hosts) as target:
        wrong = ("evil.example", "localhost.evil.example", "evil.example:80", "", "localhost@evil.example", "[::1]")
        for host in wrong:
            headers = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
            others = ("/v2", "/api/v1/jobs/latest", "/openapi.json", NO_LINK)
            for path in ("/", "/data/jobs", "/metrics", "/swagger/v1/swagger.json", "/static/style.css", *others):
                assert ask(target, "GET", path, headers=headers).status_code == 421, (host, path)
            for path in ("/invocations", "/v2/models/upper/infer", "/api/v1/jobs"):
                assert ask(target, "POST", path, headers=headers).status_code == 421, (host, path)
            assert send(target, "", **headers).status_code == 421
            assert ask(target, "GET", "/health", headers=headers).status_code == 200
        for host in ("localhost:9090", "LOCALHOST", "127.0.0.1:1", "models.example", "models.example."):
            assert send(target, "", Host=host).status_code == 200, host
        with target.connect() as connection:
            connection.sendall(b"GET /data/jobs HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")
            assert connection.recv(100).startswith((b"HTTP/1.1 421 ", b"HTTP/1.1 400 "))


def test_no_cache_on_the_way_keeps_what_is_one_client_s(target: Target) -> None:
    job = job_of(send(target, ""))
    eventually(lambda: ask(target, "GET", f"/data/result/{job}").status_code == 200)
    pages = ("/", "/Jobs", f"/Job/{job}", f"/Job/{job}/Delete", "/AddJob", "/License", "/Mapping", "/swagger")
    data = (f"/data/status/{job}", f"/data/result/{job}", f"/data/result/json/{job}", f"/data/result/csv/{job}")
    for path in (*pages, *data, "/data/jobs", "/data/status/none", "/api/license", "/swagger/v1/swagger.json"):
        assert ask(target, "GET", path).headers["cache-control"] == "no-store", path
    hosted = (f"/api/v1/jobs/{job}", f"/api/v1/jobs/result-link/{job}", "/api/v1/jobs/latest")
    for path in (*hosted, "/ping", "/openapi.json", "/v2", "/v2/health/ready", "/v2/models/upper", "/v2/models/x"):
        assert ask(target, "GET", path).headers["cache-control"] == "no-store", path
    for path in ("/data/mapping", "/data/run-job", "/api/v1/jobs"):
        answer = ask(target, "POST", path, files={"File": b"n\nx\n"})
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    answer = ask(target, "POST", "/invocations", data=b"n\nx\n")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")


def test_the_list_can_be_switched_off(serve: Callable[..., AbstractContextManager[Target]]) -> None:
    with serve(environment={"MODEL_JOB_LIST": "false"}) as target:
        job = job_of(send(target, ""))
        for path in ("/data/jobs", "/data/jobs?limit=1", "/Jobs", "/Jobs?page=2"):
            answer = ask(target, "GET", path)
            assert (answer.status_code, job in answer.text) == (403, False)
        assert not re.search(r'href="[^"]*Jobs', ask(target, "GET", f"/Job/{job}").text)
        assert ask(target, "GET", f"/data/status/{job}").status_code == 200


def test_what_is_open_is_a_choice(serve: Callable[..., AbstractContextManager[Target]]) -> None:
    environment = {"MODEL_API_KEY": OWNER, "MODEL_OPEN_PATHS": "/metrics, /ready, /ping"}
    with serve(environment=environment) as target:
        paths = ("/health", "/ready", "/metrics", "/ping", "/v2/health/live", "/v2/health/ready")
        statuses = {path: ask(target, "GET", path).status_code for path in paths}
        assert statuses == {path: 200 if path in ("/ready", "/metrics", "/ping") else 401 for path in paths}


def test_at_every_way_to_run_a_model_a_key_sees_its_own_jobs_alone(
    serve: Callable[..., AbstractContextManager[Target]],
) -> None:
    fields = [{"Path": "n", "DataType": "string"}]
    form = {"input": fields, "output": [{"Path": "N", "DataType": "string"}]}
    tensor = {"name": "n", "datatype": "BYTES", "shape": [1], "data": ["of ann"]}
    with serve(environment={"MODEL_API_KEY_ANN": ANN, "MODEL_API_KEY_BOB": BOB}, schema=form) as target:
        sent = [
            ask(target, "POST", "/invocations", ANN, data=b"n\nof ann\n"),
            ask(target, "POST", "/v2/models/upper/infer", ANN, json={"inputs": [tensor]}),
            ask(target, "POST", "/api/v1/jobs", ANN, files={"file": b"n\nof ann\n"}),
        ]
        for answer in sent:
            assert answer.status_code == 200, answer.text
            job = answer.headers["x-job-id"]
            for path in (f"/data/status/{job}", f"/api/v1/jobs/{job}", f"/api/v1/jobs/result-link/{job}"):
                assert ask(target, "GET", path, ANN).status_code == 200
                assert ask(target, "GET", path, BOB).status_code == 404
        assert len(ask(target, "GET", "/api/v1/jobs/latest", ANN).json()["data"]) == len(sent)
        assert ask(target, "GET", "/api/v1/jobs/latest", BOB).json()["data"] == []


def test_at_every_way_to_run_a_model_a_license_is_asked_for_before_the_data_is_read(
    serve: Callable[..., AbstractContextManager[Target]],
) -> None:
    fields = [{"Path": "n", "DataType": "string"}]
    key = {"MODEL_LICENSE_PUBLIC_KEY": "A" * 43}
    with serve(environment=key, schema={"input": fields, "output": fields}) as target:
        for path in ("/data/run-job", "/api/v1/jobs", "/invocations", "/v2/models/upper/infer"):
            answer = ask(target, "POST", path, data=b"x" * 100_000, headers={"Content-Type": "text/csv"})
            assert (answer.status_code, "apply one on the page License Key" in answer.text) == (403, True), path


def test_the_program_gets_no_key(serve: Callable[..., AbstractContextManager[Target]], tmp_path: Path) -> None:
    (tmp_path / "program").mkdir()
    told = "import os, sys; open(sys.argv[2], 'w').write(repr(dict(os.environ)))"
    (tmp_path / "program" / "main.py").write_text(told, encoding="utf-8")
    with serve(environment={"MODEL_API_KEY": OWNER, "MODEL_API_KEY_ANN": ANN}) as target:
        answer = ask(target, "POST", "/data/run-job", OWNER, files={"File": b"n\nx\n"})
        assert "GAI_VOLUME_PATH" in answer.text
        assert "API_KEY" not in answer.text
        assert OWNER not in answer.text
