"""Conversions and questions in their turn, and bodies of refused requests that are read to their end."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request

from model_server.api import upload
from model_server.api.envelope import ApiError
from model_server.converters import ConverterDiedError

from .application import Application

FIELDS = [{"Path": "name", "DataType": "string"}, {"Path": "age", "DataType": "number", "Optional": True}]


@pytest.fixture
def people(tmp_path: Path) -> Iterator[Application]:
    app = Application(tmp_path, {"schema": {"input": FIELDS, "output": FIELDS}})
    yield app
    app.close()


def test_a_conversion_whose_process_died_is_asked_for_again(people: Application) -> None:
    def dying(text: str) -> Any:
        raise ConverterDiedError(text)

    with pytest.raises(ApiError) as caught:
        asyncio.run(people.services.convert(dying, "it was killed"))
    assert (caught.value.status, caught.value.message, caught.value.headers) == (
        *(503, "it was killed; send the request again in a moment", {"retry-after": "5"}),
    )
    assert asyncio.run(people.services.view(dying, "it was killed")) is None
    for ask in (people.services.convert, people.services.view, people.services.probe):
        assert asyncio.run(ask(pow, 2, 5)) == 32


@pytest.mark.parametrize("answers_at_once", [True, False])
def test_a_queue_that_may_wait_is_asked_in_a_thread(people: Application, answers_at_once: bool) -> None:
    class Asked:
        class queue:  # noqa: N801 - as the store's
            pass

    Asked.queue.answers_at_once = answers_at_once  # type: ignore[attr-defined]
    object.__setattr__(people.services, "store", Asked)

    def is_in_the_loop(_: str) -> bool:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return False
        return True

    try:
        assert asyncio.run(people.services.look(is_in_the_loop, "x")) is answers_at_once
    finally:
        object.__setattr__(people.services, "store", people.store)


@pytest.mark.parametrize(("headers", "left"), [([], 0), ([(b"expect", b"100-continue")], 2)])
def test_a_refused_body_is_read_to_its_end_unless_it_was_not_sent(headers: list[Any], left: int) -> None:
    messages = [{"type": "http.request", "body": b"x", "more_body": more} for more in (True, False)]

    async def receive() -> Any:
        return messages.pop(0)

    asyncio.run(upload.linger(Request({"type": "http", "headers": headers}, receive)))
    assert len(messages) == left


@pytest.mark.parametrize("error", [ClientDisconnect(), RuntimeError("read already"), TimeoutError()])
def test_a_refused_body_that_breaks_off_is_no_fault(error: Exception) -> None:
    async def receive() -> Any:
        raise error

    asyncio.run(upload.linger(Request({"type": "http", "headers": []}, receive)))
