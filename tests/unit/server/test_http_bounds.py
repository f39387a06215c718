"""A connection within its bounds: each side of each, by a clock that the test moves, and each refusal whole."""

import asyncio
import resource
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from model_server.protocol import Connections, Protocol


class Clock:
    """The loop, but for its time, and for what it is to call later."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.now = 1000.0
        self.later: list[tuple[float, Callable[..., None], tuple[Any, ...]]] = []
        self._loop = loop

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, call: Callable[..., None], *words: Any) -> Any:
        self.later.append((seconds, call, words))
        return SimpleNamespace(cancel=lambda: None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)


class Transport:
    """The client's end: notes what comes and what happens to it."""

    def __init__(self) -> None:
        self.seen: list[bytes | str] = []
        self.closing = False

    def write(self, data: bytes) -> None:
        self.seen.append(bytes(data))

    def writelines(self, parts: Any) -> None:
        self.seen.append(b"".join(parts))

    def close(self) -> None:
        self.closing = True
        self.seen.append("closed")

    def abort(self) -> None:
        self.seen.append("aborted")

    def is_closing(self) -> bool:
        return self.closing

    def get_extra_info(self, _name: str) -> None:
        return None

    def pause_reading(self) -> None:
        self.seen.append("paused")

    def resume_reading(self) -> None:
        self.seen.append("resumed")


class Talk:
    """Connections to an application that answers when it is told to."""

    def __init__(self, most: int | None = 10) -> None:
        self.clock = Clock(asyncio.get_running_loop())
        self.go_on = asyncio.Event()
        self.paths: list[str] = []
        self.bodies: list[bytes] = []
        self.starts_first = False
        config = uvicorn.Config(self.app, interface="asgi3", log_config=None, lifespan="off")
        config.load()
        self.config = config
        self.all = Connections(most)

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        self.paths.append(scope["path"])
        head = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
        if self.starts_first:
            await send(head)
        await self.go_on.wait()
        if not self.starts_first:
            await send(head)
        await send({"type": "http.response.body", "body": b"ok"})

    def connect(self) -> tuple[Protocol, Transport]:
        loop: Any = self.clock
        protocol, transport = self.all(self.config, ServerState(), {}, loop), Transport()
        protocol.connection_made(transport)  # type: ignore[arg-type]
        return protocol, transport

    async def turns(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    def later(self, protocol: Protocol, seconds: float) -> None:
        self.clock.now += seconds
        protocol.look(self.clock.now)


def run(work: Callable[[Talk], Any], most: int | None = 10) -> None:
    async def talk() -> None:
        made = Talk(most)
        await work(made)
        made.go_on.set()
        await made.turns()

    asyncio.run(talk())


def refusal(status: int, phrase: str) -> list[bytes | str]:
    return [
        f"HTTP/1.1 {status} {phrase}\r\ncontent-type: text/plain; charset=utf-8\r\n"
        f"content-length: {len(phrase)}\r\nconnection: close\r\n\r\n{phrase}".encode(),
        "closed",
    ]


GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
LATE = refusal(408, "Request Timeout")
LARGE = refusal(431, "Request Header Fields Too Large")


def test_a_client_that_says_nothing_is_hung_up_on_after_its_time() -> None:
    async def work(talk: Talk) -> None:
        protocol, transport = talk.connect()
        talk.later(protocol, 19.9)
        assert transport.seen == []
        talk.later(protocol, 0.1)
        assert transport.seen == ["closed"]
        talk.later(protocol, 59.9)
        assert transport.seen == ["closed"]
        talk.later(protocol, 60.1)  # it does not read what is left either
        assert transport.seen == ["closed", "aborted"]

    run(work)


def test_a_head_has_its_time_from_its_first_byte() -> None:
    async def work(talk: Talk) -> None:
        protocol, transport = talk.connect()
        talk.later(protocol, 10)
        protocol.data_received(b"GET /a HTTP/1.1\r\n")
        talk.later(protocol, 19.9)
        assert transport.seen == []
        protocol.data_received(b"Host: x\r\n")
        talk.later(protocol, 0.1)
        assert transport.seen == LATE
        protocol.data_received(GET)
        protocol.refuse(object())  # type: ignore[arg-type]
        assert transport.seen == LATE
        assert talk.paths == []

    run(work)


def test_the_next_head_has_its_time_too() -> None:
    async def work(talk: Talk) -> None:
        talk.go_on.set()
        protocol, transport = talk.connect()
        protocol.data_received(GET)
        await talk.turns()
        assert transport.seen[0][-6:] == b"\r\n\r\nok"  # type: ignore[index]
        talk.later(protocol, 1000)
        protocol.data_received(b"\r\n")  # not even the first byte of one
        talk.later(protocol, 19.9)
        assert len(transport.seen) == 1
        talk.later(protocol, 0.1)
        assert transport.seen[1:] == ["closed"]

    run(work)


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (b"nonsense\r\n\r\n", refusal(400, "Bad Request")),
        (b"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", refusal(405, "Method Not Allowed")),
        (b"GET /a HTTP/1.1\r\n" + b"a: b\r\n" * 100 + b"\r\n", None),
        (b"GET /a HTTP/1.1\r\n" + b"a: b\r\n" * 101 + b"\r\n", LARGE),
        (b"GET /a HTTP/1.1\r\nab: " + b"x" * (32768 - 4) + b"\r\n\r\n", None),
        (b"GET /a HTTP/1.1\r\nab: " + b"x" * (32768 - 3) + b"\r\n\r\n", LARGE),
        (b"GET /" + b"x" * 32765 + b" HTTP/1.1\r\na: b\r\n\r\n", None),
        (b"GET /" + b"x" * 32766 + b" HTTP/1.1\r\na: b\r\n\r\n", LARGE),
    ],
)
def test_a_head_that_is_wrong_or_too_large_is_refused(sent: bytes, told: list[bytes | str] | None) -> None:
    async def work(talk: Talk) -> None:
        protocol, transport = talk.connect()
        protocol.data_received(sent)
        await talk.turns()
        assert transport.seen == (told or [])
        assert len(talk.paths) == (told is None)
        protocol.data_received(GET)
        await talk.turns()
        assert len(talk.paths) == (told is None)

    run(work)


def test_a_head_in_pieces_is_refused_before_its_end() -> None:
    async def work(talk: Talk) -> None:
        protocol, transport = talk.connect()
        protocol.data_received(b"GET /a HTTP/1.1\r\na: ")
        protocol.data_received(b"x" * 32768)
        assert transport.seen == []
        protocol.data_received(b"x")
        assert transport.seen == LARGE

    run(work)


def test_a_large_body_is_no_large_head() -> None:
    async def work(talk: Talk) -> None:
        protocol, transport = talk.connect()
        protocol.data_received(b"POST /a HTTP/1.1\r\nContent-Length: 100000\r\n")
        protocol.data_received(b"a: " + b"x" * 30000 + b"\r\n\r\n" + b"y" * 40000)
        protocol.data_received(b"y" * 50000)
        await talk.turns()
        assert transport.seen == ["paused"]
        assert talk.paths == ["/a"]

    run(work)


def test_a_body_must_keep_its_pace() -> None:
    async def work(talk: Talk) -> None:
        protocol, transport = talk.connect()
        protocol.data_received(b"POST /a HTTP/1.1\r\nContent-Length: 100000\r\n\r\n")
        protocol.data_received(b"x" * 16384)
        talk.later(protocol, 59.9)
        talk.later(protocol, 0.1)  # it has kept it: the next part has as long
        protocol.data_received(b"x" * 16383)
        talk.later(protocol, 59.9)
        assert transport.seen == []
        talk.later(protocol, 0.1)
        assert transport.seen == LATE

    run(work)


def test_a_body_that_waits_for_us_is_not_late() -> None:
    async def work(talk: Talk) -> None:
        protocol, transport = talk.connect()
        protocol.data_received(b"POST /a HTTP/1.1\r\nContent-Length: 200000\r\n\r\n")
        protocol.data_received(b"x" * 70000)
        assert transport.seen == ["paused"]
        for _ in range(3):
            talk.later(protocol, 100)
        assert transport.seen == ["paused"]
        protocol.flow.read_paused = False
        talk.later(protocol, 59.9)
        assert transport.seen == ["paused"]
        talk.later(protocol, 0.1)
        assert transport.seen[1:] == LATE

    run(work)


def test_a_refused_body_is_read_for_a_while() -> None:
    async def work(talk: Talk) -> None:
        talk.go_on.set()
        protocol, transport = talk.connect()
        protocol.data_received(b"POST /a HTTP/1.1\r\nContent-Length: 100000\r\n\r\nxx")
        await talk.turns()
        assert len(transport.seen) == 1
        talk.later(protocol, 9.9)
        assert len(transport.seen) == 1
        talk.later(protocol, 0.1)
        assert transport.seen[1:] == ["closed"]

    run(work)


def test_an_answer_that_is_not_read_is_broken_off() -> None:
    async def work(talk: Talk) -> None:
        protocol, transport = talk.connect()
        protocol.data_received(GET)
        protocol.pause_writing()
        talk.later(protocol, 59.9)
        protocol.resume_writing()
        talk.later(protocol, 59.9)
        assert transport.seen == []
        protocol.pause_writing()
        talk.later(protocol, 59.9)
        assert transport.seen == []
        talk.later(protocol, 0.1)
        assert transport.seen == ["aborted"]
        protocol.resume_writing()

    run(work)


def test_a_connection_that_waits_gives_way_the_longest_first_and_else_none_is_taken() -> None:
    async def work(talk: Talk) -> None:
        (first, of_first), (second, of_second) = talk.connect(), talk.connect()
        first.data_received(GET)
        second.data_received(GET)
        await talk.turns()
        none, of_none = talk.connect()
        assert of_none.seen == ["aborted"]
        none.data_received(GET)
        none.connection_lost(None)
        await talk.turns()
        assert len(talk.paths) == 2
        talk.go_on.set()
        await talk.turns()
        talk.connect()
        assert (of_first.seen[1:], of_second.seen[1:]) == (["aborted"], [])
        first.connection_lost(None)
        second.data_received(b"GET")  # it still waits for its client
        talk.connect()
        assert of_second.seen[1:] == ["aborted"]

    run(work, most=2)


@pytest.mark.parametrize(("descriptors", "most"), [(100, 1), (257, 1), (300, 44), (1280, 1024), (10**6, 1024)])
def test_as_many_connections_are_taken_as_descriptors_and_bounds_allow(
    descriptors: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(resource, "getrlimit", lambda kind: asked.append(kind) or (descriptors, 10**9))
    assert Connections()._most == most
    assert asked == [resource.RLIMIT_NOFILE]


def test_all_are_looked_at_each_second_while_there_are_any() -> None:
    async def work(talk: Talk) -> None:
        protocol, transport = talk.connect()
        other, of_other = talk.connect()
        assert [(seconds, words) for seconds, _, words in talk.clock.later] == [(1.0, (talk.clock,))]

        def turn() -> None:
            _, call, words = talk.clock.later.pop(0)
            call(*words)

        talk.clock.now += 20.0
        turn()
        assert [transport.seen, of_other.seen] == [["closed"]] * 2
        assert [(seconds, words) for seconds, _, words in talk.clock.later] == [(1.0, (talk.clock,))]
        for one in (protocol, other):
            one.connection_lost(None)
        turn()
        assert talk.clock.later == []
        talk.connect()
        assert len(talk.clock.later) == 1

    run(work)


def test_a_server_that_stops_answers_what_it_has_and_then_hangs_up() -> None:
    async def work(talk: Talk) -> None:
        before, of_before = talk.connect()
        before.data_received(GET)
        await talk.turns()
        idle, of_idle = talk.connect()
        talk.all.dismiss()
        assert before.cycle.keep_alive is False
        idle.data_received(GET)
        await talk.turns()
        assert idle.cycle.keep_alive is False
        talk.go_on.set()
        await talk.turns()
        for transport in (of_before, of_idle):
            assert len(transport.seen) == 2
            assert b"connection: close" in transport.seen[0]  # type: ignore[operator]
            assert transport.seen[1] == "closed"

    run(work)


def test_an_answer_that_has_begun_cannot_say_that_it_is_the_last() -> None:
    async def work(talk: Talk) -> None:
        talk.starts_first = True
        protocol, _ = talk.connect()
        protocol.data_received(GET)
        await talk.turns()
        talk.all.dismiss()
        assert protocol.cycle.keep_alive is True

    run(work)


def test_at_the_end_a_request_on_its_way_has_a_second() -> None:
    async def work(talk: Talk) -> None:
        fresh, of_fresh = talk.connect()
        fresh.shutdown()
        talk.later(fresh, 0.9)
        assert of_fresh.seen == []
        talk.later(fresh, 0.1)
        assert of_fresh.seen == ["closed"]
        talk.go_on.set()
        known, of_known = talk.connect()
        known.data_received(GET)
        await talk.turns()
        known.data_received(b"GET /b HTTP/1.1\r\n")
        known.shutdown()
        assert len(of_known.seen) == 1
        talk.later(known, 1.0)
        assert of_known.seen[1:] == LATE
        idle, of_idle = talk.connect()
        idle.data_received(GET)
        await talk.turns()
        idle.shutdown()
        assert of_idle.seen[1:] == ["closed"]
        slow, of_slow = talk.connect()
        talk.clock.now += 19.5
        slow.shutdown()
        talk.later(slow, 0.5)  # its own time is over sooner
        assert of_slow.seen == ["closed"]

    run(work)


def test_who_closes_its_end_is_answered_while_an_answer_is_due() -> None:
    async def work(talk: Talk) -> None:
        protocol, _ = talk.connect()
        assert protocol.eof_received() is False
        protocol.data_received(b"POST /a HTTP/1.1\r\nContent-Length: 1\r\n")
        assert protocol.eof_received() is False
        protocol.data_received(b"\r\n")
        assert protocol.eof_received() is False
        protocol.data_received(b"x")
        assert protocol.cycle.keep_alive is True
        assert protocol.eof_received() is True
        assert protocol.cycle.keep_alive is False
        talk.go_on.set()
        await talk.turns()
        assert protocol.eof_received() is False

    run(work)


@pytest.mark.parametrize("starts", [True, False])
def test_an_error_behind_an_answer_that_is_due_waits_for_it(starts: bool) -> None:
    async def work(talk: Talk) -> None:
        talk.starts_first = starts
        protocol, transport = talk.connect()
        protocol.data_received(GET)
        await talk.turns()
        protocol.data_received(b"nonsense\r\n\r\n")
        assert "closed" not in transport.seen
        assert protocol.cycle.keep_alive is False
        talk.go_on.set()
        await talk.turns()
        assert transport.seen[-1] == "closed"
        assert b"".join(part for part in transport.seen if isinstance(part, bytes)).endswith(b"\r\n\r\nok")
        assert len(talk.paths) == 1

    run(work)


@pytest.mark.parametrize("starts", [True, False])
def test_an_error_in_a_body_is_told_unless_its_answer_has_begun(starts: bool) -> None:
    async def work(talk: Talk) -> None:
        talk.starts_first = starts
        protocol, transport = talk.connect()
        protocol.data_received(b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        await talk.turns()
        protocol.data_received(b"nonsense\r\n")
        assert transport.seen == (["closed"] if starts else refusal(400, "Bad Request"))

    run(work)


def test_an_offer_is_left_out_and_all_else_of_the_head_is_kept() -> None:
    async def work(talk: Talk) -> None:
        heads: list[list[tuple[bytes, bytes]]] = []

        async def app(scope: Any, _receive: Any, _send: Any) -> None:
            heads.append(scope["headers"])
            talk.paths.append(f"{scope['method']} {scope['path']} {scope['http_version']}")

        talk.config.loaded_app = app
        for offer in (b"Upgrade", b"keep-alive, upgrade ,HTTP2-Settings"):
            protocol, _ = talk.connect()
            protocol.data_received(
                b"PUT /a?b HTTP/1.1\r\nHost: x\r\nConnection: " + offer + b"\r\nUpgrade: h2c\r\nHTTP2-Settings: A\r\n"
                b"Content-Length: 3\r\nOther: y\r\n\r\nabc"
            )
            await talk.turns()
        kept = [(b"content-length", b"3"), (b"other", b"y")]
        assert heads == [
            [(b"host", b"x"), (b"connection", b""), *kept],
            [(b"host", b"x"), (b"connection", b"keep-alive"), *kept],
        ]
        assert talk.paths == ["PUT /a 1.1"] * 2

    run(work)
