"""Answers the sandbox's containers, by credentials of their own."""

import re
from collections.abc import Callable, Collection

from model_sandbox import asgi
from model_sandbox.admission import Admission, Admitted, RefusedError, check_sender
from model_sandbox.front import Calls
from model_sandbox.sessions import Sessions

#: What the session of a container may be good for.
OF_JOBS = frozenset({"s3"})
OF_FUNCTIONS = frozenset({"batch", "s3"})
_OBJECT = re.compile(r"/(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<key>.*))?", re.DOTALL)
_OF_OBJECTS = ("DELETE", "GET", "HEAD", "POST", "PUT")
_OF_BUCKETS = ("GET", "HEAD")
_OF_BATCH = (
    "/v1/canceljob",
    "/v1/describejobdefinitions",
    "/v1/describejobqueues",
    "/v1/describejobs",
    "/v1/listjobs",
    "/v1/submitjob",
    "/v1/terminatejob",
)


class Bridge:
    """An ASGI application on the engine's bridge."""

    def __init__(
        self,
        admission: Admission,
        sessions: Sessions,
        hosts: Collection[str],
        has_bucket: Callable[[str, str], bool],  # of an access key's account
        answer: Calls,
    ) -> None:
        self._admission, self._sessions, self._hosts = admission, sessions, hosts
        self._has_bucket, self._answer = has_bucket, answer

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        if scope["type"] != "http":
            await asgi.decline(scope, receive, send)
            return
        headers = asgi.headers_of(scope)
        try:
            admitted = await self._admit(scope, headers, receive)
        except RefusedError as refused:
            await self._admission.refuse(headers, refused, send)
            return
        if admitted.signer.service == "s3" and (missing := self._missing(admitted.signer.key, scope["path"])):
            await _no_bucket(send, missing)
            return
        await self._answer(admitted, send)

    async def _admit(self, scope: asgi.Scope, headers: dict[str, str], receive: asgi.Receive) -> Admitted:
        check_sender(headers, self._hosts)
        admitted = await self._admission.admit(scope, receive)
        signer = admitted.signer
        if signer.presigned or signer.service not in self._sessions.reach(signer.key):
            raise RefusedError("AccessDenied", "Only containers of the sandbox call from here.", signer.service)
        if not _is_open(signer.service, scope["method"], scope["path"]):
            message = "A container of the sandbox may not call this operation."
            raise RefusedError("AccessDenied", message, signer.service)
        return admitted

    def _missing(self, key: str, path: str) -> str:
        # The name of the request's bucket if that does not exist, else empty.
        found = _OBJECT.fullmatch(path)
        return found["bucket"] if found and not self._has_bucket(key, found["bucket"]) else ""


def _is_open(service: str, method: str, path: str) -> bool:
    if service == "batch":
        return method == "POST" and path in _OF_BATCH
    found = _OBJECT.fullmatch(path)
    return found is not None and method in (_OF_OBJECTS if found["key"] else _OF_BUCKETS)


async def _no_bucket(send: asgi.Send, name: str) -> None:
    content = (
        "<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message>"
        f"<BucketName>{name}</BucketName></Error>"
    )
    await asgi.reply(send, 404, {"content-type": "application/xml"}, content.encode())
