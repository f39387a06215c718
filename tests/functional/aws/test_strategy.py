"""A service behind a load balancer waits in a pause of ours; a rolling one stays so; settings of others are kept."""

from typing import Any

import pytest

from model_dockerize.aws.ecs.service_request import differing, request, update
from model_dockerize.aws.ecs.service_state import service_of
from model_dockerize.aws.ecs.strategy import has_our_pause, is_ours, pause, without_pause
from model_dockerize.aws.existing.inputs import of_service
from model_dockerize.aws.model import Foundations, LoadBalancer, TaskDefinition
from model_dockerize.errors import InputError
from model_dockerize.settings import ServiceSettings, as_found
from tests.rig.iris import settings

from .conftest import Account

BALANCER = LoadBalancer("blue", "green", "rule", "test-rule", "role")
DEFINITION = TaskDefinition("arn:aws:ecs:us-east-1:1:task-definition/iris:2", "iris", 2, True)
THEIRS = {"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"], "timeoutConfiguration": {"timeoutInMinutes": 5}}
LAMBDA = {"targetType": "AWS_LAMBDA", "hookTargetArn": "f", "roleArn": "r", "lifecycleStages": ["POST_SCALE_UP"]}


def ground(asked: ServiceSettings, balancer: LoadBalancer | None = BALANCER) -> Foundations:
    return Foundations("e", "t", "log", False, "vpc", ("s",), ("g",), "c", True, asked, load_balancer=balancer)


def balanced(**changes: Any) -> ServiceSettings:
    return settings(load_balancer="true", **changes)


def made(account: Account, asked: ServiceSettings) -> dict[str, Any]:
    """Return a service as ECS would show it after CreateService."""
    return {**request(account.aws, asked, DEFINITION, ground(asked), 300), "desiredCount": 1}


def asked_of(account: Account, there: dict[str, Any], said: ServiceSettings) -> dict[str, Any]:
    kept = as_found(said, of_service(there, is_placed=True))
    return update(account.aws, kept, there, DEFINITION, ground(kept), True, 300)


def test_behind_a_load_balancer_a_version_waits_for_its_test(account: Account) -> None:
    whole = request(account.aws, balanced(), DEFINITION, ground(balanced()), 600)
    configuration = whole["deploymentConfiguration"]
    assert (configuration["strategy"], configuration["bakeTimeInMinutes"]) == ("BLUE_GREEN", 5)
    assert "earlySuccessCriteria" not in configuration
    assert configuration["deploymentCircuitBreaker"]["rollback"]
    (hook,) = configuration["lifecycleHooks"]
    assert hook == {
        "targetType": "PAUSE",
        "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"],
        "timeoutConfiguration": {"timeoutInMinutes": 21, "action": "ROLLBACK"},
    }
    assert whole["loadBalancers"][0]["advancedConfiguration"] == {
        **{"alternateTargetGroupArn": "green", "productionListenerRule": "rule"},
        **{"testListenerRule": "test-rule", "roleArn": "role"},
    }


@pytest.mark.parametrize("wait", [1, 59, 60, 61, 500, 560, 900, 3600, 10**6, 10**9])
def test_a_pause_is_told_by_its_odd_minutes_and_is_long_enough(wait: int) -> None:
    hook = pause(wait, 300)
    minutes = hook["timeoutConfiguration"]["timeoutInMinutes"]
    assert is_ours(hook)
    assert 1 <= minutes <= 20160
    assert minutes * 60 > wait + 300 or minutes == 20159


@pytest.mark.parametrize("minutes", [5, 15, 30, 45, 60, 1440])
def test_a_pause_of_a_person_is_not_ours(minutes: int) -> None:
    timeout = {"timeoutInMinutes": minutes, "action": "ROLLBACK"}
    assert not is_ours({**pause(900, 300), "timeoutConfiguration": timeout})
    assert not is_ours({**pause(900, 300), "timeoutConfiguration": {"timeoutInMinutes": 21}})


@pytest.mark.parametrize("way", ["canary", "linear"])
def test_steps_are_said_in_ecs_words(account: Account, way: str) -> None:
    asked = balanced(rollout=way, step_percent=25, step_minutes=3, queue_url="postgres://h/d", volume="data")
    configuration = made(account, asked)["deploymentConfiguration"]
    names = {"canary": ("canaryPercent", "canaryBakeTimeInMinutes"), "linear": ("stepPercent", "stepBakeTimeInMinutes")}
    assert configuration[f"{way}Configuration"] == dict(zip(names[way], (25.0, 3), strict=True))


def test_what_is_as_asked_is_not_asked_again_and_what_nobody_says_stays(account: Account) -> None:
    for asked in (
        balanced(),
        balanced(bake_minutes=30, alarms=("errors",)),
        balanced(rollout="canary", step_percent=25, queue_url="postgres://h/d", volume="data"),
        balanced(rollout="rolling"),
    ):
        there = made(account, asked)
        assert differing(asked_of(account, there, settings(load_balancer="true")), there) == []


def test_decimals_that_somebody_set_stay(account: Account) -> None:
    there = made(account, balanced(rollout="canary", queue_url="postgres://h/d", volume="data"))
    there["deploymentConfiguration"]["canaryConfiguration"]["canaryPercent"] = 0.5
    assert differing(asked_of(account, there, balanced()), there) == []


def test_hooks_of_others_are_kept_and_ours_is_put_beside_them(account: Account) -> None:
    there = made(account, balanced())
    hooks = there["deploymentConfiguration"]["lifecycleHooks"]
    there["deploymentConfiguration"]["lifecycleHooks"] = [LAMBDA, THEIRS]
    asked = asked_of(account, there, balanced())["deploymentConfiguration"]["lifecycleHooks"]
    assert asked == [LAMBDA, THEIRS, *hooks]
    there["deploymentConfiguration"]["lifecycleHooks"] = asked
    assert differing(asked_of(account, there, balanced()), there) == []
    assert without_pause(there["deploymentConfiguration"]) == [LAMBDA, THEIRS]


def test_a_pause_of_somebody_else_at_our_stage_is_refused(account: Account) -> None:
    there = made(account, balanced())
    theirs = {**THEIRS, "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT", "PRE_SCALE_UP"]}
    there["deploymentConfiguration"]["lifecycleHooks"] = [theirs]
    with pytest.raises(InputError, match="POST_TEST_TRAFFIC_SHIFT"):
        asked_of(account, there, balanced())


def test_who_does_not_wait_leaves_no_pause_that_nobody_would_end(account: Account) -> None:
    there = made(account, balanced())
    asked = asked_of(account, there, balanced(wait=False))["deploymentConfiguration"]
    assert (asked["strategy"], asked["lifecycleHooks"]) == ("BLUE_GREEN", [])
    assert not has_our_pause(asked)


def test_a_rolling_service_stays_so_until_somebody_says_otherwise(account: Account) -> None:
    there = made(account, balanced(rollout="rolling"))
    assert "advancedConfiguration" not in there["loadBalancers"][0]
    there["deploymentConfiguration"] |= {"earlySuccessCriteria": {"enable": True}, "theirs": 1}
    watched = asked_of(account, there, balanced(rollout="rolling", alarms=("errors",)))["deploymentConfiguration"]
    assert (watched["earlySuccessCriteria"], watched["theirs"]) == ({"enable": True}, 1)
    shifted = asked_of(account, there, balanced(rollout="blue-green"))
    assert "earlySuccessCriteria" not in shifted["deploymentConfiguration"]
    assert shifted["deploymentConfiguration"]["theirs"] == 1
    assert shifted["deploymentConfiguration"]["strategy"] == "BLUE_GREEN"
    assert shifted["loadBalancers"][0]["advancedConfiguration"]["roleArn"] == "role"
    there |= shifted
    back = asked_of(account, there, balanced(rollout="rolling"))
    assert back["deploymentConfiguration"]["strategy"] == "ROLLING"
    assert back["deploymentConfiguration"]["lifecycleHooks"] == []
    assert "advancedConfiguration" not in back["loadBalancers"][0]


def test_a_strategy_of_a_load_balancer_that_is_not_ours_is_left_alone(account: Account) -> None:
    there = made(account, balanced())
    there["loadBalancers"][0]["targetGroupArn"] = "theirs"
    kept = as_found(settings(), of_service(there, is_placed=True))
    asked = update(account.aws, kept, there, DEFINITION, ground(kept, None), False, 300)
    assert not {"loadBalancers", "deploymentConfiguration"} & asked.keys()


def test_alarms_are_taken_back(account: Account) -> None:
    there = made(account, balanced(alarms=("errors",)))
    assert there["deploymentConfiguration"]["alarms"] == {"alarmNames": ["errors"], "enable": True, "rollback": True}
    asked = asked_of(account, there, balanced(alarms=()))
    assert asked["deploymentConfiguration"]["alarms"] == {"alarmNames": [], "enable": False, "rollback": False}


def test_of_a_service_its_groups_and_the_rules_that_share_its_traffic_are_known(account: Account) -> None:
    primary = {"status": "PRIMARY", "id": "ecs-svc/1", "taskDefinition": DEFINITION.arn}
    for asked, groups, rules in (
        (balanced(), ("blue", "green"), ("rule", "test-rule")),
        (balanced(rollout="rolling"), ("blue",), ()),
    ):
        shown = {"serviceArn": "s", "serviceName": "iris", "clusterArn": "c", "deployments": [primary]}
        there = {**made(account, asked), **shown}
        known = service_of(there, DEFINITION.arn, changed=False, previous=None)
        assert (known.target_groups, known.rule_arns, known.deployment_id) == (groups, rules, "ecs-svc/1")
