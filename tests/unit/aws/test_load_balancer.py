"""The load balancer before a service, and its scaling: made, compared, told apart from those of others, removed."""

from typing import Any

import pytest
from model_dockerize.aws.load_balancer import balancer_name

from model_dockerize import aws
from model_dockerize.aws.policy import permissions, removal
from model_dockerize.errors import InputError

from .conftest import Account, settings
from .test_destroy import NAMES
from .test_plan import everything, rehearsed
from .test_policy import WHERE, actions, called, configured

BALANCED = {"load_balancer": "true", "zones": 2}
SCALED = {"desired_count": 1, "max_count": 4, "scale_on_cpu": 50}


def foundations(account: Account, **changes: Any) -> aws.Foundations:
    return aws.ensure_foundations(account.aws, settings(**changes), IRIS, account.said)


def listeners(account: Account, balancer: str) -> dict[int, Any]:
    (found,) = account.aws.elbv2.describe_load_balancers(Names=[balancer])["LoadBalancers"]
    arn = found["LoadBalancerArn"]
    return {one["Port"]: one for one in account.aws.elbv2.describe_listeners(LoadBalancerArn=arn)["Listeners"]}


def openings(account: Account, group: str) -> list[tuple[int, list[str], list[str]]]:
    (found,) = account.aws.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    return [
        (
            rule["FromPort"],
            [r["CidrIp"] for r in rule["IpRanges"]],
            [pair["GroupId"] for pair in rule["UserIdGroupPairs"]],
        )
        for rule in found["IpPermissions"]
    ]


class TestOfOurOwn:
    def test_it_stands_in_two_zones_checks_fast_and_only_it_reaches_the_tasks(self, account: Account) -> None:
        ground = foundations(account, **BALANCED)
        assert ground.load_balancer
        name = balancer_name("model-dockerize", "iris", ground.vpc_id)
        (balancer,) = account.aws.elbv2.describe_load_balancers(Names=[name])["LoadBalancers"]
        assert balancer["Scheme"] == "internet-facing"
        assert len({zone["ZoneName"] for zone in balancer["AvailabilityZones"]}) == 2
        (group,) = account.aws.elbv2.describe_target_groups(Names=[name])["TargetGroups"]
        assert (group["TargetType"], group["Port"], group["HealthCheckPath"]) == ("ip", 80, "/health")
        assert (group["HealthCheckIntervalSeconds"], group["HealthyThresholdCount"]) == (5, 2)
        shown = account.aws.elbv2.describe_target_group_attributes(TargetGroupArn=group["TargetGroupArn"])
        assert {"Key": "deregistration_delay.timeout_seconds", "Value": "30"} in shown["Attributes"]
        (theirs,) = ground.load_balancer.security_group_ids
        (ours,) = ground.security_group_ids
        assert openings(account, theirs) == [(80, ["0.0.0.0/0"], [])]
        assert openings(account, ours) == [(80, [], [theirs])]

    def test_the_service_is_registered_and_a_second_run_changes_nothing(self, account: Account) -> None:
        everything(account.aws, account.said, **BALANCED)
        (service,) = account.aws.ecs.describe_services(cluster="model-dockerize", services=["iris"])["services"]
        (target,) = service["loadBalancers"]
        assert (target["containerName"], target["containerPort"]) == ("iris", 80)
        account.calls.clear()
        everything(account.aws, account.said, **BALANCED)
        assert account.changes() == []

    def test_it_can_come_and_go_later(self, account: Account) -> None:
        everything(account.aws, account.said)
        everything(account.aws, account.said, **BALANCED)
        (service,) = account.aws.ecs.describe_services(cluster="model-dockerize", services=["iris"])["services"]
        assert service["loadBalancers"]
        everything(account.aws, account.said)
        (service,) = account.aws.ecs.describe_services(cluster="model-dockerize", services=["iris"])["services"]
        assert service["loadBalancers"] == []
        assert "costs money until" in account.said.warnings[-1]

    def test_a_certificate_makes_it_answer_by_https_and_send_http_there(self, account: Account) -> None:
        certificate = account.aws.client("acm").request_certificate(DomainName="iris.example.com")["CertificateArn"]
        for _ in range(2):
            account.calls.clear()
            ground = foundations(account, **BALANCED, certificate=certificate)
        assert account.changes() == []
        found = listeners(account, balancer_name("model-dockerize", "iris", ground.vpc_id))
        assert found[443]["Certificates"][0]["CertificateArn"] == certificate
        assert found[443]["SslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-2021-06"
        assert found[80]["DefaultActions"][0]["RedirectConfig"]["Protocol"] == "HTTPS"
        assert ground.load_balancer
        opened = openings(account, ground.load_balancer.security_group_ids[0])
        assert sorted(port for port, _, _ in opened) == [80, 443]

    def test_what_somebody_changed_is_put_right(self, account: Account) -> None:
        ground = foundations(account, **BALANCED)
        name = balancer_name("model-dockerize", "iris", ground.vpc_id)
        assert ground.load_balancer
        group = ground.load_balancer.target_group_arn
        account.aws.elbv2.modify_target_group(TargetGroupArn=group, HealthCheckIntervalSeconds=30)
        account.aws.elbv2.modify_listener(
            ListenerArn=listeners(account, name)[80]["ListenerArn"],
            DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
        )
        account.calls.clear()
        foundations(account, **BALANCED)
        assert account.changes() == ["elbv2:ModifyTargetGroup", "elbv2:ModifyListener"]
        assert listeners(account, name)[80]["DefaultActions"][0]["TargetGroupArn"] == group

    def test_a_listener_that_a_repeated_call_has_made_already_is_found(self, account: Account) -> None:
        foundations(account, **BALANCED)
        unseen = [True]

        def hide(parsed: Any, model: Any, **_: Any) -> None:
            if model.name == "DescribeListeners" and unseen:
                unseen.clear()
                parsed["Listeners"] = []

        account.hooks.add(hide, "after-call")
        account.calls.clear()
        foundations(account, **BALANCED)
        assert account.changes() == ["elbv2:CreateListener"]  # which AWS refused: DuplicateListener

    def test_one_public_zone_is_too_few(self, account: Account) -> None:
        with pytest.raises(InputError, match="two availability zones") as caught:
            foundations(account, load_balancer="true", zones=1)
        assert "zones" in caught.value.remedy

    def test_one_of_that_name_that_is_not_ours_is_not_taken_over(self, account: Account) -> None:
        ground = foundations(account, zones=2)
        name = balancer_name("model-dockerize", "iris", ground.vpc_id)
        subnets = list(ground.subnet_ids)
        account.aws.elbv2.create_load_balancer(Name=name, Subnets=subnets)
        with pytest.raises(InputError, match="did not make"):
            foundations(account, **BALANCED)

    def test_the_plan_asks_only(self, account: Account) -> None:
        rehearsal, sent = rehearsed(account, **BALANCED, **SCALED)
        assert [operation for operation in sent if not aws.is_read(operation)] == []
        kinds = [change.kind for change in rehearsal.changes if change.action == "make"]
        assert {"load balancer", "target group", "listener", "service", "scaling"} <= set(kinds)
        assert account.aws.elbv2.describe_load_balancers()["LoadBalancers"] == []


class TestOfSomebodyElse:
    def given(self, account: Account) -> tuple[aws.Foundations, Any]:
        ground = foundations(account, zones=2)
        subnets, groups = list(ground.subnet_ids), list(ground.security_group_ids)
        made = account.aws.elbv2.create_load_balancer(Name="shared", Subnets=subnets, SecurityGroups=groups)
        return ground, made["LoadBalancers"][0]

    def test_gets_a_listener_of_ours_by_name_and_by_arn(self, account: Account) -> None:
        _, balancer = self.given(account)
        foundations(account, load_balancer="shared", zones=2, load_balancer_port=8080)
        account.calls.clear()
        ground = foundations(account, load_balancer=balancer["LoadBalancerArn"], zones=2, load_balancer_port=8080)
        assert account.changes() == []
        assert ground.load_balancer
        assert openings(account, ground.security_group_ids[0]) == [(80, [], balancer["SecurityGroups"])]
        assert 8080 in listeners(account, "shared")

    def test_what_answers_there_already_stays(self, account: Account) -> None:
        _, balancer = self.given(account)
        account.aws.elbv2.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
        )
        with pytest.raises(InputError, match="answers for something else") as caught:
            foundations(account, load_balancer="shared", zones=2)
        assert "load-balancer-port" in caught.value.remedy

    def test_has_to_be_there_and_in_the_same_vpc(self, account: Account) -> None:
        self.given(account)
        with pytest.raises(InputError, match="no application load balancer nobody"):
            foundations(account, load_balancer="nobody")
        vpc = account.aws.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        subnet = account.aws.ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24")["Subnet"]["SubnetId"]
        with pytest.raises(InputError, match="the tasks are in"):
            foundations(account, load_balancer="shared", subnets=(subnet,))

    @pytest.mark.usefixtures("_without_waiting")
    def test_loses_nothing_but_our_listener(self, account: Account) -> None:
        _, balancer = self.given(account)
        changes = {"load_balancer": "shared", "zones": 2, "load_balancer_port": 8080}
        everything(account.aws, account.said, **changes)
        account.aws.elbv2.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
        )
        things = [
            t for t in aws.find_ours(account.aws, NAMES) if t.kind in ("listener", "load balancer", "target group")
        ]
        assert [thing.kind for thing in things] == ["listener", "target group"]
        aws.remove(tuple(things), account.said)
        assert list(listeners(account, "shared")) == [80]


class TestScaling:
    def test_the_number_of_tasks_is_the_scalers_within_its_bounds(self, account: Account) -> None:
        everything(account.aws, account.said, **SCALED)
        (target,) = account.aws.scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
        assert (target["ResourceId"], target["MinCapacity"], target["MaxCapacity"]) == (
            "service/model-dockerize/iris",
            1,
            4,
        )
        (policy,) = account.aws.scaling.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"]
        tracked = policy["TargetTrackingScalingPolicyConfiguration"]
        assert tracked["TargetValue"] == 50
        assert tracked["PredefinedMetricSpecification"]["PredefinedMetricType"] == "ECSServiceAverageCPUUtilization"
        # It has scaled out since: a second run leaves that as it is.
        account.aws.ecs.update_service(cluster="model-dockerize", service="iris", desiredCount=3)
        account.calls.clear()
        everything(account.aws, account.said, **SCALED)
        assert account.changes() == []
        everything(account.aws, account.said, **{**SCALED, "desired_count": 2, "max_count": 3})
        (target,) = account.aws.scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
        assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 3)

    def test_it_ends_when_it_is_not_asked_for_any_more(self, account: Account) -> None:
        everything(account.aws, account.said, **SCALED)
        everything(account.aws, account.said)
        assert account.aws.scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"] == []
        account.calls.clear()
        everything(account.aws, account.said)
        assert not [call for call in account.calls if call.startswith("application-autoscaling")]


@pytest.mark.usefixtures("_without_waiting")
def test_destroy_leaves_nothing_and_the_policy_allows_all_of_it(account: Account) -> None:
    everything(account.aws, account.said, **BALANCED, **SCALED)
    asked = configured(load_balancer="true", max_count="4")
    assert called(account.calls) - actions(permissions(asked, NAMES, WHERE)) == set()
    account.calls.clear()
    things = aws.find_ours(account.aws, NAMES)
    kinds = [thing.kind for thing in things]
    assert kinds.index("service") < kinds.index("load balancer") < kinds.index("target group") < kinds.index("network")
    aws.remove(things, account.said)
    assert aws.find_ours(account.aws, NAMES) == ()
    assert account.aws.elbv2.describe_target_groups()["TargetGroups"] == []
    assert account.aws.scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"] == []
    assert called(account.calls) - actions(permissions(asked, NAMES, WHERE), removal(NAMES, WHERE)) == set()


@pytest.mark.usefixtures("_without_waiting")
def test_what_a_former_try_left_behind_the_load_balancer_is_found(account: Account) -> None:
    everything(account.aws, account.said, **BALANCED)
    things = aws.find_ours(account.aws, NAMES)
    aws.remove(tuple(t for t in things if t.kind in ("service", "load balancer")), account.said)
    assert "target group" in [thing.kind for thing in aws.find_ours(account.aws, NAMES)]


def test_names_fit_and_differ() -> None:
    long = balancer_name("c", "a-model_with-a-name-that-is-longer-than-that", "vpc-1")
    assert len(long) <= 32
    assert "_" not in long
    assert balancer_name("c", "internal-x", "vpc-1").startswith("x-")
    names = {balancer_name(c, s, v) for c in "ab" for s in ("m", "n") for v in ("vpc-1", "vpc-2")}
    assert len(names) == 8
