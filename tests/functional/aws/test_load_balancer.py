"""The load balancer before a service, and its scaling: what the model's stack is asked for, and what is refused."""

import json
import re
from typing import Any

import pytest
import yaml

from model_dockerize.aws.client import is_read
from model_dockerize.aws.ground import ensure_foundations
from model_dockerize.aws.ground.template import _Loader, load
from model_dockerize.aws.model import Foundations, LoadBalancer
from model_dockerize.errors import InputError
from tests.rig.iris import IRIS, settings

from .conftest import Account
from .test_plan import everything, rehearsed

BALANCED = {"load_balancer": "true", "zones": 2}
SCALED = {"desired_count": 1, "max_count": 4, "scale_on_cpu": 50}


def foundations(account: Account, **changes: Any) -> Foundations:
    return ensure_foundations(account.aws, settings(**changes), IRIS, account.said)


def had(account: Account) -> dict[str, str]:
    """Return the parameters of the model's stack."""
    return dict(account.stacks.there["model-dockerize-iris"].parameters)


class TestOfOurOwn:
    def test_it_stands_in_two_zones_and_the_service_is_registered(self, account: Account) -> None:
        everything(account.aws, account.said, **BALANCED)
        assert (had(account)["LoadBalancer"], had(account)["Port"]) == ("own", "80")
        assert len(had(account)["BalancerSubnets"].split(",")) == 2
        (service,) = account.aws.ecs.describe_services(cluster="model-dockerize", services=["iris"])["services"]
        (target,) = service["loadBalancers"]
        assert (target["containerName"], target["containerPort"]) == ("iris", 80)
        assert target["targetGroupArn"] == account.stacks.there["model-dockerize-iris"].outputs["Blue"]
        account.calls.clear()
        changes = len(account.stacks.wanted)
        everything(account.aws, account.said, **BALANCED)
        assert (account.changes(), len(account.stacks.wanted)) == ([], changes)

    def test_it_is_not_taken_back_unasked(self, account: Account) -> None:
        everything(account.aws, account.said)
        everything(account.aws, account.said, **BALANCED)
        account.calls.clear()
        ground = everything(account.aws, account.said)
        assert account.changes() == []
        assert ground.settings.balanced
        assert ground.load_balancer

    def test_a_certificate_makes_it_answer_by_https(self, account: Account) -> None:
        ground = foundations(account, **BALANCED, certificate="arn:c")
        assert (had(account)["Port"], had(account)["Certificate"]) == ("443", "arn:c")
        left_out = foundations(account)
        assert (left_out.settings.listener_port, left_out.settings.certificate) == (443, "arn:c")
        assert left_out.load_balancer == ground.load_balancer

    def test_without_zones_it_gets_two_and_the_tasks_keep_theirs(self, account: Account) -> None:
        foundations(account)
        ground = foundations(account, load_balancer="true")
        assert len(ground.subnet_ids) == 1
        assert len(had(account)["BalancerSubnets"].split(",")) == 2

    def test_one_public_zone_is_too_few(self, account: Account) -> None:
        ec2 = account.aws.ec2
        vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24")["Subnet"]["SubnetId"]
        with pytest.raises(InputError, match="two availability zones") as caught:
            foundations(account, load_balancer="true", subnets=(subnet,))
        assert caught.value.remedy.startswith("Set zones to 2 or more")

    def test_a_new_version_is_shown_on_a_port_of_its_own_where_it_is_tested_before_it_has_traffic(
        self, account: Account
    ) -> None:
        ground = foundations(account, **BALANCED)
        assert had(account)["TestPort"] == "10080"
        outputs = account.stacks.there["model-dockerize-iris"].outputs
        names = ("Blue", "Green", "Rule", "TestRule", "InfrastructureRole")
        assert ground.load_balancer == LoadBalancer(*(outputs[name] for name in names))

    def test_without_such_a_test_there_is_no_such_port(self, account: Account) -> None:
        foundations(account, **BALANCED, rollout="rolling")
        assert had(account)["TestPort"] == "0"

    def test_nothing_that_an_input_says_changes_the_actions_of_a_rule(self) -> None:
        """Compare the live side, which ECS reads from them: a stack that wrote it again would move users to nothing."""
        resources = yaml.load(load("model").body, Loader=_Loader)["Resources"]  # noqa: S506  a SafeLoader's child
        for rule, listener in (("Rule", "Listener"), ("TestRule", "TestListener")):
            properties = json.dumps(resources[rule]["Properties"])
            assert set(re.findall(r'"(?:Ref|Fn::\w+)": "?(\w+)', properties)) == {listener, "Blue", "Green"}

    def test_a_volume_for_one_task_is_refused_where_two_versions_would_write_to_it(self, account: Account) -> None:
        everything(account.aws, account.said, **BALANCED)
        account.calls.clear()
        with pytest.raises(InputError, match="two versions would write one queue"):
            foundations(account, volume="jobs")
        assert account.changes() == []
        assert foundations(account, volume="jobs", rollout="rolling").volume

    def test_the_plan_asks_only(self, account: Account) -> None:
        rehearsal, sent = rehearsed(account, **BALANCED, **SCALED)
        assert [operation for operation in sent if not is_read(operation)] == []
        made = [str(change) for change in rehearsal.changes if change.action == "make"]
        assert "+ stack model-dockerize-iris: Balancer (AWS::ElasticLoadBalancingV2::LoadBalancer)" in made
        assert "+ scaling iris" in made
        assert account.stacks.there == {}


class TestOfSomebodyElse:
    def given(self, account: Account) -> Any:
        ground = foundations(account, zones=2)
        subnets, groups = list(ground.subnet_ids), list(ground.security_group_ids)
        made = account.aws.elbv2.create_load_balancer(Name="shared", Subnets=subnets, SecurityGroups=groups)
        return made["LoadBalancers"][0]

    def test_gets_a_listener_of_ours_by_name_and_by_arn(self, account: Account) -> None:
        balancer = self.given(account)
        arn = balancer["LoadBalancerArn"]
        foundations(account, load_balancer="shared", load_balancer_port=8080)
        assert (had(account)["LoadBalancer"], had(account)["Port"]) == (arn, "8080")
        assert had(account)["BalancerGroupA"] == balancer["SecurityGroups"][0]
        account.aws.elbv2.create_listener(  # as the stack has
            LoadBalancerArn=arn, Protocol="HTTP", Port=8080, DefaultActions=[_refuses()]
        )
        changes = len(account.stacks.wanted)
        foundations(account, load_balancer=arn, load_balancer_port=8080)
        assert len(account.stacks.wanted) == changes

    def test_what_answers_there_already_stays(self, account: Account) -> None:
        balancer = self.given(account)
        account.aws.elbv2.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=[_refuses()]
        )
        with pytest.raises(InputError, match="answers for something else") as caught:
            foundations(account, load_balancer="shared")
        assert "load-balancer-port" in caught.value.remedy

    def test_nor_is_its_test_port_taken_from_another(self, account: Account) -> None:
        balancer = self.given(account)
        account.aws.elbv2.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=10080, DefaultActions=[_refuses()]
        )
        with pytest.raises(InputError, match="Port 10080 of load balancer shared answers for something else"):
            foundations(account, load_balancer="shared")
        foundations(account, load_balancer="shared", rollout="rolling")

    def test_has_to_be_there_and_in_the_same_vpc(self, account: Account) -> None:
        self.given(account)
        with pytest.raises(InputError, match="no application load balancer nobody"):
            foundations(account, load_balancer="nobody")
        vpc = account.aws.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        subnet = account.aws.ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24")["Subnet"]["SubnetId"]
        with pytest.raises(InputError, match="the tasks are in"):
            foundations(account, load_balancer="shared", subnets=(subnet,))


def _refuses() -> Any:
    return {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}


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

    def test_it_ends_when_max_count_says_so(self, account: Account) -> None:
        everything(account.aws, account.said, **SCALED)
        account.calls.clear()
        everything(account.aws, account.said)
        assert account.changes() == []
        everything(account.aws, account.said, max_count=0)
        assert account.aws.scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"] == []
        account.calls.clear()
        everything(account.aws, account.said)
        assert not [call for call in account.calls if call.startswith("application-autoscaling")]
