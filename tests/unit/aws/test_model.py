"""The values that the stages hand on, and what an account tells of what was done."""

import logging
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from model_dockerize.aws.client import call_log
from model_dockerize.aws.model import Change, Container, Identity, Runtime, Service, Subnet, TaskDefinition, Volume
from model_dockerize.errors import InputError
from tests.rig.iris import settings
from tests.rig.scripted import Script

RUNTIME = Runtime("arn:e", "arn:t", "/log", fresh_roles=False)
CONTAINER = Container("i", "linux/amd64", 256, 512, (("B", "2"), ("A", "1")), (("S", "arn:s"),), True, "r", RUNTIME)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (Change("make", "role", "r"), "+ role r"),
        (Change("change", "role", "r", ("a", "b")), "~ role r (a, b)"),
        (Change("leave", "role", "r"), "= role r"),
        (Change("remove", "role", "r"), "- role r"),
    ],
)
def test_a_change_is_a_line(change: Change, text: str) -> None:
    assert str(change) == text


def test_what_was_done_is_reported_and_said() -> None:
    with Script() as script:
        aws = script.aws
        for action in ("make", "change", "leave", "remove"):
            aws.settled(script.said, action, "role", "r")  # type: ignore[arg-type]
        aws.settled(script.said, "change", "role", "r", "a", "b")
        aws.settled(script.said, "change", "role", "r", "a", text="said")
    assert script.said.infos == [
        *("role r: made", "role r: changed", "role r: there", "role r: removed", "role r: changed (a, b)", "said"),
    ]
    assert list(map(str, aws.changes)) == [
        "+ role r",
        "~ role r",
        "= role r",
        "- role r",
        "~ role r (a, b)",
        "~ role r (a)",
    ]
    assert (aws.has_changed(), aws.has_changed(since=6)) == (True, False)
    left = replace(aws, changes=[Change("leave", "role", "r")] * 2)
    assert left.has_changed() is False
    apart = aws.apart()
    assert (apart.changes, apart.only_asks, aws.apart(only_asks=True).only_asks) == ([], False, True)
    assert replace(aws, only_asks=True).apart().only_asks is True


@pytest.mark.parametrize(
    ("platform", "architecture"),
    [("linux/amd64", "X86_64"), ("linux/arm64", "ARM64"), ("linux/arm64/v8", "ARM64")],
)
def test_an_architecture_has_another_name_at_fargate(platform: str, architecture: str) -> None:
    assert replace(CONTAINER, platform=platform).architecture == architecture


@pytest.mark.parametrize("platform", ["windows/amd64", "linux/s390x", "linux", ""])
def test_what_fargate_does_not_run_is_refused(platform: str) -> None:
    with pytest.raises(InputError) as caught:
        _ = replace(CONTAINER, platform=platform).architecture
    assert str(caught.value) == f"Fargate does not run images for {platform}."
    assert caught.value.remedy == "Build for linux/amd64 or linux/arm64 (platforms)."


def test_a_queue_is_a_variable_or_a_secret() -> None:
    assert CONTAINER.with_queue("") == CONTAINER
    queue = ("MODEL_QUEUE_URL", "postgresql://h/d")
    assert CONTAINER.with_queue(queue[1]) == replace(CONTAINER, environment=(*CONTAINER.environment, queue))
    secret = ("MODEL_QUEUE_URL", "arn:q")
    assert CONTAINER.with_queue("arn:q") == replace(CONTAINER, secrets=(*CONTAINER.secrets, secret))


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"open_paths": (), "retention_days": 0}, {}),
        ({"open_paths": ("/a", "/b"), "retention_days": 0}, {"MODEL_OPEN_PATHS": "/a,/b"}),
        (
            {"open_paths": (), "retention_days": 9, "allowed_hosts": ("h", "i")},
            {"MODEL_ALLOWED_HOSTS": "h,i", "MODEL_RETENTION_DAYS": "9"},
        ),
        (
            {"open_paths": (), "retention_days": 0, "job_list": False, "self_proof": True, "server_processes": 2},
            {"MODEL_JOB_LIST": "false", "MODEL_SELF_PROOF": "true", "MODEL_SERVER_PROCESSES": "2"},
        ),
        ({"open_paths": (), "retention_days": 0, "self_proof": False, "server_processes": 1}, {}),
    ],
)
def test_what_inputs_say_of_the_server_is_in_its_variables(inputs: dict[str, Any], told: dict[str, str]) -> None:
    given = replace(settings(), self_proof=False)
    found = CONTAINER.with_access(replace(given, **inputs))
    assert found == replace(CONTAINER, environment=(*CONTAINER.environment, *told.items()))


def test_keys_are_secrets() -> None:
    given = replace(settings(), api_key=("arn:k", "team=arn:l"), open_paths=(), retention_days=0, self_proof=False)
    found = CONTAINER.with_access(given).secrets
    assert found[:1] == CONTAINER.secrets
    assert {arn for _, arn in found[1:]} == {"arn:k", "arn:l"}


def test_variables_and_log_are_in_the_words_of_ecs() -> None:
    assert CONTAINER.variables() == {
        "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        "secrets": [{"name": "S", "valueFrom": "arn:s"}],
    }
    options = {"awslogs-group": "/log", "awslogs-region": "r", "awslogs-stream-prefix": "p"}
    assert CONTAINER.log_configuration("p") == {"logDriver": "awslogs", "options": options}


def test_each_value_says_what_follows_from_it() -> None:
    assert CONTAINER.with_volume(Volume("fs", "ap")).volume == Volume("fs", "ap")
    assert Identity("1", "arn:aws-cn:iam::1:user/x", "r").partition == "aws-cn"
    assert Subnet.of({"SubnetId": "s", "AvailabilityZone": "z", "more": 1}) == Subnet("s", "z")
    assert RUNTIME.roles == ("arn:e", "arn:t")
    assert TaskDefinition("arn", "iris", 2, True).short == "iris:2"
    service = Service("arn", "iris", "c", True, "d", "t", None)
    assert (service.shifts, replace(service, strategy="CANARY").shifts, service.desired) == (False, True, 1)


def test_calls_are_logged_without_their_content(caplog: pytest.LogCaptureFixture) -> None:
    heard: dict[str, Any] = {}
    session: Any = SimpleNamespace(register=heard.__setitem__)
    call_log.note_calls(session)
    assert set(heard) == {"before-call", "after-call", "after-call-error"}
    context: dict[str, Any] = {}
    heard["before-call"](context=context)
    name = {"context": context, "event_name": "after-call.ecs.DescribeServices"}
    answers: list[Any] = [
        {"ResponseMetadata": {"HTTPStatusCode": 200, "RequestId": "r-1"}},
        {"ResponseMetadata": {"HTTPStatusCode": 400, "RequestId": "r-2", "RetryAttempts": 2}, "Error": {"Code": "X"}},
        {},
    ]
    with caplog.at_level(logging.DEBUG, logger=call_log.__name__):
        for parsed in answers:
            heard["after-call"](**name, parsed=parsed)
        heard["after-call-error"](**{**name, "context": {}}, exception=TimeoutError("secret"))
    lines = [record.getMessage().split(" s: ", 1) for record in caplog.records]
    assert all(line[0].startswith("ecs.DescribeServices in ") for line in lines)
    assert [line[1] for line in lines] == [
        "200, request r-1",
        "400 X, repeated 2 times, request r-2",
        "no status, request None",
        "no answer (TimeoutError)",
    ]
