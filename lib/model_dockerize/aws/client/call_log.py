"""Logs calls to AWS, without content."""

import logging
import time
from collections.abc import Mapping
from typing import Any

import botocore.session

_log = logging.getLogger(__name__)
_STARTED = "model_dockerize_started"


def note_calls(session: botocore.session.Session) -> None:
    """Log the session's calls."""
    session.register("before-call", _begin)
    session.register("after-call", _end)
    session.register("after-call-error", _lost)


def _begin(**event: Any) -> None:
    event["context"][_STARTED] = time.monotonic()  # botocore hands the same context to what follows


def _end(**event: Any) -> None:
    parsed = event["parsed"]
    told = parsed.get("ResponseMetadata", {})
    code = parsed.get("Error", {}).get("Code", "")
    again = told.get("RetryAttempts", 0)
    answer = f"{told.get('HTTPStatusCode', 'no status')}{f' {code}' if code else ''}"
    _note(event, f"{answer}{f', repeated {again} times' if again else ''}, request {told.get('RequestId')}")


def _lost(**event: Any) -> None:
    _note(event, f"no answer ({type(event['exception']).__name__})")


def _note(event: Mapping[str, Any], ending: str) -> None:
    seconds = time.monotonic() - float(event["context"].get(_STARTED, time.monotonic()))
    # after-call.ecs.DescribeServices
    _log.debug("%s in %.2f s: %s", event["event_name"].partition(".")[2], seconds, ending)
