"""The scheduler's events tell whole stories; strategies and traffic are read and refused as ECS does it."""

from typing import Any

import pytest

from model_sandbox.api import ApiError
from model_sandbox.ecs import strategy
from model_sandbox.ecs.strategy import Pause, Step, Strategy
from model_sandbox.ecs.traffic import INVALID_NETWORKING, Route, idle_group, problem, routes, shares
from tests.rig.ecs_stage import BALANCER, Around, Stage

BACK = "Service deployment rolled back because"
SERVICE = "(service s) "


class Told(Stage):
    """A stage whose clock begins at 0, and whose tasks are called by their number."""

    def __init__(self, desired: int = 1, **configuration: object) -> None:
        super().__init__(desired, **configuration)
        self.now = 0.0

    def events(self) -> list[tuple[float, str]]:
        """Return the events since the beginning, oldest first."""
        found = []
        for event in reversed(self.service.events):
            text = event["message"].removeprefix(SERVICE)
            for number, task in enumerate(self.tasks, 1):
                text = text.replace(task.identity, str(number))
            found.append((round(event["createdAt"], 3), text))
        return found

    def shown(self) -> list[tuple[str, str, str, str]]:
        return [(each.revision.arn, each.status, each.state, each.reason) for each in self.service.deployments]


def test_an_update_is_told_from_its_first_task_to_the_steady_state() -> None:
    stage = Told(2)
    stage.deploy("one")
    stage.up(stage.step(1.0))
    stage.step(1.0)
    stage.deploy("two")
    stage.up(stage.step(1.0))
    stage.step(1.0)
    stage.step(1.0)
    stage.step(1.0)
    assert stage.events() == [
        (1.0, "has started 2 tasks: (task 1) (task 2)."),
        (2.0, "(deployment ecs-svc/one) deployment completed."),
        (2.0, "has reached a steady state."),
        (3.0, "has started 2 tasks: (task 3) (task 4)."),
        (4.0, "has stopped 1 running tasks: (task 1)."),
        (4.0, "has stopped 1 running tasks: (task 2)."),
        (5.0, "(deployment ecs-svc/two) deployment completed."),
        (5.0, "has reached a steady state."),
    ]
    assert [task.stopped_reason for task in stage.tasks] == [
        *["Scaling activity initiated by deployment ecs-svc/two"] * 2,
        *["", ""],
    ]
    assert stage.shown() == [("two", "PRIMARY", "COMPLETED", "ECS deployment ecs-svc/two completed.")]
    record, older = stage.service.records
    assert (record.status, record.status_reason, record.finished_at, record.updated_at, record.breaker) == (
        *("SUCCESSFUL", ""),
        *(5.0, 5.0, "MONITORING_COMPLETE"),
    )
    assert (record.created_at, older.finished_at, [source.arn for source in record.sources]) == (2.0, 2.0, ["one"])
    assert stage.service.primary.updated_at == 5.0


def test_a_rollback_is_told() -> None:
    stage = Told()
    stage.deploy("one")
    stage.up(stage.step(1.0))
    stage.step(1.0)
    stage.deploy("two")
    while stage.service.records[0].status == "IN_PROGRESS":
        stage.crash(stage.step(10.0))
    failed_at = stage.now
    newest = stage.service.primary
    assert stage.shown() == [
        (
            *("one", "PRIMARY", "IN_PROGRESS"),
            "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/one.",
        ),
        ("two", "ACTIVE", "FAILED", "ECS deployment circuit breaker: tasks failed to start."),
    ]
    assert (newest.is_rollback, newest.created_at, stage.tasks[0].deployment) == (True, failed_at, newest.identity)
    record = stage.service.records[0]
    words = f"{BACK} the circuit breaker threshold was exceeded."
    assert record.rollback == {"reason": words, "startedAt": failed_at, "serviceRevisionArn": "one"}
    stage.step(2.9)
    assert record.finished_at is None  # a rollback is seen for three seconds
    stage.step(0.1)
    assert stage.events()[3:] == [
        *((12.0 + 20 * number, f"has started 1 tasks: (task {number + 2}).") for number in range(3)),
        (failed_at, "(deployment ecs-svc/two) deployment failed: tasks failed to start."),
        (failed_at, "rolling back to deployment ecs-svc/one."),
        (round(failed_at + 3.0, 3), f"(deployment {newest.identity}) deployment completed."),
        (round(failed_at + 3.0, 3), "has reached a steady state."),
    ]
    assert (record.status, record.status_reason, record.breaker) == ("ROLLBACK_SUCCESSFUL", words, "TRIGGERED")
    assert stage.shown() == [
        ("one", "PRIMARY", "COMPLETED", f"ECS deployment {newest.identity} completed."),
    ]


def test_a_failure_without_a_rollback_is_told() -> None:
    stage = Told(deploymentCircuitBreaker={"enable": True, "rollback": False})
    stage.deploy("one")
    while stage.service.records[0].status == "IN_PROGRESS":
        stage.crash(stage.step(10.0))
    record = stage.service.records[0]
    told = ("STOPPED", "Service deployment circuit breaker was triggered.", stage.now)
    assert (record.status, record.status_reason, record.finished_at) == told
    assert stage.events()[-1][1] == "(deployment ecs-svc/one) deployment failed: tasks failed to start."
    assert stage.step(10.0) == []


def test_an_alarm_without_a_rollback_stops_what_runs() -> None:
    stage = Told(alarms={"enable": True, "alarmNames": ["x"]})
    stage.deploy("one")
    stage.up(stage.step(1.0))
    stage.around.alarms = {"x"}
    stage.step(0.5)
    words = f"{BACK} CloudWatch alarms were triggered: x."
    record = stage.service.records[0]
    assert (record.status, record.status_reason) == ("STOPPED", words)
    assert stage.shown() == [("one", "PRIMARY", "FAILED", words)]
    assert stage.tasks[0].stopped_reason == "ECS deployment ecs-svc/one failed"
    assert stage.events()[1:] == [
        (1.5, f"(deployment ecs-svc/one) deployment failed: {words}"),
        (1.5, "has stopped 1 running tasks: (task 1)."),
    ]


def test_a_service_that_shrinks_stops_the_youngest() -> None:
    stage = Told(3)
    stage.deploy("one")
    for task, age in zip(stage.step(1.0), (2.0, 3.0, 1.0), strict=True):
        task.created_at = age
        stage.up([task])
    stage.service.desired = 1
    stage.step(2.0)
    assert [task.stopping.is_set() for task in stage.tasks] == [True, True, False]
    assert {task.stopped_reason for task in stage.tasks[:2]} == {"Scaling activity initiated by service scheduler"}


def test_a_service_that_is_deleted_stops_all_and_is_gone() -> None:
    stage = Told()
    stage.deploy("one")
    stage.up(stage.step(1.0))
    stage.service.status = "DRAINING"
    stage.step(1.0)
    assert (stage.tasks[0].stopped_reason, stage.service.status) == ("Service is being deleted", "DRAINING")
    stage.step(1.0)
    assert stage.service.status == "INACTIVE"


def test_no_more_tasks_run_at_once_than_may() -> None:
    stage = Told(2, maximumPercent=150, minimumHealthyPercent=50)
    stage.steady()
    stage.deploy("two")
    (first,) = stage.step()
    assert len(stage.running) == 1  # half of them is enough
    stage.up([first])
    (second,) = stage.step()
    assert len([task for task in stage.tasks if task.is_live]) == 3
    stage.up([second])
    stage.step(2.0)
    assert stage.running == [first, second]


# ---- strategies


@pytest.mark.parametrize(
    ("configuration", "read"),
    [
        ({}, Strategy()),
        ({"strategy": "ROLLING", "bakeTimeInMinutes": 3}, Strategy("ROLLING", 0, (), ())),
        ({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 3}, Strategy("BLUE_GREEN", 3, (Step(100.0, 0),), ())),
        ({"strategy": "CANARY"}, Strategy("CANARY", 0, (Step(5.0, 10), Step(100.0, 0)), ())),
        (
            {
                **{"strategy": "CANARY", "bakeTimeInMinutes": 1},
                "canaryConfiguration": {"canaryPercent": 99.9, "canaryBakeTimeInMinutes": 7},
            },
            Strategy("CANARY", 1, (Step(99.9, 7), Step(100.0, 0)), ()),
        ),
        (
            {"strategy": "LINEAR"},
            Strategy("LINEAR", 0, (*(Step(10.0 * number, 6) for number in range(1, 10)), Step(100.0, 0)), ()),
        ),
        (
            {
                "strategy": "BLUE_GREEN",
                "lifecycleHooks": [
                    {"lifecycleStages": ["PRE_SCALE_UP"]},
                    {
                        "lifecycleStages": ["POST_SCALE_UP", "PRE_SCALE_UP"],
                        "timeoutConfiguration": {"timeoutInMinutes": 5, "action": "CONTINUE"},
                    },
                ],
            },
            Strategy(
                *("BLUE_GREEN", 0, (Step(100.0, 0),)),
                (
                    Pause(("PRE_SCALE_UP",), 1440, "ROLLBACK"),
                    Pause(("POST_SCALE_UP", "PRE_SCALE_UP"), 5, "CONTINUE"),
                ),
            ),
        ),
    ],
)
def test_a_strategy_as_it_is_read(configuration: dict[str, Any], read: Strategy) -> None:
    assert Strategy.of(configuration) == read


GOOD: dict[str, Any] = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0}


def hook(**changes: Any) -> dict[str, Any]:
    return {**GOOD, "lifecycleHooks": [{"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"], **changes}]}


@pytest.mark.parametrize(
    ("configuration", "told"),
    [
        ({"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 100}}, ""),
        (
            {"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 100.1}},
            "canaryPercent must be between 0.1 and 100.",
        ),
        ({"strategy": "CANARY", "canaryConfiguration": {"canaryBakeTimeInMinutes": 1440}}, ""),
        (
            {"strategy": "CANARY", "canaryConfiguration": {"canaryBakeTimeInMinutes": -1}},
            "canaryBakeTimeInMinutes must be between 0 and 1440.",
        ),
        ({"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 100, "stepBakeTimeInMinutes": 0}}, ""),
        (
            {"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 100.1}},
            "stepPercent must be between 3.0 and 100.",
        ),
        ({"strategy": "LINEAR", "linearConfiguration": {"stepBakeTimeInMinutes": 1440}}, ""),
        (
            {"strategy": "LINEAR", "linearConfiguration": {"stepBakeTimeInMinutes": 1441}},
            "stepBakeTimeInMinutes must be between 0 and 1440.",
        ),
        ({"strategy": "LINEAR", "linearConfiguration": None, "bakeTimeInMinutes": 1440}, ""),
        ({"strategy": "LINEAR", "bakeTimeInMinutes": "1"}, "bakeTimeInMinutes must be between 0 and 1440."),
        (
            {"strategy": "LINEAR", "canaryConfiguration": {}},
            "canaryConfiguration is only valid when the deployment strategy is CANARY.",
        ),
        (
            {"strategy": "CANARY", "linearConfiguration": {}},
            "linearConfiguration is only valid when the deployment strategy is LINEAR.",
        ),
        *(
            (
                {"strategy": kind, "bakeTimeInMinutes": 0, "deploymentCircuitBreaker": {"enable": True}},
                f"The sandbox plays {kind} deployments only with rollback: true in deploymentCircuitBreaker.",
            )
            for kind in ("BLUE_GREEN", "CANARY", "LINEAR")
        ),
        ({**GOOD, "deploymentCircuitBreaker": {"enable": True, "rollback": True}}, ""),
        ({**GOOD, "deploymentCircuitBreaker": None, "alarms": None}, ""),
        (hook(), ""),
        (hook(timeoutConfiguration={"timeoutInMinutes": 1, "action": "CONTINUE"}), ""),
        (hook(roleArn="arn:r"), "hookTargetArn and roleArn are not applicable for PAUSE hooks."),
        (hook(lifecycleStages=None), "Invalid lifecycle stage provided for Pause Hook"),
        (hook(lifecycleStages=["PRE_SCALE_UP", "SCALE_UP"]), "Invalid lifecycle stage provided for Pause Hook"),
        *(
            (hook(lifecycleStages=[stage]), "")
            for stage in (
                *("POST_SCALE_UP", "POST_TEST_TRAFFIC_SHIFT", "PRE_PRODUCTION_TRAFFIC_SHIFT"),
                "POST_PRODUCTION_TRAFFIC_SHIFT",
            )
        ),
        ({"strategy": "ROLLING", "lifecycleHooks": []}, ""),
        ({"strategy": "ROLLING", "bakeTimeInMinutes": -1, "alarms": {"enable": True}}, ""),
    ],
)
def test_the_bounds_of_a_strategy(configuration: dict[str, Any], told: str) -> None:
    if not told:
        strategy.check(configuration, "ECS", (BALANCER,))
        return
    with pytest.raises(ApiError) as caught:
        strategy.check(configuration, "ECS", (BALANCER,))
    assert (caught.value.code, str(caught.value)) == ("InvalidParameterException", told)


@pytest.mark.parametrize("kind", ["CANARY", "LINEAR"])
def test_what_shifts_step_by_step_needs_a_load_balancer(kind: str) -> None:
    with pytest.raises(ApiError) as caught:
        strategy.check({"strategy": kind}, "ECS", ())
    told = f"The {kind} deployment strategy requires a load balancer or Service Connect."
    assert str(caught.value) == told
    with pytest.raises(ApiError, match=f"^The {kind} deployment strategy requires the ECS deployment controller"):
        strategy.check({"strategy": kind}, "EXTERNAL", (BALANCER,))
    strategy.check({}, "EXTERNAL", ())


def test_members_that_fit_stay() -> None:
    linear = {"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 50}, "bakeTimeInMinutes": 1}
    assert strategy.merged(linear, {"maximumPercent": 150}) == {**linear, "maximumPercent": 150}
    assert strategy.merged(linear, {"strategy": "CANARY"}) == {"strategy": "CANARY", "bakeTimeInMinutes": 1}
    assert strategy.merged({}, linear) == linear


# ---- traffic


ROUTE = Route(("a", "b"), "production", "test", "role")
MANAGED = f"{INVALID_NETWORKING}. ECS was unable to manage the ELB resources due to missing permissions on ECS "
BOTH = f"{INVALID_NETWORKING}. Both targetGroup and alternateTargetGroup must be associated with the "


@pytest.mark.parametrize(
    ("rules", "assumable", "told"),
    [
        ({"production": {"a": 100, "b": 0}, "test": {"b": 1}}, True, ""),
        ({"production": {"a": 100}, "test": {"b": 1}}, True, ""),
        ({"production": {"a": 1}, "test": {"b": 1}}, False, f"{MANAGED}Infrastructure Role 'role'."),
        ({"production": {"a": 1, "b": 0}}, True, f"{INVALID_NETWORKING}. One or more rules not found"),
        ({"test": {"a": 1, "b": 0}}, True, f"{INVALID_NETWORKING}. One or more rules not found"),
        (
            *({"production": {"a": 1}, "test": {"a": 1}}, True),
            f"{BOTH}productionListenerRule or testListenerRule.",
        ),
        (
            *({"production": {"a": 1, "b": 1}, "test": {"b": 1}}, True),
            f"{INVALID_NETWORKING}. productionListenerRule production should have exactly one target group serving "
            "traffic but found 2 target groups which are serving traffic",
        ),
        (
            *({"production": {"a": 0, "b": 0}, "test": {"b": 1}}, True),
            f"{INVALID_NETWORKING}. productionListenerRule production should have exactly one target group serving "
            "traffic but found 0 target groups which are serving traffic",
        ),
        (
            *({"production": {"a": 0, "b": 0, "c": 1}, "test": {"b": 1}}, True),
            f"{INVALID_NETWORKING}. Production listener rule is forwarding traffic to unexpected target group c. "
            "Expected traffic to be forwarded to either targetGroupArn: a or alternateTargetGroupArn: b",
        ),
    ],
)
def test_why_traffic_cannot_be_shifted(rules: dict[str, dict[str, int]], assumable: bool, told: str) -> None:
    assert problem(ROUTE, Around(rules=rules, can_assume=assumable)) == told


def test_routes_and_the_group_that_is_idle() -> None:
    plain = {"targetGroupArn": "c"}
    bare = {"targetGroupArn": "d", "advancedConfiguration": {"alternateTargetGroupArn": "e"}}
    assert routes([plain, BALANCER, bare]) == (ROUTE, Route(("d", "e"), "", "", ""))
    for weights, idle in (({"a": 100, "b": 0}, "b"), ({"b": 1}, "a"), ({"a": 5}, "b"), ({}, "a")):
        assert idle_group(ROUTE, Around(rules={"production": weights})) == idle
    assert idle_group(ROUTE, Around(rules={})) == "a"
    assert (ROUTE.other("a"), ROUTE.other("b")) == ("b", "a")


@pytest.mark.parametrize(
    ("percent", "own", "other"),
    [(50.0, 50, 50), (1.0, 1, 99), (99.0, 99, 1), (0.4, 4, 995), (33.3, 333, 666), (99.95, 998, 1), (0.01, 1, 998)],
)
def test_weights_of_a_share(percent: float, own: int, other: int) -> None:
    assert shares(ROUTE, "a", percent) == {"b": other, "a": own}
    assert list(shares(ROUTE, "a", percent)) == ["b", "a"]
