"""A run says who can reach a deployed model, and acts on the inputs about that."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_dockerize.aws.ecs.endpoint import Address
from model_dockerize.errors import InputError
from model_dockerize.image.serve import Place
from model_dockerize.pipeline import access, deployed, make
from model_dockerize.pipeline.context import Run
from model_dockerize.pipeline.serve import who_can_reach
from model_dockerize.report import Recorder
from model_dockerize.settings import Given, Settings, to_settings
from tests.rig.deployer import Quiet
from tests.rig.progress import Said
from tests.unit.aws.test_values import container

SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:api-AbCdEf"
PARAMETER = "arn:aws:ssm:us-east-1:123456789012:parameter/iris=key"
KEY = "hunter2-hunter2-hunter2"


def read(folder: Path = Path(), **texts: str) -> Settings:
    return to_settings([{name.replace("_", "-"): Given(text, name, folder) for name, text in texts.items()}])


def refused(**texts: str) -> str:
    with pytest.raises(InputError) as caught:
        read(**texts)
    return "\n".join(caught.value.details)


def test_keys_are_secrets_of_the_container_and_the_rest_its_variables() -> None:
    service = read(
        api_key=f"{SECRET} ann={PARAMETER}",
        open_paths="/health",
        allowed_hosts="a.example, b.example",
        job_list="false",
        retention_days="7",
        server_processes="2",
        environment="A=1",
    ).service
    assert service.secret_arns == (SECRET, PARAMETER)
    told = container(environment=service.environment).with_access(service).variables()
    assert told["secrets"] == [
        {"name": "MODEL_API_KEY", "valueFrom": SECRET},
        {"name": "MODEL_API_KEY_ANN", "valueFrom": PARAMETER},
    ]
    assert {each["name"]: each["value"] for each in told["environment"]} == {
        "A": "1",
        "MODEL_OPEN_PATHS": "/health",
        "MODEL_ALLOWED_HOSTS": "a.example,b.example",
        "MODEL_JOB_LIST": "false",
        "MODEL_RETENTION_DAYS": "7",
        "MODEL_SELF_PROOF": "true",
        "MODEL_SERVER_PROCESSES": "2",
    }


def test_several_processes_on_a_volume_need_a_database() -> None:
    assert "takes one process" in refused(server_processes="2", volume="data")
    for texts in ({"volume": "data", "queue_url": SECRET}, {}):
        assert read(server_processes="2", **texts).service.server_processes == 2


def test_jobs_of_a_service_are_not_kept_for_ever_unless_that_is_wanted() -> None:
    def days(**texts: str) -> list[str]:
        told = container(environment=()).with_access(read(**texts).service).variables()["environment"]
        return [each["value"] for each in told if each["name"] == "MODEL_RETENTION_DAYS"]

    assert (days(), days(retention_days="0")) == (["30"], [])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"api_key": KEY}, "The key itself must not stand here"),
        ({"api_key": f"ann={KEY}"}, "The key itself must not stand here"),
        ({"api_key": f"a-b={SECRET}"}, "letters, digits and _"),
        ({"api_key": f"{SECRET}, {PARAMETER}"}, "several keys need a name each"),
        ({"api_key": f"ann={SECRET} ANN={PARAMETER}"}, "several keys need a name each"),
        ({"api_key": SECRET, "smoke_url": "http://m.example"}, "which takes a key: smoke-api-key"),
        ({"api_key": SECRET, "open_paths": "/health", "load_balancer": "true"}, "a load balancer asks for /ready"),
        ({"open_paths": "/health,/data/jobs"}, "it may name /health, /ready, /metrics, or be none"),
        ({"allowed_hosts": "https://m.example/"}, "a host name or address without a port"),
        ({"allow_from": ","}, "allow_from: name one block at least"),
        ({"allow_from": "10.0.0.1"}, "write 10.0.0.1/32"),
        ({"allow_from": "10.0.0.1/8"}, "is not a block of IPv4 addresses"),
        ({"allow_from": "::/0"}, "is not a block of IPv4 addresses"),
        ({"allow_from": "10.0.0.0/8,10.0.0.0/8"}, "allow_from: a block stands there twice"),
        ({"allow_from": ",".join(f"10.{n}.0.0/16" for n in range(6))}, "allow_from: there is room for 5 blocks"),
        ({"allow_from": "10.0.0.0/8", "security_groups": "sg-0123abcd"}, "who is admitted is a matter of theirs"),
        ({"allow_from": "10.0.0.0/8", "load_balancer": "ours"}, "a matter of its own security groups"),
        ({"environment": "MODEL_API_KEY_ANN=x"}, "use api-key"),
        ({"secrets": f"MODEL_API_KEY={SECRET}"}, "use api-key"),
        ({"environment": "MODEL_RETENTION_DAYS=9"}, "use retention-days"),
    ],
)
def test_what_would_not_do_what_it_seems_to_is_refused(given: dict[str, str], told: str) -> None:
    said = refused(**given)
    assert told in said
    assert KEY not in said


def test_a_key_for_the_smoke_test_is_a_text_or_a_file_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "own-api-key-of-iris.txt").write_text(f"{KEY}\n", encoding="utf-8")
    for text in (KEY, "own-api-key-of-iris.txt"):
        settings = read(tmp_path, smoke_api_key=text)
        assert settings.smoke.smoke_api_key == KEY
        assert KEY not in repr(settings)


@pytest.mark.parametrize(
    ("given", "reached_by"),
    [
        ({}, "anyone on the internet"),
        ({"load_balancer": "true"}, "anyone on the internet"),
        ({"load_balancer": "true", "security_groups": "sg-0123abcd"}, "anyone on the internet"),
        ({"allow_from": "10.0.0.0/8"}, "10.0.0.0/8"),
        ({"allow_from": "10.0.0.0/8 0.0.0.0/0"}, "anyone on the internet"),
        ({"allow_from": "10.0.0.0/8 192.0.2.0/24", "api_key": SECRET}, "10.0.0.0/8, 192.0.2.0/24, with an API key"),
        ({"api_key": SECRET}, "anyone on the internet, with an API key"),
        ({"assign_public_ip": "false"}, "its own network"),
        ({"assign_public_ip": "false", "load_balancer": "true"}, "anyone on the internet"),
        ({"assign_public_ip": "false", "allow_from": "10.1.0.0/16"}, "10.1.0.0/16, by its network"),
        ({"security_groups": "sg-0123abcd"}, "whoever sg-0123abcd admits"),
        ({"load_balancer": "ours"}, "whoever load balancer ours admits"),
    ],
)
def test_a_run_says_who_can_reach_the_model_and_warns_of_the_whole_internet(
    given: dict[str, str], reached_by: str
) -> None:
    service, said = read(**given).service, Said()
    assert access.who_can_reach(service) == reached_by
    access.warn_of_the_internet(service, said)
    assert bool(said.warnings) == (reached_by == "anyone on the internet")


def test_a_model_on_this_computer_does_not_answer_pages_that_take_its_name() -> None:
    place = Place("127.0.0.1", 9090, "")
    assert place.environment == {"MODEL_ALLOWED_HOSTS": "localhost,127.0.0.1"}
    assert Place("127.0.0.1", 1, "", ("m.example",)).environment["MODEL_ALLOWED_HOSTS"].endswith(",m.example")
    everywhere = Place("0.0.0.0", 9090, "")  # noqa: S104
    assert everywhere.environment == {}
    assert who_can_reach(place) == "this computer"
    assert who_can_reach(everywhere) == "whoever reaches port 9090 of this computer"


def run_of(**texts: str) -> Run:
    return Run(read(**texts), {}, Recorder(Quiet()))


def test_a_service_with_a_key_is_tested_with_it_or_by_a_task_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared: Any = SimpleNamespace(made_here=True)
    where = Address("http://203.0.113.1", "http://203.0.113.1", 1, "http://10.0.0.1")
    monkeypatch.setattr(deployed, "_is_reached", lambda *_: True)
    for given, from_here in (
        ({}, True),
        ({"api_key": SECRET}, False),
        ({"api_key": SECRET, "smoke_api_key": KEY}, True),
        ({"allowed_hosts": "models.example"}, False),
        ({"allowed_hosts": "models.example,203.0.113.1"}, True),
    ):
        assert deployed.is_asked_from_here(run_of(**given), prepared, where) is from_here


def test_a_key_for_an_image_that_would_not_ask_for_it_is_refused() -> None:
    nothing: Any = None
    foreign: Any = SimpleNamespace(made_here=False)
    with pytest.raises(InputError, match="nobody would ask for the API key"):
        make.check(run_of(api_key=SECRET), foreign, nothing)
