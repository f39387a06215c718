"""Callbacks: when a job is over, its CallbackUrl is called, again and again with growing pauses until it is taken.

That a call is due is written in the same transaction as the end of the job, and a call is claimed like a job. So no
call is lost by a crash, and none keeps a worker waiting. It may come twice: the receiver knows it by the job's id.
"""

import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from model_server import __version__
from model_server.jobs.job import CallbackState, Job
from model_server.jobs.store import Store
from model_server.log import log_job, logger

_MOST_CHARACTERS = 2000
_POLL_SECONDS = 1.0
_TIMEOUT_SECONDS = 10.0
#: A claimed call that nothing was recorded of is due again after this.
_CLAIM_SECONDS = 4 * _TIMEOUT_SECONDS
_ATTEMPTS = 10
_FIRST_PAUSE_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 3600.0


def problem(url: str, hosts: tuple[str, ...]) -> str | None:
    """Tells what is wrong with a CallbackUrl, or None.

    Args:
        url: as the client sent it.
        hosts: the only host names that may be called; empty: any.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or not url.isprintable() or " " in url:
        return "CallbackUrl must be an http or https URL, like http://my.url.com/callback"
    if len(url) > _MOST_CHARACTERS:
        return f"CallbackUrl is longer than {_MOST_CHARACTERS} characters"
    if hosts and host not in hosts:
        return "CallbackUrl names a host that this server must not call (MODEL_CALLBACK_HOSTS)"
    return None


def pause(attempts: int) -> float | None:
    """Seconds until the next attempt after so many; None: it is given up."""
    if attempts >= _ATTEMPTS:
        return None
    return float(min(_FIRST_PAUSE_SECONDS * 3 ** (attempts - 1), _LONGEST_PAUSE_SECONDS))


class Courier(threading.Thread):
    """Makes one call at a time; a server has a few of them."""

    def __init__(self, store: Store, body: Callable[[Job], bytes]) -> None:
        """Takes the calls of `store`; `body` makes what is sent, JSON."""
        super().__init__(name="courier", daemon=True)
        self._store = store
        self._body = body
        self._client: Any = None

    def run(self) -> None:
        """Calls for ever; whatever fault it meets, it tries again at the next look."""
        while True:
            heard = self._store.called.rings
            try:
                if self._next():
                    continue
            except Exception:  # noqa: BLE001 - one call must not keep all others from being made
                logger.exception("a callback could not be made or recorded, trying again")
            self._store.called.wait(heard, _POLL_SECONDS)

    def _next(self) -> bool:
        """Makes one call, if one is due."""
        claimed = self._store.queue.claim_callbacks(1, _CLAIM_SECONDS)
        for job in claimed:
            error = self._call(job)
            attempts = job.callback_attempts or 1
            next_in = None if error is None else pause(attempts)
            state = CallbackState.WAITING if next_in is not None else CallbackState.FAILED
            if error is None:
                state = CallbackState.DELIVERED
            self._store.queue.record_callback(job, state, error, next_in)
            log_job(job.id, "callback %s, attempt %d%s", state, attempts, f": {error}" if error else "")
        return bool(claimed)

    def _call(self, job: Job) -> str | None:
        """Sends the job's envelope; returns why it was not taken, or None. Never says the URL: it may hold a secret."""
        import httpx  # noqa: PLC0415 - most servers never call anybody, and it costs memory

        if self._client is None:
            # A redirect is not followed: it could lead where the client of the job must not reach.
            self._client = httpx.Client(timeout=_TIMEOUT_SECONDS, follow_redirects=False)
        headers = {"content-type": "application/json; charset=utf-8", "user-agent": f"model-server/{__version__}"}
        try:
            with self._client.stream("POST", job.callback_url, content=self._body(job), headers=headers) as answer:
                return None if answer.is_success else f"it answered with status {answer.status_code}"
        except httpx.TimeoutException:
            return f"it did not answer within {_TIMEOUT_SECONDS:g} s"
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            return f"it could not be reached ({type(error).__name__})"
