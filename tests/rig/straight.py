"""Answers for botocore in the process that asks: without a socket, which takes more than a stand-in of AWS does."""

import io
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse


class _Body(io.BytesIO):
    """The body of an answer, as botocore reads it."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        while part := self.read():
            yield part


def headers_of(request: AWSPreparedRequest) -> dict[str, str]:
    """Return the headers of a request of botocore's as texts."""
    return {key: value.decode() if isinstance(value, bytes) else value for key, value in request.headers.items()}


def answered(request: AWSPreparedRequest, status: int, headers: Mapping[str, str], body: bytes) -> AWSResponse:
    """Return an answer to a request of botocore's."""
    return AWSResponse(request.url, status, dict(headers), _Body(body))
