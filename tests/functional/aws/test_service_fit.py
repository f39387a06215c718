"""A service of somebody else's making: refused where no request of ours would roll it, its number left as it is."""

from dataclasses import replace
from typing import Any

import pytest

from model_dockerize.aws import ecs
from model_dockerize.aws.ecs import history
from model_dockerize.aws.ecs.service_fit import check_fit
from model_dockerize.aws.ecs.service_request import count, request
from model_dockerize.aws.ecs.service_state import previous_of
from model_dockerize.aws.ground import container_of, ensure_foundations
from model_dockerize.aws.model import Service, TaskDefinition
from model_dockerize.errors import InputError
from tests.rig.iris import IMAGE, IRIS, settings

from .conftest import Account

ARN = "arn:aws:ecs:us-east-1:123456789012:service/c/iris"


def service(**changes: Any) -> dict[str, Any]:
    """Return a service as DescribeServices shows it."""
    return {"serviceName": "iris", "serviceArn": ARN, "schedulingStrategy": "REPLICA", "loadBalancers": [], **changes}


def balanced(*containers: tuple[str, int]) -> dict[str, Any]:
    """Return a service that load balancers send requests to."""
    targets = [{"targetGroupArn": "t", "containerName": name, "containerPort": port} for name, port in containers]
    return service(loadBalancers=targets)


def provided(*names: str) -> dict[str, Any]:
    """Return a service whose tasks run where capacity providers put them: AWS shows no launch type."""
    return service(capacityProviderStrategy=[{"capacityProvider": name, "weight": 1, "base": 0} for name in names])


AWSVPC = {"networkMode": "awsvpc"}


@pytest.mark.parametrize(
    ("there", "says", "remedy"),
    [
        (service(deploymentController={"type": "CODE_DEPLOY"}), "deployed by CODE_DEPLOY", "controller ECS"),
        (service(deploymentController={"type": "EXTERNAL"}), "deployed by EXTERNAL", "controller ECS"),
        (service(schedulingStrategy="DAEMON"), "is a DAEMON", "REPLICA"),
        (service(serviceArn="arn:aws:ecs:us-east-1:123456789012:service/iris"), "old, short form", "long ARN"),
        (balanced(("web", 80), ("proxy", 80)), "to the containers proxy, web, and the model is one", "load-balancer"),
        (balanced(("web", 8080)), "to port 8080, and the model answers on 80", "load-balancer"),
        (service(launchType="EC2"), r"runs on instances \(EC2\), and the model on Fargate", "on Fargate"),
        (provided("FARGATE", "big"), r"runs on instances \(big\), and the model on Fargate", "on Fargate"),
    ],
)
def test_what_cannot_be_rolled_is_refused_with_a_way_on(there: Any, says: str, remedy: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        check_fit(there, AWSVPC, settings())
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("there", "says"),
    [
        (service(), "the network bridge"),
        (service(launchType="FARGATE"), "the network bridge"),
        (provided("big"), r"instances \(big\)"),
    ],
)
def test_a_network_without_addresses_is_refused_whatever_aws_shows_of_the_launch_type(there: Any, says: str) -> None:
    with pytest.raises(InputError, match=f"runs on {says}, and the model on Fargate"):
        check_fit(there, {"networkMode": "bridge"}, settings())


def test_what_can_be_rolled_passes() -> None:
    check_fit(service(deploymentController={"type": "ECS"}, launchType="FARGATE"), AWSVPC, settings())
    check_fit(provided("FARGATE_SPOT", "FARGATE"), AWSVPC, settings())
    check_fit(balanced(("web", 80)), None, settings())
    check_fit(balanced(("web", 8080)), AWSVPC, settings(load_balancer="true"))  # another one comes in its place


def test_the_controller_is_looked_at_before_anything_is_built_and_by_those_who_only_look(account: Account) -> None:
    account.aws.ecs.create_cluster(clusterName="c")
    account.aws.ecs.register_task_definition(
        family="iris", containerDefinitions=[{"name": "iris", "image": IMAGE, "memory": 512}]
    )
    account.aws.ecs.create_service(
        cluster="c", serviceName="iris", taskDefinition="iris:1", deploymentController={"type": "EXTERNAL"}
    )
    account.calls.clear()
    with pytest.raises(InputError, match="deployed by EXTERNAL"):
        ecs.check_service(account.aws, settings(cluster="c"), "iris", "iris")
    with pytest.raises(InputError, match="deployed by EXTERNAL"):
        history.running(account.aws, "c", "iris")
    assert account.changes() == []


@pytest.mark.parametrize(
    ("inputs", "now", "wanted"),
    [
        ({}, None, 1),
        ({}, 4, 4),
        ({}, 0, 0),
        ({"desired_count": 2}, 4, 2),
        ({"desired_count": 0}, 4, 0),
        ({"max_count": 3}, 4, 3),
        ({"max_count": 6}, 4, 4),
        ({"max_count": 6, "desired_count": 5}, 4, 5),
        ({"volume": "data"}, 4, 1),
    ],
)
def test_a_number_that_no_input_says_is_left_as_it_is(inputs: dict[str, Any], now: int | None, wanted: int) -> None:
    assert count(settings(**inputs), now) == wanted


def deployed(account: Account, family: str = "iris", **inputs: Any) -> Service:
    """Deploy the service iris with these inputs."""
    wanted = settings(**inputs)
    ground = ensure_foundations(account.aws, wanted, IRIS, account.said)
    container = container_of(account.aws, wanted, IMAGE, "linux/amd64", ground).with_volume(ground.volume)
    definition = ecs.ensure_task_definition(account.aws, family, container, account.said)
    return ecs.ensure_service(account.aws, wanted, "iris", definition, ground, account.said)


def tasks(account: Account) -> int:
    """Return how many are wanted."""
    found = account.aws.ecs.describe_services(cluster="model-dockerize", services=["iris"])["services"]
    return found[0]["desiredCount"]


def test_somebodys_scaling_is_not_undone_by_a_run_that_says_no_number(account: Account) -> None:
    ecs.mark_proved(account.aws, deployed(account))
    account.aws.ecs.update_service(cluster="model-dockerize", service="iris", desiredCount=4)
    account.calls.clear()
    assert deployed(account).desired == 4
    assert account.changes() == []
    assert deployed(account, memory=4096).desired == tasks(account) == 4
    assert deployed(account, desired_count=2, memory=4096).desired == tasks(account) == 2


def test_a_service_whose_first_version_failed_gets_a_task_again(account: Account) -> None:
    failed = deployed(account)
    ecs.settle_failed_first_deployment(account.aws, failed, account.said)
    assert tasks(account) == 0
    assert deployed(account, memory=4096).desired == tasks(account) == 1


def test_the_least_that_scaling_keeps_is_left_where_no_input_says_it(account: Account) -> None:
    made = deployed(account, max_count=5, desired_count=3)
    ecs.ensure_scaling(account.aws, settings(max_count=5, desired_count=3), made, account.said)
    account.calls.clear()
    ecs.ensure_scaling(account.aws, settings(max_count=5), replace(made, scaled=True), account.said)
    assert account.changes() == []


def test_somebody_elses_scaling_is_refused_before_the_build_unless_it_is_adopted(account: Account) -> None:
    made = deployed(account, desired_count=3)
    ecs.mark_proved(account.aws, made)
    place: Any = {"ServiceNamespace": "ecs", "ResourceId": "service/model-dockerize/iris"}
    place["ScalableDimension"] = "ecs:service:DesiredCount"
    account.aws.scaling.register_scalable_target(**place, MinCapacity=3, MaxCapacity=10)
    account.calls.clear()
    asked = settings(max_count=4, desired_count=1)
    for refused in (
        lambda: ecs.check_service(account.aws, asked, "iris", "iris"),
        lambda: ecs.ensure_scaling(account.aws, asked, made, account.said),
    ):
        with pytest.raises(InputError, match="Somebody else scales service iris") as caught:
            refused()
        assert caught.value.details == ("changes: MinCapacity 3 -> 1", "changes: MaxCapacity 10 -> 4")
    assert account.changes() == []
    ecs.check_service(account.aws, settings(desired_count=1), "iris", "iris")  # says nothing of scaling
    adopting = settings(max_count=4, desired_count=1, adopt=True)
    ecs.check_service(account.aws, adopting, "iris", "iris")
    ecs.ensure_scaling(account.aws, adopting, made, account.said)
    (there,) = account.aws.scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    assert (there["MinCapacity"], there["MaxCapacity"]) == (1, 4)
    # From then on it is ours.
    ecs.check_service(account.aws, settings(max_count=5), "iris", "iris")


def test_a_service_that_is_alone_is_not_moved_between_zones(account: Account) -> None:
    wanted = settings(volume="data")
    ground = ensure_foundations(account.aws, wanted, IRIS, account.said)
    definition = TaskDefinition("arn", "iris", 1, changed=True)
    asked = request(account.aws, wanted, definition, ground)
    assert (asked["availabilityZoneRebalancing"], asked["deploymentConfiguration"]["maximumPercent"]) == (
        "DISABLED",
        100,
    )
    # Of others, what somebody chose stays.
    assert "availabilityZoneRebalancing" not in request(account.aws, settings(), definition, ground)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], None),
        ([("iris:1", "COMPLETED", 0)], "iris:1"),
        ([("iris:2", "IN_PROGRESS", 0), ("iris:1", "COMPLETED", 1)], "iris:1"),
        ([("iris:2", "IN_PROGRESS", 1), ("iris:1", "COMPLETED", 1)], "iris:2"),
        ([("iris:2", "FAILED", 0)], None),
        ([("iris:2", "FAILED", 0), ("iris:1", None, 1)], "iris:1"),
        ([("iris:3", "COMPLETED", 1)], None),
    ],
)
def test_a_bad_version_is_put_back_to_one_that_was_good(
    others: list[tuple[str, str | None, int]], expected: str | None
) -> None:
    """Choose it while another rollout is under way, too: `others` are (task definition, state, running tasks)."""
    shown = [
        {"taskDefinition": name, "runningCount": running, **({"rolloutState": state} if state else {})}
        for name, state, running in others
    ]
    assert previous_of({"deployments": shown}, "iris:3") == expected
