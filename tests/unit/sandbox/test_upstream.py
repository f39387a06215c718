"""The load of ministack, as far as it is told apart from the real one: checked, settled, and quiet."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import botocore.session
import pytest

import model_sandbox
from model_sandbox import upstream as upstreams
from model_sandbox.upstream import UpstreamChangedError, load
from model_sandbox.upstream_names import PRIVATE_NAMES, SERVED
from tests.rig.fake_ministack import OTHER, SCOPE, fake_upstream

MODULES = {
    **{"app": "app", "sigv4": "core.sigv4", "evaluator": "core.iam_evaluator", "actions": "core.iam_actions"},
    **{"responses": "core.responses", "ecr": "services.ecr", "ecs": "services.ecs", "batch": "services.batch"},
    **{"ec2": "services.ec2", "efs": "services.efs", "logs": "services.cloudwatch_logs", "iam": "services.iam"},
    **{"cloudwatch": "services.cloudwatch", "secrets": "services.secretsmanager", "parameters": "services.ssm"},
    **{"s3": "services.s3", "functions": "services.lambda_svc", "function_workers": "core.lambda_runtime"},
    **{"elb": "services.alb", "sts": "services.sts", "cloudformation": "services.cloudformation"},
    "cloudformation_changesets": "services.cloudformation.changesets",
    "cloudformation_engine": "services.cloudformation.engine",
    "cloudformation_handlers": "services.cloudformation.handlers",
    "cloudformation_provisioners": "services.cloudformation.provisioners",
    "cloudformation_stacks": "services.cloudformation.stacks",
}


class Ministack:
    """A fake of the package: its modules have every name that we know, and see the environment when they are loaded."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stopped: list[str] = []
        self.environ: dict[str, str] = {"PATH": "/bin", "AUTH": "old"}
        self.seen: dict[str, str] = {}
        self.modules = {
            f"ministack.{path}": SimpleNamespace(**dict.fromkeys(names), path=path)
            for path, names in PRIVATE_NAMES.items()
        }
        self.modules["ministack.app"]._stop_docker_containers = lambda: self.stopped.append("all")
        monkeypatch.setattr(upstreams, "os", SimpleNamespace(environ=self.environ))
        monkeypatch.setattr(upstreams, "importlib", SimpleNamespace(import_module=self._import))

    def _import(self, name: str) -> Any:
        self.seen = dict(self.environ)
        return self.modules[name]


def test_ministack_is_told_all_before_it_is_imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ministack = Ministack(monkeypatch)
    load(4566, "123456789012", "us-east-1", tmp_path, "secret", "enforced")
    assert ministack.seen == {
        **{"PATH": "/bin", "GATEWAY_PORT": "4566", "BIND_HOST": "127.0.0.1", "LOG_LEVEL": "WARNING"},
        **{"IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0", "MINISTACK_REGION": "us-east-1"},
        **{"MINISTACK_ACCOUNT_ID": "123456789012", "STATE_DIR": str(tmp_path), "SERVICES": ",".join(SERVED)},
        **{"AUTH": "true", "AWS_SECRET_ACCESS_KEY": "secret"},
    }
    load(4566, "123456789012", "us-east-1", tmp_path, "secret", "off")
    assert ministack.seen["AUTH"] == "false"


def test_each_module_has_its_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Ministack(monkeypatch)
    loaded: Any = load(1, "1", "r", tmp_path, "secret", "off")
    assert {name: module.path for name, module in vars(loaded).items()} == MODULES


def test_nothing_is_stopped_at_boot_and_no_other_registry_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ministack = Ministack(monkeypatch)
    loaded: Any = load(1, "1", "r", tmp_path, "secret", "off")
    loaded.app._stop_docker_containers(at_boot=True)
    assert ministack.stopped == []
    loaded.app._stop_docker_containers()
    assert ministack.stopped == ["all"]
    assert loaded.responses.install_docker_hub_fallback() is None


def test_a_ministack_that_lacks_names_is_refused_with_all_of_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ministack = Ministack(monkeypatch)
    del ministack.modules["ministack.services.ecs"]._tags
    del ministack.modules["ministack.app"].app
    with pytest.raises(UpstreamChangedError) as caught:
        load(1, "1", "r", tmp_path, "secret", "off")
    told = "this ministack is not the one that we know; it lacks: app.app, services.ecs._tags"
    assert str(caught.value) == told


def test_what_is_looked_for_is_used_and_the_services_are_aws_own() -> None:
    files = [path for path in Path(model_sandbox.__path__[0]).rglob("*.py") if path.name != "upstream_names.py"]
    used = {word for path in files for word in re.findall(r"\w+", path.read_text(encoding="utf-8"))}
    assert [name for names in PRIVATE_NAMES.values() for name in names if name not in used] == []
    partition = botocore.session.Session().get_data("endpoints")["partitions"][0]
    known = {name.removeprefix("api.") for name in partition["services"]}
    assert [name for name in SERVED if name not in known] == []


def test_whose_call_it_is() -> None:
    upstream = fake_upstream()
    assert upstream.scope() == SCOPE
    with upstream.within(OTHER):
        assert upstream.scope() == OTHER
    assert upstream.scope() == SCOPE
    with upstream.within(SCOPE):
        assert upstream.account_of("210987654321") == "210987654321"
        assert upstream.scope().account == "210987654321"
