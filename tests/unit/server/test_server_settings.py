"""Every variable of the server: what it means, its bounds, and what is said of a wrong one."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from model_server import settings
from model_server.errors import StartError
from model_server.manifest import Limits, parse

DEFAULTS: dict[str, Any] = {
    "manifest": Path("/opt/model-server/model.json"),
    "host": "0.0.0.0",  # noqa: S104 - nothing is bound here
    "port": 80,
    "data_directory": None,
    "root_path": "",
    "user": (1000, 1000),
    "program_user": (20000, 20000),
    "workers": 1,
    "server_processes": 1,
    "lease_seconds": 15.0,
    "drain_seconds": 25.0,
    "max_attempts": 5,
    "log_json": False,
    "queue_url": "",
    "retention_days": None,
    "retention_jobs": None,
    "free_bytes": 67108864,
    "callback_hosts": (),
    "license_public_key": "",
    "license_key": "",
    "api_keys": {},
    "allowed_hosts": (),
    "open_paths": ("/health", "/ready", "/ping", "/v2/health/live", "/v2/health/ready"),
    "job_list": True,
    "job_seconds": None,
    "job_memory_mib": None,
    "job_output_bytes": None,
    "self_proof": False,
}

GIVEN = {
    "MODEL_MANIFEST": (" /m.json ", {"manifest": Path("/m.json")}),
    "MODEL_SERVER_HOST": (" ::1 ", {"host": "::1"}),
    "MODEL_SERVER_PORT": (" 81 ", {"port": 81}),
    "GAI_VOLUME_PATH": (" /data ", {"data_directory": Path("/data")}),
    "ROOT_PATH": (" /a/b/ ", {"root_path": "/a/b"}),
    "MODEL_SERVER_USER": (" 7:8 ", {"user": (7, 8)}),
    "MODEL_PROGRAM_USER": (" 9:0 ", {"program_user": (9, 0)}),
    "MODEL_WORKERS": ("3", {"workers": 3}),
    "MODEL_SERVER_PROCESSES": ("2", {"server_processes": 2, "workers": 2}),
    "MODEL_LEASE_SECONDS": ("1.5", {"lease_seconds": 1.5}),
    "MODEL_DRAIN_SECONDS": ("0", {"drain_seconds": 0.0}),
    "MODEL_MAX_ATTEMPTS": ("1", {"max_attempts": 1}),
    "MODEL_LOG_FORMAT": (" JSON ", {"log_json": True}),
    "MODEL_QUEUE_URL": (" postgresql://h/n ", {"queue_url": "postgresql://h/n"}),
    "MODEL_RETENTION_DAYS": ("0.5", {"retention_days": 0.5}),
    "MODEL_RETENTION_JOBS": ("4", {"retention_jobs": 4}),
    "MODEL_FREE_BYTES": ("0", {"free_bytes": 0}),
    "MODEL_CALLBACK_HOSTS": ("A.example, b.example", {"callback_hosts": ("a.example", "b.example")}),
    "MODEL_LICENSE_PUBLIC_KEY": (" p ", {"license_public_key": "p"}),
    "MODEL_LICENSE_KEY": (" k ", {"license_key": "k"}),
    "MODEL_API_KEY": (" x ", {"api_keys": {"MODEL_API_KEY": " x "}}),
    "MODEL_ALLOWED_HOSTS": ("C.example d.example", {"allowed_hosts": ("c.example", "d.example")}),
    "MODEL_OPEN_PATHS": ("/metrics,/ping", {"open_paths": ("/metrics", "/ping")}),
    "MODEL_JOB_LIST": (" FALSE ", {"job_list": False}),
    "MODEL_JOB_SECONDS": ("1", {"job_seconds": 1}),
    "MODEL_JOB_MEMORY_MIB": ("0", {"job_memory_mib": 0}),
    "MODEL_JOB_OUTPUT_BYTES": ("0", {"job_output_bytes": 0}),
    "MODEL_SELF_PROOF": (" True ", {"self_proof": True}),
}


def test_without_any_variable_all_are_the_defaults() -> None:
    assert asdict(settings.from_environment({})) == DEFAULTS
    assert asdict(settings.from_environment(dict.fromkeys(set(GIVEN) - {"MODEL_API_KEY"}, " "))) == DEFAULTS


@pytest.mark.parametrize("name", GIVEN)
def test_a_variable_changes_what_it_names_and_nothing_else(name: str) -> None:
    text, changed = GIVEN[name]
    assert asdict(settings.from_environment({name: text})) == {**DEFAULTS, **changed}


def test_what_is_secret_is_not_shown() -> None:
    given = {"MODEL_QUEUE_URL": "hush-1", "MODEL_LICENSE_KEY": "hush-2", "MODEL_API_KEY": "hush-3"}
    assert "hush" not in repr(settings.from_environment(given))


NUMBERS = {
    "MODEL_SERVER_PORT": ("1", "65535", "0", "65536", "1 to 65535"),
    "MODEL_WORKERS": ("1", "256", "0", "257", "1 to 256"),
    "MODEL_LEASE_SECONDS": ("0.5", "3600", "0.49", "3600.1", "0.5 to 3600"),
    "MODEL_DRAIN_SECONDS": ("0", "3600", "-0.1", "3600.1", "0 to 3600"),
    "MODEL_MAX_ATTEMPTS": ("1", "1000", "0", "1001", "1 to 1000"),
    "MODEL_RETENTION_DAYS": ("0.0001", "36500", "0.00009", "36501", "0.0001 to 36500"),
    "MODEL_RETENTION_JOBS": ("1", "1000000000", "0", "1000000001", "1 to 1e+09"),
    "MODEL_FREE_BYTES": ("0", "1000000000000000", "-1", "1000000000000001", "0 to 1e+15"),
    "MODEL_JOB_SECONDS": ("1", "10000000", "0", "10000001", "1 to 1e+07"),
    "MODEL_JOB_MEMORY_MIB": ("0", "100000000", "-1", "100000001", "0 to 1e+08"),
    "MODEL_JOB_OUTPUT_BYTES": ("0", "1000000000000000", "-1", "1000000000000001", "0 to 1e+15"),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_has_bounds(name: str) -> None:
    *edges, low, high, bounds = NUMBERS[name]
    for text in edges:
        settings.from_environment({name: text})
    for text in (low, high, "x"):
        with pytest.raises(StartError) as caught:
            settings.from_environment({name: text})
        assert str(caught.value) == f"wrong settings: {name} must be a number from {bounds}"


WRONG = [
    ({"MODEL_SERVER_PROCESSES": "0"}, "MODEL_SERVER_PROCESSES must be a number from 1 to 64"),
    ({"MODEL_SERVER_PROCESSES": "65", "MODEL_WORKERS": "65"}, "MODEL_SERVER_PROCESSES must be a number from 1 to 64"),
    ({"MODEL_SERVER_USER": "1"}, "MODEL_SERVER_USER must be two numbers, uid:gid"),
    ({"MODEL_SERVER_USER": "1234567890:1"}, "MODEL_SERVER_USER must be two numbers, uid:gid"),
    ({"MODEL_PROGRAM_USER": "0:1"}, "MODEL_PROGRAM_USER must be two numbers, uid:gid, and not root's"),
    ({"MODEL_LOG_FORMAT": "xml"}, "MODEL_LOG_FORMAT must be text or json"),
    (
        {"MODEL_OPEN_PATHS": "/health /data"},
        "MODEL_OPEN_PATHS may name /health, /ready, /ping, /v2/health/live, /v2/health/ready and /metrics, or be none",
    ),
    ({"MODEL_JOB_LIST": "no"}, "MODEL_JOB_LIST must be true or false"),
    ({"MODEL_SELF_PROOF": "no"}, "MODEL_SELF_PROOF must be true or false"),
    ({"GAI_VOLUME_PATH": "data"}, "GAI_VOLUME_PATH must be an absolute path"),
    (
        {"MODEL_SERVER_PROCESSES": "3", "MODEL_WORKERS": "2"},
        "MODEL_WORKERS must be MODEL_SERVER_PROCESSES at least: each process needs a worker",
    ),
    (
        {"MODEL_SERVER_USER": "20002:1", "MODEL_WORKERS": "3"},
        "MODEL_SERVER_USER must be none of the programs' users, MODEL_PROGRAM_USER and above",
    ),
]


@pytest.mark.parametrize(("given", "told"), WRONG)
def test_a_wrong_variable_is_told_in_a_sentence(given: dict[str, str], told: str) -> None:
    with pytest.raises(StartError) as caught:
        settings.from_environment(given)
    assert str(caught.value) == f"wrong settings: {told}"


@pytest.mark.parametrize(
    "given",
    [
        {"MODEL_SERVER_PROCESSES": "64"},
        {"MODEL_SERVER_PROCESSES": "3", "MODEL_WORKERS": "3"},
        {"MODEL_SERVER_USER": "20003:1", "MODEL_WORKERS": "3"},
        {"MODEL_SERVER_USER": "19999:1", "MODEL_WORKERS": "3"},
        {"MODEL_SERVER_USER": "0:0"},
        {"MODEL_SERVER_USER": "123456789:123456789", "MODEL_PROGRAM_USER": "987654321:123456789"},
        {"MODEL_OPEN_PATHS": "/health /ready /ping /metrics"},
    ],
)
def test_what_is_just_right_is_taken(given: dict[str, str]) -> None:
    settings.from_environment(given)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(StartError) as caught:
        settings.from_environment({"MODEL_SERVER_PORT": "x", "GAI_VOLUME_PATH": "x", "MODEL_JOB_LIST": "x"})
    assert str(caught.value) == (
        "wrong settings: MODEL_JOB_LIST must be true or false; MODEL_SERVER_PORT must be a number from 1 to 65535; "
        "GAI_VOLUME_PATH must be an absolute path"
    )


def test_each_worker_has_a_user_of_its_own() -> None:
    found = settings.from_environment({"MODEL_PROGRAM_USER": "30:40", "MODEL_WORKERS": "3"})
    assert found.program_users == [(30, 40), (31, 40), (32, 40)]


@pytest.mark.parametrize(
    ("me", "server", "apart"), [(0, "1:1", (20000, 20000)), (5, "1:1", None), (0, "0:0", None), (5, "0:0", None)]
)
def test_a_program_has_another_user_where_root_starts_a_server_that_is_not_roots(
    me: int, server: str, apart: tuple[int, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: me)
    assert settings.from_environment({"MODEL_SERVER_USER": server}).user_apart == apart


def test_limits_of_the_environment_count_before_those_of_the_manifest() -> None:
    model = parse(
        '{"name": "m", "version": "1", "build_id": "b", "command": ["{input}", "{output}"], "working_directory": "/",'
        ' "input_types": ["text/csv"], "output_types": ["text/csv"],'
        ' "limits": {"timeout_seconds": 10, "memory_mib": 20, "output_bytes": 30, "upload_bytes": 40}}'
    )
    own = {"MODEL_JOB_SECONDS": "1", "MODEL_JOB_MEMORY_MIB": "0", "MODEL_JOB_OUTPUT_BYTES": "3"}
    limits = [settings.from_environment(given).limits_of(model) for given in ({}, own)]
    assert limits == [Limits(10, 40, 20, 30), Limits(1, 40, 0, 3)]


def test_secrets_are_forgotten_and_nothing_else() -> None:
    environment = dict.fromkeys(
        ("MODEL_QUEUE_URL", "MODEL_LICENSE_KEY", "MODEL_API_KEY", "MODEL_API_KEY_ANN", "MODEL_LICENSE_PUBLIC_KEY"), "x"
    )
    settings.forget_secrets(environment)
    assert environment == {"MODEL_LICENSE_PUBLIC_KEY": "x"}


def test_the_environment_is_that_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_SERVER_PORT", "4321")
    assert settings.current().port == 4321
