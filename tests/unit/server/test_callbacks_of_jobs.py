"""Callbacks: which URLs are taken, whom they reach, each whole request, and what is recorded of each end."""

import asyncio
import logging
import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from model_server import __version__
from model_server.jobs import callbacks, receivers
from model_server.jobs.callbacks import CallbackSender, pause, problem, receiver
from model_server.jobs.job import CallbackState
from model_server.jobs.notifications import Notifier
from model_server.jobs.receivers import OwnAddressError, address_of, is_own

NO_URL = "CallbackUrl must be an http or https URL, like http://my.url.com/callback"
OURS = "CallbackUrl names an address of the server's own computer or link (MODEL_CALLBACK_HOSTS)"
NOT_NAMED = "CallbackUrl names a host that this server must not call (MODEL_CALLBACK_HOSTS)"


@pytest.mark.parametrize(
    ("url", "hosts", "told"),
    [
        ("http://a.example/x", (), None),
        ("https://a.example:8443/x?y=z", (), None),
        ("ftp://a.example/x", (), NO_URL),
        ("a.example", (), NO_URL),
        ("http://", (), NO_URL),
        ("http://a.example:port/", (), NO_URL),
        ("http://[a", (), NO_URL),
        ("http://a.example/x y", (), NO_URL),
        ("http://a.example/x\ty", (), NO_URL),
        ("http://a.example/" + "x" * 1983, (), None),
        ("http://a.example/" + "x" * 1984, (), "CallbackUrl is longer than 2000 characters"),
        ("http://a.example/x", ("b.example",), NOT_NAMED),
        ("http://A.example/x", ("b.example", "a.example"), None),
        ("http://127.0.0.1/x", (), OURS),
        ("http://127.0.0.1/x", ("127.0.0.1",), None),
        ("http://127.0.0.1/x", ("a.example",), NOT_NAMED),
        ("http://[::1]/x", (), OURS),
        ("http://10.0.0.1/x", (), None),
    ],
)
def test_a_url_is_taken_or_refused_with_the_reason(url: str, hosts: tuple[str, ...], told: str | None) -> None:
    assert problem(url, hosts) == told


@pytest.mark.parametrize(
    ("address", "own"),
    [
        *(("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("169.254.169.254", True), ("fe80::1%eth0", True)),
        *(("0.0.0.0", True), ("::", True), ("224.0.0.1", True), ("ff02::1", True), ("::ffff:127.0.0.1", True)),  # noqa: S104
        *(("10.0.0.1", False), ("8.8.8.8", False), ("2001:db8::1", False), ("::ffff:8.8.8.8", False)),
    ],
)
def test_an_address_of_this_computer_or_its_link_is_our_own(address: str, own: bool) -> None:
    assert is_own(address) is own


@pytest.mark.parametrize(
    ("attempts", "seconds"),
    [(1, 2), (2, 6), (3, 18), (4, 54), (5, 162), (6, 486), (7, 1458), (8, 3600), (9, 3600), (10, None), (11, None)],
)
def test_the_pauses_grow_to_an_hour_and_end(attempts: int, seconds: float | None) -> None:
    assert pause(attempts) == seconds


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("HTTP://A.example:80/X", "http://a.example:80"),
        ("https://a.example?x", "https://a.example"),
        ("https://a.example#x", "https://a.example"),
        ("", ""),
    ],
)
def test_a_receiver_is_what_stands_before_the_path(url: str, name: str) -> None:
    assert receiver(url) == name


class Names:
    """A resolver that knows what the test says."""

    def __init__(self, *addresses: str) -> None:
        self.asked: list[Any] = []
        self.addresses = addresses

    async def look(self, host: str, port: int, *, type: int) -> list[Any]:  # noqa: A002 - so it is named
        self.asked.append((host, port, type))
        return [(2, 1, 6, "", (address, port)) for address in self.addresses]


def looked_up(url: str, names: Names) -> str | None:
    async def work() -> str | None:
        loop = asyncio.get_running_loop()
        loop.getaddrinfo = names.look  # type: ignore[method-assign, assignment]
        return await address_of(url)

    return asyncio.run(work())


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receivers, "getproxies", dict)


@pytest.mark.usefixtures("no_proxy")
@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://a.example/x", ("a.example", 80)),
        ("https://a.example/x", ("a.example", 443)),
        ("https://a.example:81/x", ("a.example", 81)),
    ],
)
def test_a_name_is_looked_up_once_and_its_first_address_called(url: str, asked: tuple[str, int]) -> None:
    names = Names("10.0.0.1", "10.0.0.2")
    assert looked_up(url, names) == "10.0.0.1"
    assert names.asked == [(*asked, socket.SOCK_STREAM)]
    with pytest.raises(OwnAddressError):
        looked_up(url, Names("10.0.0.1", "127.0.0.1"))


@pytest.mark.parametrize(
    ("proxies", "bypass", "address"),
    [
        ({"http": "p"}, False, None),
        ({"all": "p"}, False, None),
        ({"https": "p"}, False, "10.0.0.1"),
        ({"http": "p"}, True, "10.0.0.1"),
    ],
)
def test_what_a_proxy_is_asked_for_it_looks_up_itself(
    proxies: dict[str, str], bypass: bool, address: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(receivers, "getproxies", lambda: proxies)
    monkeypatch.setattr(receivers, "proxy_bypass", lambda host: asked.append(host) or bypass)
    assert looked_up("http://a.example:81/x", Names("10.0.0.1")) == address
    assert asked == ([] if "https" in proxies else ["a.example:81"])


def job(job_id: str = "1", url: str | None = "http://a.example/x", attempts: int | None = 1) -> Any:
    return SimpleNamespace(id=job_id, callback_url=url, callback_attempts=attempts)


class Store:
    """The store of a sender: gives the test's calls, and notes what is recorded."""

    def __init__(self, *due: Any) -> None:
        self.called = Notifier()
        self.queue = self
        self.due = list(due)
        self.claims: list[tuple[int, float, list[str]]] = []
        self.records: list[tuple[Any, ...]] = []
        self.fault: Exception | None = None

    def claim_callbacks(self, limit: int, seconds: float, busy: list[str]) -> list[Any]:
        self.claims.append((limit, seconds, busy))
        if self.fault is not None:
            raise self.fault
        return [self.due.pop(0)] if self.due else []

    def record_callback(self, called: Any, *words: Any) -> bool:
        self.records.append((called.id, *words))
        return True


Handler = Callable[[httpx.Request], httpx.Response]


def sender(store: Any, handler: Handler, hosts: tuple[str, ...] = ()) -> CallbackSender:
    made = CallbackSender(store, lambda called: f"body of {called.id}".encode(), hosts)
    made._client = httpx.AsyncClient(transport=httpx.MockTransport(handler))
    return made


@pytest.fixture(autouse=True)
def address(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have each name lead to one address, and note which are looked up."""
    asked: list[str] = []

    async def look(url: str) -> str:
        asked.append(url)
        if "own" in url:
            raise OwnAddressError
        if "nowhere" in url:
            raise socket.gaierror
        return "10.0.0.1"

    monkeypatch.setattr(callbacks, "address_of", look)
    return asked


def test_a_call_is_made_to_the_address_that_was_looked_up_under_its_name(address: list[str]) -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(204)

    assert asyncio.run(sender(Store(), handler)._call(job(url="https://ä.example:81/x?y=1"))) is None
    (request,) = seen
    assert (request.method, str(request.url), request.content) == ("POST", "https://10.0.0.1:81/x?y=1", b"body of 1")
    own = {name: request.headers[name] for name in ("host", "content-type", "user-agent", "content-length")}
    assert own == {
        "host": "xn--4ca.example:81",
        "content-type": "application/json; charset=utf-8",
        "user-agent": f"model-server/{__version__}",
        "content-length": "9",
    }
    assert request.extensions["sni_hostname"] == "xn--4ca.example"
    assert len(address) == 1


def test_a_host_that_is_named_is_called_as_it_is(address: list[str]) -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    assert asyncio.run(sender(Store(), handler, ("own.example",))._call(job(url="http://own.example/x"))) is None
    assert [str(request.url) for request in seen] == ["http://own.example/x"]
    assert ("sni_hostname" in seen[0].extensions, address) == (False, [])


def raising(error: Exception) -> Handler:
    def handler(_: httpx.Request) -> httpx.Response:
        raise error

    return handler


@pytest.mark.parametrize(
    ("url", "handler", "told"),
    [
        ("http://a.example", lambda _: httpx.Response(299), None),
        ("http://a.example", lambda _: httpx.Response(302), "it answered with status 302"),
        ("http://a.example", lambda _: httpx.Response(500), "it answered with status 500"),
        ("http://a.example", raising(httpx.ReadTimeout("x")), "it did not answer within 10 s"),
        ("http://a.example", raising(TimeoutError()), "it did not answer within 10 s"),
        ("http://a.example", raising(httpx.ConnectError("x")), "it could not be reached (ConnectError)"),
        ("http://a.example", raising(ValueError("x")), "it could not be reached (ValueError)"),
        ("http://own.example", raising(ValueError("x")), "it leads to an address of the server's own computer or link"),
        ("http://nowhere.example", raising(ValueError("x")), "it could not be reached (gaierror)"),
        ("http://a.example:port", raising(ValueError("x")), "it could not be reached (InvalidURL)"),
    ],
)
def test_a_call_that_fails_is_told_without_its_url(url: str, handler: Handler, told: str | None) -> None:
    assert asyncio.run(sender(Store(), handler)._call(job(url=url))) == told


def test_a_call_has_its_time_and_follows_no_redirect() -> None:
    made = CallbackSender(Store(), lambda _: b"")  # type: ignore[arg-type]
    assert asyncio.run(made._call(job(url="http://own.example"))) is not None
    assert (made._client.timeout, made._client.follow_redirects) == (httpx.Timeout(10.0), False)
    first = made._client
    asyncio.run(made._call(job(url="http://own.example")))
    assert made._client is first
    assert (made.name, made.daemon) == ("callbacks", True)


WAITING, FAILED, DELIVERED = CallbackState.WAITING, CallbackState.FAILED, CallbackState.DELIVERED


@pytest.mark.parametrize(
    ("attempts", "status", "recorded", "line"),
    [
        (1, 200, (DELIVERED, None, None), "job 1 callback delivered, attempt 1"),
        (None, 200, (DELIVERED, None, None), "job 1 callback delivered, attempt 1"),
        (
            2,
            500,
            (WAITING, "it answered with status 500", 6.0),
            "job 1 callback waiting, attempt 2: it answered with status 500",
        ),
        (
            10,
            500,
            (FAILED, "it answered with status 500", None),
            "job 1 callback failed, attempt 10: it answered with status 500",
        ),
        (10, 200, (DELIVERED, None, None), "job 1 callback delivered, attempt 10"),
        (
            11,
            200,
            (FAILED, "no attempt came to an end", None),
            "job 1 callback failed, attempt 11: no attempt came to an end",
        ),
    ],
)
def test_the_end_of_a_call_is_recorded(
    attempts: int | None, status: int, recorded: tuple[Any, ...], line: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "model_server")
    store = Store()
    asyncio.run(sender(store, lambda _: httpx.Response(status))._make(job(attempts=attempts)))
    assert store.records == [("1", *recorded)]
    assert [text for text in caplog.messages if text.startswith("job ")] == [line]


def test_an_end_that_cannot_be_recorded_is_told_and_harms_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store()
    monkeypatch.setattr(store, "record_callback", lambda *_: 1 / 0)
    asyncio.run(sender(store, lambda _: httpx.Response(200))._make(job()))
    faults = [record.message for record in caplog.records if record.name == "model_server" and record.exc_info]
    assert faults == ["a callback could not be made or recorded, trying again"]


def test_few_calls_go_to_one_receiver_and_each_is_claimed_for_longer_than_it_takes() -> None:
    store = Store(*(job(str(number), "http://a.example/x") for number in range(4)), job("5", "http://B.example"))
    open_calls: list[str] = []

    async def work() -> None:
        made = sender(store, lambda _: httpx.Response(200))
        held = asyncio.Event()

        async def call(called: Any) -> None:
            open_calls.append(called.id)
            await held.wait()

        made._make = call  # type: ignore[method-assign]
        for _ in range(5):
            assert await made._next() is True
        assert await made._next() is False
        assert sorted(made._calls.values()) == ["http://a.example"] * 4 + ["http://b.example"]
        held.set()
        await asyncio.gather(*made._calls)
        await asyncio.sleep(0)
        assert made._calls == {}

    asyncio.run(work())
    assert [claim[:2] for claim in store.claims] == [(1, 40.0)] * 6
    assert [claim[2] for claim in store.claims] == [[]] * 4 + [["http://a.example"]] * 2


def test_calls_are_made_as_they_become_due_until_stopped(caplog: pytest.LogCaptureFixture) -> None:
    store = Store(*(job(str(number)) for number in range(3)))
    waits: list[float] = []
    made = sender(store, lambda _: httpx.Response(200))
    wait = store.called.wait

    def noted(seen: int, seconds: float) -> None:
        waits.append(seconds)
        if len(store.records) == 3:
            made.stop()
        wait(seen, 0.0)

    store.called.wait = noted  # type: ignore[method-assign]
    made.run()
    assert sorted(record[0] for record in store.records) == ["0", "1", "2"]
    assert set(waits) == {1.0}


def test_a_fault_of_the_queue_ends_no_sender(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(job())
    store.fault = ValueError("ours")
    made = sender(store, lambda _: httpx.Response(200))
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def pause_or_end(seconds: float) -> None:
        pauses.append(seconds)
        store.fault = None
        await sleep(0)

    record, wait = store.record_callback, store.called.wait
    store.called.wait = lambda seen, _seconds: wait(seen, 0.0)  # type: ignore[method-assign]

    def end(called: Any, *words: Any) -> bool:
        made.stop()
        return record(called, *words)

    monkeypatch.setattr(store, "record_callback", end)
    monkeypatch.setattr(callbacks, "asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": pause_or_end}))
    made.run()
    assert pauses == [1.0]
    assert [text for text in caplog.messages if "callback" in text][:1] == [
        "a callback could not be begun, trying again"
    ]
    assert len(store.records) == 1
