"""API keys as the environment gives them, and what a person sees of them on the pages."""

import re

import pytest
import requests

from model_server import asking, settings
from model_server.access import SESSION_SECONDS, Access, Keys
from model_server.errors import StartError
from model_server.health import probe

from .conftest import StartServer

OWNER, ANN = "owner-0123456789abcdef", "ann-0123456789abcdef"


def test_the_key_without_a_name_sees_all_and_a_named_one_its_own() -> None:
    keys = Keys({"MODEL_API_KEY": OWNER, "MODEL_API_KEY_ANN_2": f"{ANN}\n new-{ANN} "}, "m")
    holders = [keys.holder_of(key) for key in (OWNER, ANN, f"new-{ANN}")]
    assert [holder and holder.client for holder in holders] == [None, "ann_2", "ann_2"]
    assert not [holder for holder in holders if OWNER in repr(holder) or ANN in repr(holder)]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"MODEL_API_KEY": ""}, "MODEL_API_KEY is set and holds no key"),
        ({"MODEL_API_KEY_ANN": " \n"}, "MODEL_API_KEY_ANN is set and holds no key"),
        ({"MODEL_API_KEY": "short-but-secret"[:15]}, "16 to 256 printable ASCII"),
        ({"MODEL_API_KEY": "é" * 20}, "16 to 256 printable ASCII"),
        ({"MODEL_API_KEYS": OWNER}, "MODEL_API_KEYS must be MODEL_API_KEY_NAME"),
        ({"MODEL_API_KEY_ann": OWNER}, "MODEL_API_KEY_ann must be MODEL_API_KEY_NAME"),
        ({"MODEL_API_KEY": OWNER, "MODEL_API_KEY_ANN": OWNER}, "two of the API keys are the same"),
    ],
)
def test_keys_that_would_not_do_what_they_seem_to_are_refused_at_start(given: dict[str, str], told: str) -> None:
    with pytest.raises(StartError, match=told) as caught:
        Keys(given, "m")
    assert not [text for text in given.values() if text.strip() and text in str(caught.value)]


def test_a_session_ends_with_its_time_and_with_its_key() -> None:
    now = [1_700_000_000.0]
    keys = Keys({"MODEL_API_KEY_ANN": ANN}, "m", clock=lambda: now[0])
    ann = keys.holder_of(ANN)
    assert ann is not None
    session = keys.session(ann)
    now[0] += SESSION_SECONDS - 1
    assert keys.holder_of_session(session) == ann
    assert Keys({"MODEL_API_KEY_ANN": ANN, "MODEL_API_KEY": OWNER}, "m", lambda: now[0]).holder_of_session(session)
    assert Keys({"MODEL_API_KEY": OWNER}, "m", lambda: now[0]).holder_of_session(session) is None
    now[0] += 1
    assert keys.holder_of_session(session) is None


def test_the_environment_says_who_gets_in_and_the_program_is_not_told() -> None:
    environment = {
        "MODEL_API_KEY": OWNER,
        "MODEL_API_KEY_ANN": ANN,
        "MODEL_ALLOWED_HOSTS": "A.example, b.example",
        "MODEL_OPEN_PATHS": "none",
        "MODEL_JOB_LIST": "False",
        "MODEL_LICENSE_KEY": "secret",
        "MODEL_QUEUE_URL": "postgresql://u:p@h/n",
    }
    read = settings.from_environment(environment)
    assert (read.allowed_hosts, read.open_paths, read.job_list) == (("a.example", "b.example"), (), False)
    assert set(read.api_keys) == {"MODEL_API_KEY", "MODEL_API_KEY_ANN"}
    assert not [text for text in (OWNER, ANN, "secret", ":p@") if text in repr(read)]
    settings.forget_secrets(environment)
    assert set(environment) == {"MODEL_ALLOWED_HOSTS", "MODEL_OPEN_PATHS", "MODEL_JOB_LIST"}


@pytest.mark.parametrize(
    ("variable", "value"), [("MODEL_OPEN_PATHS", "/health,/data/jobs"), ("MODEL_JOB_LIST", "perhaps")]
)
def test_a_wrong_choice_is_named(variable: str, value: str) -> None:
    with pytest.raises(StartError, match=variable):
        settings.from_environment({variable: value})


def test_a_person_without_a_session_is_led_to_the_login(start_server: StartServer) -> None:
    server = start_server(extra={"access": Access(Keys({"MODEL_API_KEY": OWNER}, "upper"))}, root_path="/m/upper")
    browser = requests.Session()
    browser.headers["Accept"] = "text/html"
    for path in ("/", "/Jobs", "/Job/x/Delete", "/swagger/index.html", "/data/result/x", "/m/upper/Job/x"):
        page = browser.get(server.url + path, timeout=60)
        prefix = "/m/upper" if path.startswith("/m/") else ""
        assert (page.status_code, page.url) == (200, f"{server.url}{prefix}/Login"), path
    told = {"Accept": "text/html", "X-Forwarded-Prefix": "/of/proxy"}
    answer = requests.get(f"{server.url}/Jobs", headers=told, allow_redirects=False, timeout=60)
    assert answer.headers["location"] == "/of/proxy/Login"
    assert "<nav" not in page.text
    refused = browser.post(f"{server.url}/Login", files={"Key": ("", "wrong")}, timeout=60)
    assert (refused.status_code, "this API key is not known here" in refused.text) == (403, True)
    entered = browser.post(f"{server.url}/Login", files={"Key": ("", OWNER)}, timeout=60)
    assert (entered.status_code, entered.url) == (200, f"{server.url}/")
    (logout,) = re.findall(r'<form method="post" action="([^"]*)"', entered.text)
    left = browser.post(f"{server.url}/{logout}", timeout=60)
    assert left.url == f"{server.url}/Login"
    assert browser.get(f"{server.url}/", timeout=60).url == f"{server.url}/Login"


def test_without_keys_there_is_nothing_to_log_in_to(start_server: StartServer) -> None:
    server = start_server()
    assert requests.get(f"{server.url}/Login", timeout=60).url == f"{server.url}/"
    page = requests.get(f"{server.url}/", timeout=60).text
    assert "Logout" not in page
    specification = requests.get(f"{server.url}/swagger/v1/swagger.json", timeout=60).json()
    assert "security" not in specification
    assert requests.post(f"{server.url}/Login", files={"Key": ("", OWNER)}, timeout=60).status_code == 403


def test_the_specification_tells_that_a_key_is_wanted(start_server: StartServer) -> None:
    server = start_server(extra={"access": Access(Keys({"MODEL_API_KEY": OWNER}, "upper"))})
    answer = requests.get(f"{server.url}/swagger/v1/swagger.json", headers={"x-api-key": OWNER}, timeout=60).json()
    assert answer["security"] == [{"key": []}]
    assert answer["components"]["securitySchemes"]["key"] == {"type": "apiKey", "in": "header", "name": "x-api-key"}


def test_the_health_of_a_closed_server_is_asked_with_what_its_environment_has(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = Access(Keys({"MODEL_API_KEY_ANN": ANN}, "upper"), hosts=("models.example",), open_paths=())
    port = int(start_server(extra={"access": access}).url.rpartition(":")[2])
    assert probe(port) is not None
    monkeypatch.setenv("MODEL_API_KEY_ANN", f" {ANN} old-{ANN}")
    monkeypatch.setenv("MODEL_ALLOWED_HOSTS", "models.example other.example")
    assert probe(port) is None


def test_a_key_that_no_header_can_carry_is_not_sent() -> None:
    assert asking.headers({"MODEL_API_KEY": "é" * 20}) == {}
