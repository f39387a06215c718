"""Judges of what the suite sends to AWS, none of them ours: our own sandbox believes what we believe.

botocore's models say how long, how many and of which letters values may be, which botocore itself does not check;
cfn-lint holds AWS's schemas and rules of resources; EC2's characters are documented; what policies are made of is in
the Service Authorization Reference. Every request of the product's
own clients is judged before it is sent, wherever a test makes it; one that is refused fails that test.
"""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.loaders import create_loader
from botocore.model import ServiceModel
from tests.rig.judges import ec2_text, limits

from model_dockerize.aws.client import TO_COME

_OURS = "model-dockerize"  # in the user agent of the product's clients
#: What differs between requests that are judged alike: ids that moto and AWS make up, and the counts of revisions.
_MADE_UP = re.compile(r"(?<=-)[0-9a-f]{8,17}\b|(?<=:)\d{1,3}(?=\")")


class RefusedError(AssertionError):
    """A request that AWS would refuse."""


def refusals(service: str, operation: str, parameters: Any) -> list[str]:
    """Return what the judges have against a request."""
    from tests.rig.judges import resources  # here: cfn-lint takes a second of every process, and few judge

    model = _model(service).operation_model(operation)
    said = [*limits.refusals(model, parameters), *resources.refusals(service, operation, parameters)]
    if service == "ec2" and "SecurityGroup" in operation:
        said += [f"EC2 takes no such text: {text!r}" for text in ec2_text.refused(parameters)]
    return said


@contextmanager
def judging() -> Iterator[None]:
    """Judge every request of the product's clients in this process.

    A refusal is raised where the request is made. Where a pipeline reports it as any other failure, it is raised again
    at the end.
    """
    call = BaseClient._make_api_call
    passed, refused = set[str](), list[str]()

    def judged(client: Any, operation: str, parameters: Any) -> Any:
        if _OURS in str(client.meta.config.user_agent_extra):
            service = client.meta.service_model.service_name
            request = _MADE_UP.sub("1", json.dumps([service, operation, parameters], sort_keys=True, default=repr))
            if request not in passed:
                if said := _verdict(service, operation, parameters):
                    refused.append(said)
                    raise RefusedError(said)
                passed.add(request)
        return call(client, operation, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", judged)
        yield
    _judge_all(refused)


def judge_noted(requests: Path) -> None:
    """Judge what command lines noted (child.py), each request once."""
    lines = set(requests.read_text(encoding="utf-8").splitlines()) if requests.exists() else set()
    _judge_all(said for line in sorted(lines) if (said := _verdict(*json.loads(line))))


def _verdict(service: str, operation: str, parameters: Any) -> str:
    """Return the verdict; what only a plan asks for is never sent and has none."""
    said = [] if _is_rehearsed(parameters) else refusals(service, operation, parameters)
    return f"AWS would refuse {service}:{operation}: {'; '.join(said)}" if said else ""


def _is_rehearsed(value: Any) -> bool:
    if isinstance(value, dict | list | tuple):
        return any(_is_rehearsed(each) for each in (value.values() if isinstance(value, dict) else value))
    return isinstance(value, str) and TO_COME in value


def _judge_all(said: Iterable[str]) -> None:
    if refused := list(said):
        raise RefusedError("\n".join(refused))


@cache
def _model(service: str) -> Any:
    # Not by a session: that would read the process's environment, which a test may have set wrong on purpose.
    return ServiceModel(create_loader().load_service_model(service, "service-2"), service)
