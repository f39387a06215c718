"""A connection that sends nothing: functions answer as AWS documents, an operation each, and every request is kept."""

from collections.abc import Callable, Mapping
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from tests.rig.leaks import planted

from model_dockerize.aws.client import Aws
from model_dockerize.aws.model import Identity
from model_dockerize.progress import Progress, Silent

ACCOUNT, REGION = "123456789012", "us-east-1"
_NO_HEADERS: Any = HTTPHeaders()  # type: ignore[no-untyped-call]


class Refused(Exception):  # noqa: N818 - it is AWS that refuses
    """AWS answers with an error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def answering(
    answers: Mapping[str, Callable[[Any], Any]], progress: Progress | None = None
) -> tuple[Aws, list[tuple[str, Any]]]:
    """Return a connection, and the operations that it was asked for, each with its request.

    An operation that has no function among `answers` answers nothing; a function may raise Refused.
    """
    session = boto3.Session("testing", planted("answers"), region_name=REGION)
    identity = Identity(ACCOUNT, f"arn:aws:sts::{ACCOUNT}:assumed-role/ci/run", REGION)
    connection, asked = Aws(identity, progress or Silent(), session), list[tuple[str, Any]]()

    def remember(params: Any, context: dict[str, Any], **_: Any) -> None:
        context["asked"] = params

    def answer(model: Any, context: dict[str, Any], **_: Any) -> Any:
        request = context.get("asked", {})
        asked.append((model.name, request))
        try:
            said, status = (answers[model.name](request) if model.name in answers else {}), 200
        except Refused as error:
            said, status = {"Error": {"Code": error.code, "Message": str(error)}}, 400
        return AWSResponse("", status, _NO_HEADERS, None), {**said, "ResponseMetadata": {"HTTPStatusCode": status}}

    connection.listen("before-parameter-build", remember)
    connection.listen("before-call", answer)
    return connection, asked
