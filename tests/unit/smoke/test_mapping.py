"""A mapping is asked of whichever address answers, until one does."""

from pathlib import Path
from typing import Any

import pytest

from model_dockerize.errors import InputError, SmokeError
from model_dockerize.smoke import mapping
from model_dockerize.smoke.client import CheckFailed, Unanswered


class Client:
    """Stand in for the model at an address."""

    answers: dict[str, list[Any]]
    asked: list[Any]

    def __init__(self, url: str) -> None:
        self.url = url

    def mapping(self, *given: Any) -> str:
        self.asked.append((self.url, *given))
        answer = self.answers[self.url].pop(0)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    def close(self) -> None:
        self.asked.append((self.url, "closed"))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Count pauses; each takes as long as it says."""
    paused: list[float] = []
    monkeypatch.setattr(mapping, "ModelClient", Client)
    monkeypatch.setattr(mapping.time, "sleep", paused.append)
    monkeypatch.setattr(mapping.time, "monotonic", lambda: sum(paused))
    Client.asked = []
    return paused


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data.csv").write_bytes(b"a\n1\n")
    return tmp_path / "data.csv"


def test_addresses_are_asked_in_turn_until_one_answers(clock: list[float], data: Path) -> None:
    silent = Unanswered("nobody")
    Client.answers = {"a": [silent, silent], "b": [silent, '[{"destination": "x"}]']}
    assert mapping.propose_mapping(("a", "b"), data, "text/csv", 60) == [{"destination": "x"}]
    sent = ("data.csv", b"a\n1\n", "text/csv")
    assert Client.asked == [(url, *what) for _ in range(2) for url in ("a", "b") for what in (sent, ("closed",))]
    assert clock == [0.2]


def test_nobody_is_waited_for_longer_than_that(clock: list[float], data: Path) -> None:
    Client.answers = {"a": [Unanswered("nobody")] * 99}
    with pytest.raises(SmokeError) as refused:
        mapping.propose_mapping(("a",), data, "", 1)
    assert str(refused.value) == "The model does not answer: nobody"
    assert refused.value.remedy == "Look into the container's log."
    assert 1 < sum(clock) <= 1.3


def test_a_container_that_ended_is_not_waited_for(clock: list[float], data: Path) -> None:
    Client.answers = {"a": [Unanswered("nobody")]}
    with pytest.raises(SmokeError, match=r"^The model does not answer: it ended\n"):
        mapping.propose_mapping(("a",), data, "", 1, lambda: "it ended")
    assert clock == []


@pytest.mark.parametrize("answer", ["no json", "[1]", "7", CheckFailed("it is no CSV")])
def test_what_proposes_nothing_is_told(clock: list[float], data: Path, answer: Any) -> None:
    Client.answers = {"a": [answer]}
    with pytest.raises(InputError) as refused:
        mapping.propose_mapping(("a",), data, "", 1)
    said = "it is no CSV" if isinstance(answer, Exception) else "what answers is no model server of this version: "
    assert str(refused.value).startswith(f"The model proposes no mapping for {data}: {said}")
    assert refused.value.remedy == (
        "Give structured data, CSV or JSON; --mime-type says what it is, if not what the model takes."
    )
    assert Client.asked[-1] == ("a", "closed")


def test_data_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        mapping.propose_mapping(("a",), tmp_path / "none.csv", "", 1)
    assert str(refused.value) == f"{tmp_path}/none.csv cannot be read: No such file or directory."
    assert refused.value.remedy == "Give a file of data for the model."
