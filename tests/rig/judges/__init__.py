"""Judges of what the suite sends to AWS, none of them ours: our own sandbox believes what we believe.

botocore's models say how long, how many and of which letters values may be, which botocore itself does not check;
cfn-lint holds AWS's schemas and rules of resources; EC2's characters are documented; what policies are made of is in
the Service Authorization Reference. Every request of the product's
own clients is judged, wherever a test makes it. What its limits and letters refuse is never sent and fails that test.
cfn-lint takes a second to load, and longest where it judges one by one: it judges all together (docket.py).
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.loaders import create_loader
from botocore.model import ServiceModel
from tests.rig.judges import ec2_text, limits, resources

from model_dockerize.aws.client import TO_COME

_OURS = "model-dockerize"  # in the user agent of the product's clients
#: What differs between requests that are judged alike: ids that moto and AWS make up, and the counts of revisions.
_MADE_UP = re.compile(r"(?<=-)[0-9a-f]{8,17}\b|(?<=:)\d{1,3}(?=\")")


class RefusedError(AssertionError):
    """A request that AWS would refuse."""


def refusals(service: str, operation: str, parameters: Any) -> list[str]:
    """Return what the judges have against a request."""
    (of_resource,) = resources.refusals([(service, operation, parameters)])
    return [*_at_once(service, operation, parameters), *of_resource]


@contextmanager
def judging(note: Callable[[str, str], None]) -> Iterator[None]:
    """Judge every request of the product's clients in this process, and `note` what is left to cfn-lint.

    A refusal is raised where the request is made. Where a pipeline reports it as any other failure, it is raised again
    at the end. A request is noted as it is, behind a text that is the same for all that are judged alike.
    """
    call = BaseClient._make_api_call
    passed, refused = set[str](), list[str]()

    def judged(client: Any, operation: str, parameters: Any) -> Any:
        if _OURS in str(client.meta.config.user_agent_extra):
            service = client.meta.service_model.service_name
            alike = _MADE_UP.sub("1", json.dumps([service, operation, parameters], sort_keys=True, default=repr))
            if alike not in passed:
                if not _is_rehearsed(parameters):
                    if said := _at_once(service, operation, parameters):
                        refused.append(verdict(service, operation, said))
                        raise RefusedError(refused[-1])
                    if resources.makes_one(service, operation):
                        note(alike, as_line(service, operation, parameters))
                passed.add(alike)
        return call(client, operation, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", judged)
        yield
    _fail(refused)


def judge_noted(requests: Path) -> None:
    """Judge what command lines noted (child.py), each request once."""
    lines = set(requests.read_text(encoding="utf-8").splitlines()) if requests.exists() else set()
    asked = [request for request in map(from_line, sorted(lines)) if not _is_rehearsed(request[2])]
    judged = zip(asked, [_at_once(*request) for request in asked], resources.refusals(asked), strict=True)
    _fail([verdict(*request[:2], [*quick, *slow]) for request, quick, slow in judged if quick or slow])


def as_line(service: str, operation: str, parameters: Any) -> str:
    """Return a request as a line of JSON; what is no JSON only by its type."""
    return json.dumps([service, operation, parameters], sort_keys=True, default=lambda value: type(value).__name__)


def from_line(line: str) -> resources.Request:
    """Return the request that a line holds."""
    service, operation, parameters = json.loads(line)
    return service, operation, parameters


def verdict(service: str, operation: str, said: Sequence[str]) -> str:
    """Return the sentence that tells of a refusal."""
    return f"AWS would refuse {service}:{operation}: {'; '.join(said)}"


def _at_once(service: str, operation: str, parameters: Any) -> list[str]:
    """Return what the quick ones of the judges have against a request."""
    model = _model(service).operation_model(operation)
    said = [*limits.refusals(model, parameters)]
    if service == "ec2" and "SecurityGroup" in operation:
        said += [f"EC2 takes no such text: {text!r}" for text in ec2_text.refused(parameters)]
    return said


def _is_rehearsed(value: Any) -> bool:
    """Tell whether only a plan asks this: it is never sent and has no verdict."""
    if isinstance(value, dict | list | tuple):
        return any(_is_rehearsed(each) for each in (value.values() if isinstance(value, dict) else value))
    return isinstance(value, str) and TO_COME in value


def _fail(refused: Sequence[str]) -> None:
    if refused:
        raise RefusedError("\n".join(refused))


@cache
def _model(service: str) -> Any:
    # Not by a session: that would read the process's environment, which a test may have set wrong on purpose.
    return ServiceModel(create_loader().load_service_model(service, "service-2"), service)
