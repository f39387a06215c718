"""The health of a load balancer's target: what it is asked, what each answer makes of it, and who gets requests."""

import http.client
from types import SimpleNamespace
from typing import Any

import pytest

from model_sandbox import target as targets
from model_sandbox.target import Check, Target, eligible

CHECK = Check(path="/health", interval=5.0, timeout=2.0, healthy=3, unhealthy=2, code=200)


class Asked:
    """A fake of http.client: each connection has the next answer, a status or an error."""

    def __init__(self, answers: list[Any]) -> None:
        self._answers, self.happened = answers, list[Any]()
        self.client = SimpleNamespace(HTTPConnection=self._connect, HTTPException=http.client.HTTPException)

    def _connect(self, address: str, port: int, timeout: float) -> Any:
        answer = self._answers.pop(0)

        def request(method: str, path: str, headers: dict[str, str]) -> None:
            self.happened.append((address, port, timeout, method, path, headers))
            if isinstance(answer, Exception):
                raise answer

        return SimpleNamespace(
            request=request,
            getresponse=lambda: SimpleNamespace(status=answer),
            close=lambda: self.happened.append("closed"),
        )


class Watched:
    """A target that is looked at as often as there are answers; None: the groups let nobody in."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: Any, check: Check = CHECK) -> None:
        looks = list(answers)
        self.asked = Asked([each for each in answers if each is not None])
        monkeypatch.setattr(targets, "http", self.asked)
        self.states: list[tuple[str, str, str]] = []
        self.waits: list[float] = []
        admitted = [each is not None for each in answers]
        watched = self

        class Thread:
            def __init__(self, *, target: Any, daemon: bool, name: str) -> None:
                assert daemon, f"{name} would hold up the end of the sandbox"
                self._target = target

            def start(self) -> None:
                watched.watch = self._target

        class Left:
            """The event of its leaving, which comes when there is nothing left to answer."""

            def __init__(self) -> None:
                self._is_set = False

            def set(self) -> None:
                self._is_set = True

            def is_set(self) -> bool:
                return self._is_set or not looks

            def wait(self, seconds: float) -> None:
                watched.waits.append(seconds)
                looks.pop(0)
                watched.states.append((watched.target.state, watched.target.reason, watched.target.description))

        monkeypatch.setattr(targets, "threading", SimpleNamespace(Thread=Thread, Event=Left))
        self.watch: Any = None
        self.target = Target("172.17.0.9", 80, check, lambda: admitted.pop(0))


INITIAL = ("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
HEALTHY = ("healthy", "", "")


def mismatch(status: int) -> tuple[str, str, str]:
    return ("unhealthy", "Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{status}]")


def test_a_check_is_read_from_a_target_group() -> None:
    group = {
        **{"HealthCheckPath": "/health", "HealthCheckIntervalSeconds": "5", "HealthCheckTimeoutSeconds": "2"},
        **{"HealthyThresholdCount": "3", "UnhealthyThresholdCount": "2", "Matcher": {"HttpCode": "200"}},
    }
    assert Check.of(group) == CHECK


def test_a_target_is_asked_as_load_balancers_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Watched(monkeypatch, 200)
    assert (one.target.state, one.target.reason, one.target.description) == INITIAL
    one.watch()
    request = ("172.17.0.9", 80, 2.0, "GET", "/health", {"User-Agent": "ELB-HealthChecker/2.0"})
    assert one.asked.happened == [request, "closed"]
    assert (one.states, one.waits) == ([HEALTHY], [5.0])


@pytest.mark.parametrize(
    ("answer", "reason", "description"),
    [
        (None, "Target.Timeout", "Request timed out"),
        (TimeoutError(), "Target.Timeout", "Request timed out"),
        (ConnectionRefusedError(), "Target.FailedHealthChecks", "Health checks failed"),
        (http.client.BadStatusLine("x"), "Target.FailedHealthChecks", "Health checks failed"),
        (503, "Target.ResponseCodeMismatch", "Health checks failed with these codes: [503]"),
    ],
)
def test_why_a_target_is_unhealthy(monkeypatch: pytest.MonkeyPatch, answer: Any, reason: str, description: str) -> None:
    one = Watched(monkeypatch, answer, answer)
    one.watch()
    assert one.states == [INITIAL, ("unhealthy", reason, description)]
    assert one.asked.happened.count("closed") == (0 if answer is None else 2)


def test_after_the_first_success_the_thresholds_count(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [500, 200, 500, 200, 500, 500, 501, 200, 200, 500, 200, 200, 200]
    one = Watched(monkeypatch, *answers)
    one.watch()
    assert one.states == [INITIAL, *[HEALTHY] * 4, mismatch(500), *[mismatch(501)] * 6, HEALTHY]


def test_a_target_that_left_is_asked_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Watched(monkeypatch, 200)
    one.target.leave()
    one.watch()
    assert one.asked.happened == []


def test_a_target_is_shown_with_why_it_is_not_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Watched(monkeypatch, 200)
    head = "<member><Target><Id>172.17.0.9</Id><Port>80</Port></Target><TargetHealth>"
    why = "<Reason>Elb.RegistrationInProgress</Reason><Description>Target registration is in progress</Description>"
    assert one.target.xml() == f"{head}<State>initial</State>{why}</TargetHealth></member>"
    one.watch()
    assert one.target.xml() == f"{head}<State>healthy</State></TargetHealth></member>"


@pytest.mark.parametrize(
    ("states", "chosen"),
    [
        (["initial", "healthy", "unhealthy", "healthy"], [1, 3]),
        (["initial", "unhealthy", "unhealthy"], [1, 2]),
        (["initial", "initial"], []),
        ([], []),
    ],
)
def test_who_gets_requests(states: list[str], chosen: list[int]) -> None:
    known: list[Any] = [SimpleNamespace(state=state) for state in states]
    assert eligible(iter(known)) == [known[index] for index in chosen]
