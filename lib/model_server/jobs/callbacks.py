"""Callbacks to the CallbackUrl of ended jobs, retried with growing pauses.

The transaction that ends a job makes its call due. A crash loses none, but may repeat one: the receiver knows it by the
job's id.
"""

import asyncio
import re
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from model_server import __version__, bounds
from model_server.jobs import database, receivers
from model_server.jobs.job import CallbackState, Job
from model_server.jobs.receivers import OwnAddressError, address_of
from model_server.jobs.store import Store
from model_server.log import log_job

_POLL_SECONDS = 1.0
_AFTER_FAULT_SECONDS = 1.0
#: A claimed call that nothing was recorded of is due again after so many times what it may take.
_CLAIM_CALLS = 4
_FIRST_PAUSE_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 3600.0
_OWN = "an address of the server's own computer or link"
_RECEIVER = re.compile(r"(?:https?://)?[^/?#]*", re.IGNORECASE)


def problem(url: str, hosts: tuple[str, ...]) -> str | None:
    """Return what is wrong with a CallbackUrl; no `hosts`: any but our own."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or not url.isprintable() or " " in url:
        return "CallbackUrl must be an http or https URL, like http://my.url.com/callback"
    if len(url) > bounds.CALLBACK_CHARACTERS:
        return f"CallbackUrl is longer than {bounds.CALLBACK_CHARACTERS} characters"
    if hosts and host not in hosts:
        return "CallbackUrl names a host that this server must not call (MODEL_CALLBACK_HOSTS)"
    if not hosts and _is_own(host):
        return f"CallbackUrl names {_OWN} (MODEL_CALLBACK_HOSTS)"
    return None


def _is_own(host: str) -> bool:
    """Check IP addresses only: names are resolved when they are called."""
    try:
        return receivers.is_own(host)
    except ValueError:
        return False


def pause(attempts: int) -> float | None:
    """Return the seconds before the next attempt; None: none."""
    if attempts >= bounds.CALL_ATTEMPTS:
        return None
    return float(min(_FIRST_PAUSE_SECONDS * 3 ** (attempts - 1), _LONGEST_PAUSE_SECONDS))


def receiver(url: str) -> str:
    """Return a URL up to its path, in lower case."""
    return _RECEIVER.match(url)[0].lower()  # type: ignore[index]  # it matches every text


class CallbackSender(threading.Thread):
    """Sends callbacks, few to one receiver, so that a slow one delays no other."""

    def __init__(self, store: Store, body: Callable[[Job], bytes], hosts: tuple[str, ...] = ()) -> None:
        """Send the calls of `store`; `hosts` may be called wherever they are."""
        super().__init__(name="callbacks", daemon=True)
        self._store = store
        self._body = body
        self._hosts = hosts
        #: The calls under way, and whom they are for.
        self._calls: dict[asyncio.Task[None], str] = {}
        self._client: Any = None
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Make no more calls; those under way become due again."""
        self._stopping.set()
        self._store.called.notify()

    def run(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        # A thread each for the names to be looked up, which nothing can break off, and some for the queue.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(bounds.CALLS + 4, "callbacks"))
        ringing: asyncio.Future[None] | None = None
        while not self._stopping.is_set():
            seen = self._store.called.count
            try:
                while len(self._calls) < bounds.CALLS and await self._next():
                    pass
            except Exception as error:  # noqa: BLE001 - one call must not keep all others from being made
                database.log_fault("a callback could not be begun, trying again", error)
                await asyncio.sleep(_AFTER_FAULT_SECONDS)
            if ringing is None:
                ringing = asyncio.ensure_future(asyncio.to_thread(self._store.called.wait, seen, _POLL_SECONDS))
            await asyncio.wait((ringing, *self._calls), return_when=asyncio.FIRST_COMPLETED)
            if ringing.done():
                ringing = None

    async def _next(self) -> bool:
        counts = Counter(self._calls.values())
        busy = [name for name, count in counts.items() if count >= bounds.CALLS_OF_A_RECEIVER]
        seconds = _CLAIM_CALLS * bounds.CALL_SECONDS
        for job in await asyncio.to_thread(self._store.queue.claim_callbacks, 1, seconds, busy):
            call = asyncio.create_task(self._make(job))
            self._calls[call] = receiver(job.callback_url or "")
            call.add_done_callback(self._calls.pop)
            return True
        return False

    async def _make(self, job: Job) -> None:
        attempts = job.callback_attempts or 1
        try:
            # A server that ended in the midst of each attempt has recorded none.
            error = await self._call(job) if attempts <= bounds.CALL_ATTEMPTS else "no attempt came to an end"
            next_in = None if error is None else pause(attempts)
            state = CallbackState.WAITING if next_in is not None else CallbackState.FAILED
            if error is None:
                state = CallbackState.DELIVERED
            await asyncio.to_thread(self._store.queue.record_callback, job, state, error, next_in)
            log_job(job.id, "callback %s, attempt %d%s", state, attempts, f": {error}" if error else "")
        except Exception as error:  # noqa: BLE001 - it is due again after a while
            database.log_fault("a callback could not be made or recorded, trying again", error)

    async def _call(self, job: Job) -> str | None:
        """Return why the call failed; never name the URL: it may hold a secret."""
        import httpx  # noqa: PLC0415 - most servers never call anybody, and it costs memory

        if self._client is None:
            # A redirect is not followed: it could lead where the client of the job must not reach.
            self._client = httpx.AsyncClient(timeout=bounds.CALL_SECONDS, follow_redirects=False)
        try:
            # httpx counts the time of each read: a receiver could send a byte now and then forever.
            async with asyncio.timeout(bounds.CALL_SECONDS), await self._request(job) as answer:
                return None if answer.is_success else f"it answered with status {answer.status_code}"
        except (TimeoutError, httpx.TimeoutException):
            return f"it did not answer within {bounds.CALL_SECONDS:g} s"
        except OwnAddressError:
            return f"it leads to {_OWN}"
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            return f"it could not be reached ({type(error).__name__})"

    async def _request(self, job: Job) -> Any:
        import httpx  # noqa: PLC0415 - as above

        url = httpx.URL(job.callback_url or "")
        headers = {"content-type": "application/json; charset=utf-8", "user-agent": f"model-server/{__version__}"}
        extensions = {}
        address = None if url.host in self._hosts else await address_of(str(url))
        if address is not None:
            headers["host"] = url.netloc.decode("ascii")
            extensions["sni_hostname"] = url.raw_host.decode("ascii")  # whom the certificate must name
            url = url.copy_with(host=address)
        return self._client.stream("POST", url, content=self._body(job), headers=headers, extensions=extensions)
