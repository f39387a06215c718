"""A fake of AWS's clients that is told in advance which calls come, in which order, and what each is answered."""

import re
from collections.abc import Callable, Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError
from botocore.loaders import Loader
from botocore.model import ServiceModel
from tests.rig.progress import Said

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.model import Identity

ACCOUNT, REGION = "123456789012", "us-east-1"
#: `service:operation`, the whole request, and the answer: an error is raised, a list is the pages of a paginator.
Call = tuple[str, dict[str, Any], Any]
_SERVICES = (
    *("application-autoscaling", "batch", "cloudformation", "ec2", "ecr", "ecs", "efs", "elbv2", "iam", "lambda"),
    *("logs", "s3", "service-quotas", "sts"),
)


def refused(code: str, message: str = "") -> ClientError:
    """Return an error of AWS, of the class that `client.exceptions` has for its code."""
    return _error(code)({"Error": {"Code": code, "Message": message}}, "Operation")


@cache
def _error(code: str) -> type[ClientError]:
    return type(code, (ClientError,), {})


class Token:
    """Equals every token that we make, and the same one wherever it stands."""

    def __init__(self, prefix: str = "md-") -> None:
        self._pattern, self.seen = re.compile(re.escape(prefix) + "[0-9a-f]{32}"), ""

    def __eq__(self, other: object) -> bool:
        if not self.seen and isinstance(other, str) and self._pattern.fullmatch(other):
            self.seen = other
        return other == self.seen != ""

    def __hash__(self) -> int:
        return hash(self.seen)

    def __repr__(self) -> str:
        return self.seen or "a token"


class Script:
    """All clients of an account. Any call but the next one of the script fails the test."""

    def __init__(self, *calls: Call, forever: Call | None = None) -> None:
        self.left = list(calls)
        self._forever = forever  # after all others, again and again
        self.said = Said()
        self.aws = Aws(
            Identity(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/iris", REGION),
            self.said,
            None,  # type: ignore[arg-type]
            {name: FakeClient(self, name) for name in _SERVICES},
        )

    def __enter__(self) -> "Script":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            assert self.left == [], "these calls did not come"

    def client(self, service: str) -> Any:
        return self.aws.client(service)

    def answer(self, call: str, asked: dict[str, Any]) -> Any:
        """Answer what is asked, if that is what comes now."""
        assert self.left or self._forever, f"{call} is not in the script: {asked}"
        expected, wanted, answer = self.left.pop(0) if self.left else self._forever or ("", {}, None)
        assert (call, asked) == (expected, wanted)
        if isinstance(answer, BaseException):
            raise answer
        return answer


class FakeClient:
    """One client of a script."""

    def __init__(self, script: Script, service: str) -> None:
        self._script, self._service = script, service
        self.exceptions = _Exceptions()

    @property
    def meta(self) -> Any:
        """Return what is known of the service by its description."""
        return SimpleNamespace(service_model=_model(self._service), events=_Nobody())

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        if operation.startswith("__"):
            raise AttributeError(operation)
        return lambda **asked: self._script.answer(f"{self._service}:{operation}", asked)

    def get_paginator(self, operation: str) -> "_Pages":
        return _Pages(self._script, f"{self._service}:{operation}")


class _Pages:
    def __init__(self, script: Script, call: str) -> None:
        self._script, self._call = script, call

    def paginate(self, **asked: Any) -> Iterator[Any]:
        answer = self._script.answer(self._call, asked)
        assert isinstance(answer, list), f"{self._call} answers pages"
        yield from answer


class _Nobody:
    """Stands for a client's events, of which there are none."""

    def register(self, *_: Any) -> None: ...

    def unregister(self, *_: Any) -> None: ...


@cache
def _model(service: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


class _Exceptions:
    def __getattr__(self, code: str) -> type[ClientError]:
        return _error(code)
