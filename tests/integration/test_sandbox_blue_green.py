"""The sandbox shifts traffic as ECS does, seen through its API and through the ports of its load balancer."""

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.rig.homes import NewHome
from tests.rig.sandbox_account import Account, sandbox_account
from tests.rig.sandbox_calls import ask_sandbox
from tests.rig.settled import role_for
from tests.rig.waiting import eventually

SERVE = """
import http.server, os, signal
class Say(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        said = os.environ["SAYS"].encode()
        self.send_response(200); self.send_header("Content-Length", str(len(said)))
        self.end_headers(); self.wfile.write(said)
    def log_message(self, *_): pass
signal.signal(15, lambda *_: os._exit(0))
http.server.ThreadingHTTPServer(("", 80), Say).serve_forever()
"""
PAUSE: dict[str, Any] = {
    **{"targetType": "PAUSE", "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"]},
    "timeoutConfiguration": {"timeoutInMinutes": 21, "action": "ROLLBACK"},
}
HOOKED: dict[str, Any] = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0, "lifecycleHooks": [PAUSE]}


class Shop:
    """A service of one task behind a load balancer with a production and a test listener."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.ecs, elb = account.client("ecs"), account.client("elbv2")
        self.elb = elb
        subnets = [account.subnet, account.subnet_in("us-east-1b", "10.8.1.0/24")]
        made = elb.create_load_balancer(Name="shop", Subnets=subnets, SecurityGroups=[account.group])
        balancer = made["LoadBalancers"][0]["LoadBalancerArn"]
        self.a, self.b = (self._group(name) for name in "ab")
        self.production, self.url = self._rule(balancer, 0, self.a, self.b)
        self.test, self.test_url = self._rule(balancer, 1, self.b, self.a)
        self.role = role_for(account.client("iam"), account.client("lambda"), "infrastructure", "ecs")

    def _group(self, name: str) -> str:
        made = self.elb.create_target_group(
            **{"Name": name, "Protocol": "HTTP", "Port": 80, "VpcId": self.account.vpc, "TargetType": "ip"},
            **{"HealthCheckIntervalSeconds": 5, "HealthyThresholdCount": 2, "Matcher": {"HttpCode": "200"}},
        )
        return str(made["TargetGroups"][0]["TargetGroupArn"])

    def _rule(self, balancer: str, number: int, live: str, idle: str) -> tuple[str, str]:
        """Make a listener with one rule that leads to `live`; return the rule and its address."""
        refusal = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
        listener = self.elb.create_listener(
            LoadBalancerArn=balancer, Port=18080 + number, Protocol="HTTP", DefaultActions=[refusal]
        )["Listeners"][0]["ListenerArn"]
        groups = [{"TargetGroupArn": live, "Weight": 100}, {"TargetGroupArn": idle, "Weight": 0}]
        rule = self.elb.create_rule(
            ListenerArn=listener,
            Priority=1,
            Conditions=[{"Field": "path-pattern", "Values": ["/*"]}],
            Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}],
        )["Rules"][0]["RuleArn"]
        address = self.elb.describe_load_balancers(LoadBalancerArns=[balancer])["LoadBalancers"][0]["DNSName"]
        return str(rule), f"http://{address.partition(':')[0]}:{18080 + number}/"

    def definition(self, says: str) -> str:
        container = {
            **{"command": ["python3", "-c", SERVE], "environment": [{"name": "SAYS", "value": says}]},
            "portMappings": [{"containerPort": 80}],
        }
        return self.account.define("shop", container=container)

    def balanced(self, **changes: Any) -> list[dict[str, Any]]:
        advanced = {
            **{"alternateTargetGroupArn": self.b, "productionListenerRule": self.production, "roleArn": self.role},
            **{"testListenerRule": self.test, **changes},
        }
        return [
            {
                **{"targetGroupArn": self.a, "containerName": "web", "containerPort": 80},
                "advancedConfiguration": {key: value for key, value in advanced.items() if value},
            }
        ]

    def create(self, **changes: Any) -> str:
        whole: dict[str, Any] = {
            **{"serviceName": "shop", "taskDefinition": self.definition("one"), "desiredCount": 1},
            **{"launchType": "FARGATE", "networkConfiguration": self.account.network()},
            # On a busy computer a container takes long to listen.
            **{
                "deploymentConfiguration": HOOKED,
                "loadBalancers": self.balanced(),
                "healthCheckGracePeriodSeconds": 600,
            },
            **changes,
        }
        return str(self.ecs.create_service(**whole)["service"]["currentServiceDeployment"])

    def update(self, says: str, **configuration: Any) -> str:
        """Deploy a container that says this; return the service deployment."""
        made = self.ecs.update_service(
            service="shop", taskDefinition=self.definition(says), deploymentConfiguration=configuration
        )
        return str(made["service"]["currentServiceDeployment"])

    def shown(self, deployment: str) -> dict[str, Any]:
        found = self.ecs.describe_service_deployments(serviceDeploymentArns=[deployment])["serviceDeployments"]
        return dict(found[0])

    def reaches(self, deployment: str, goal: str) -> dict[str, Any]:
        """Wait until a service deployment has a status, is at a stage or, for PAUSE, at a hook that waits."""

        def look() -> dict[str, Any] | None:
            seen = self.shown(deployment)
            waits = any(hook["status"] == "AWAITING_ACTION" for hook in seen.get("lifecycleHookDetails", []))
            return seen if goal in (seen["status"], seen.get("lifecycleStage"), "PAUSE" if waits else "") else None

        return eventually(look, 300, tell=lambda: (self.shown(deployment), self.events()))

    caller = "deployer"

    def user(self) -> Any:
        """Make an IAM user, and return its client of ECS."""
        iam = self.account.client("iam")
        iam.create_user(UserName=self.caller)
        key = iam.create_access_key(UserName=self.caller)["AccessKey"]
        return boto3.client(
            "ecs",
            endpoint_url=self.account.box.endpoint_url,
            region_name=self.account.box.region,
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
        )

    def events(self) -> list[str]:
        service = self.ecs.describe_services(services=["shop"])["services"][0]
        return [event["message"] for event in service["events"]][:8]

    def decide(self, deployment: str, action: str) -> None:
        hook = next(h for h in self.shown(deployment)["lifecycleHookDetails"] if h["status"] == "AWAITING_ACTION")
        self.ecs.continue_service_deployment(serviceDeploymentArn=deployment, hookId=hook["hookId"], action=action)

    def answer(self, url: str) -> str:
        try:
            with urllib.request.urlopen(url, timeout=10) as answered:
                return str(answered.read().decode())
        except urllib.error.HTTPError as error:
            return str(error.code)

    def weights(self, rule: str) -> dict[str, int]:
        (action,) = self.elb.describe_rules(RuleArns=[rule])["Rules"][0]["Actions"]
        assert "TargetGroupArn" not in action
        names = {self.a: "a", self.b: "b"}
        return {names[group["TargetGroupArn"]]: group["Weight"] for group in action["ForwardConfig"]["TargetGroups"]}


@pytest.fixture(scope="module")
def shop(new_home: NewHome) -> Iterator[Shop]:
    with sandbox_account(new_home("mdbluegreen")) as account:
        yield Shop(account)


@pytest.fixture(scope="module")
def strict_shop(new_home: NewHome) -> Iterator[Shop]:
    """Make the same where policies count."""
    with sandbox_account(new_home("mdbgstrict"), "enforced") as account:
        yield Shop(account)


def said(call: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value)


def test_from_the_first_deployment_to_a_canary(shop: Shop) -> None:
    first = shop.create()
    shop.reaches(first, "PAUSE")
    assert (shop.answer(shop.url), shop.answer(shop.test_url)) == ("503", "one")
    shop.decide(first, "CONTINUE")
    shop.reaches(first, "SUCCESSFUL")
    assert shop.weights(shop.production) == {"a": 0, "b": 100}
    assert shop.answer(shop.url) == "one"

    # Good: production answers the old one until somebody has said yes.
    second = shop.update("two", **HOOKED)
    at_pause = shop.reaches(second, "PAUSE")
    assert (at_pause["status"], at_pause["lifecycleStage"]) == ("IN_PROGRESS", "POST_TEST_TRAFFIC_SHIFT")
    (hook,) = at_pause["lifecycleHookDetails"]
    assert hook["timeoutAction"] == "ROLLBACK"
    assert 20 * 60 < hook["expiresAt"].timestamp() - time.time() <= 21 * 60
    target = at_pause["targetServiceRevision"]
    assert (target["requestedTestTrafficWeight"], target["requestedProductionTrafficWeight"]) == (100.0, 0.0)
    revision = shop.ecs.describe_service_revisions(serviceRevisionArns=[target["arn"]])["serviceRevisions"][0]
    assert revision["resolvedConfiguration"]["loadBalancers"][0]["targetGroupArn"] == shop.a
    assert {shop.answer(shop.url) for _ in range(10)} == {"one"}
    assert {shop.answer(shop.test_url) for _ in range(10)} == {"two"}
    shop.decide(second, "CONTINUE")
    shop.reaches(second, "SUCCESSFUL")
    assert {shop.answer(shop.url) for _ in range(10)} == {"two"}
    assert len(shop.ecs.list_tasks(serviceName="shop")["taskArns"]) == 1

    # Refused at the pause: production has never heard of it.
    third = shop.update("three", **HOOKED)
    shop.reaches(third, "PAUSE")
    hook_id = shop.shown(third)["lifecycleHookDetails"][0]["hookId"]
    shop.decide(third, "ROLLBACK")
    again = {"serviceDeploymentArn": third, "hookId": hook_id, "action": "CONTINUE"}
    assert "is either completed, unavailable" in said(lambda: shop.ecs.continue_service_deployment(**again))
    ended = shop.reaches(third, "ROLLBACK_SUCCESSFUL")
    assert ended["statusReason"] == (
        "Service deployment rolled back because POST_TEST_TRAFFIC_SHIFT lifecycle hook(s) failed."
    )
    assert {shop.answer(shop.url), shop.answer(shop.test_url)} == {"two"}
    assert "terminal states" in said(lambda: shop.ecs.continue_service_deployment(**again))

    # A client that keeps its connection is answered by whoever serves, and notices nothing else.
    patient = http.client.HTTPConnection(shop.url.removeprefix("http://").rstrip("/"), timeout=10)

    def kept() -> str:
        patient.request("GET", "/")
        return patient.getresponse().read().decode()

    assert kept() == "two"

    # Stopped in the bake: back before the answer of the next look.
    fourth = shop.update("four", strategy="BLUE_GREEN", bakeTimeInMinutes=60, lifecycleHooks=[])
    shop.reaches(fourth, "BAKE_TIME")
    assert (shop.answer(shop.url), kept()) == ("four", "four")
    begun = time.monotonic()
    shop.ecs.stop_service_deployment(serviceDeploymentArn=fourth, stopType="ROLLBACK")
    eventually(lambda: shop.answer(shop.url) == "two")
    took = time.monotonic() - begun
    assert kept() == "two"
    shop.reaches(fourth, "ROLLBACK_SUCCESSFUL")
    assert "ConflictException" in said(lambda: shop.ecs.stop_service_deployment(serviceDeploymentArn=fourth))
    print(f"back {took:.2f} s after StopServiceDeployment")

    # Nobody decides, and minutes are seconds.
    ask_sandbox(shop.account.box, "PUT", "/_sandbox/minute/1")
    hasty = {**PAUSE, "timeoutConfiguration": {"timeoutInMinutes": 3, "action": "ROLLBACK"}}
    fifth = shop.update("five", **{**HOOKED, "lifecycleHooks": [hasty]})
    ended = shop.reaches(fifth, "ROLLBACK_SUCCESSFUL")
    assert ended["lifecycleHookDetails"][0]["status"] == "TIMED_OUT"
    assert shop.answer(shop.url) == "two"

    # One request in five for the canary, then an alarm.
    alarm = {"AlarmName": "errors", "MetricName": "m", "Namespace": "n", "Statistic": "Sum", "Period": 60}
    watch = shop.account.client("cloudwatch")
    watch.put_metric_alarm(**alarm, EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold")
    sixth = shop.update(
        "six",
        strategy="CANARY",
        bakeTimeInMinutes=0,
        lifecycleHooks=[],
        canaryConfiguration={"canaryPercent": 20.0, "canaryBakeTimeInMinutes": 1440},
        alarms={"alarmNames": ["errors"], "enable": True, "rollback": True},
    )
    shop.reaches(sixth, "PRODUCTION_TRAFFIC_SHIFT")
    assert shop.weights(shop.production) == {"a": 80, "b": 20}
    answers = [shop.answer(shop.url) for _ in range(50)]
    assert (answers.count("six"), answers.count("two")) == (10, 40)
    watch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="a test")
    ended = shop.reaches(sixth, "ROLLBACK_SUCCESSFUL")
    assert "alarm" in ended["statusReason"]
    assert ended["alarms"]["triggeredAlarmNames"] == ["errors"]
    assert {shop.answer(shop.url) for _ in range(10)} == {"two"}


def test_policies_of_the_role_and_of_the_caller_count(strict_shop: Shop) -> None:
    shop = strict_shop
    iam = shop.account.client("iam")

    def allow(name: str, put: Any, *statements: dict[str, Any]) -> None:
        document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        put(**{name: shop.caller if name == "UserName" else "infrastructure"}, PolicyName="p", PolicyDocument=document)

    modify = {"Effect": "Allow", "Action": "elasticloadbalancing:ModifyRule", "Resource": "*"}
    allow("RoleName", iam.put_role_policy, modify)
    plain = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0, "lifecycleHooks": []}
    shop.reaches(shop.create(deploymentConfiguration=plain), "SUCCESSFUL")
    assert shop.answer(shop.url) == "one"

    iam.delete_role_policy(RoleName="infrastructure", PolicyName="p")
    second = shop.update("two", **plain)
    ended = shop.reaches(second, "ROLLBACK_SUCCESSFUL")
    assert ended["statusReason"] == (
        "Service deployment rolled back because TEST_TRAFFIC_SHIFT lifecycle hook(s) failed. User: "
        "arn:aws:sts::123456789012:assumed-role/infrastructure/ECSNetworkingWithELB is not authorized to perform: "
        f"elasticloadbalancing:ModifyRule on resource: {shop.test} because no identity-based policy allows the "
        "elasticloadbalancing:ModifyRule action"
    )
    assert shop.answer(shop.url) == "one"

    allow("RoleName", iam.put_role_policy, modify)
    third = shop.update("three", **HOOKED)
    shop.reaches(third, "PAUSE")
    hook = {"serviceDeploymentArn": third, "hookId": shop.shown(third)["lifecycleHookDetails"][0]["hookId"]}
    theirs = shop.user()
    service = third.rpartition("/")[0].replace(":service-deployment/", ":service/")
    on = {"Effect": "Allow", "Action": ["ecs:ContinueServiceDeployment", "ecs:StopServiceDeployment"]}
    for allowed, lacking in ((service, third), (third, service)):
        allow("UserName", iam.put_user_policy, {**on, "Resource": allowed})
        for refused in (
            lambda: theirs.continue_service_deployment(**hook, action="CONTINUE"),
            lambda: theirs.stop_service_deployment(serviceDeploymentArn=third),
        ):
            words = said(refused)
            assert "AccessDeniedException" in words
            assert f"on resource: {lacking} " in words
    allow("UserName", iam.put_user_policy, {**on, "Resource": [service, third]})
    theirs.continue_service_deployment(**hook, action="CONTINUE")
    shop.reaches(third, "SUCCESSFUL")

    everything = {"Effect": "Allow", "Action": "ecs:*", "Resource": "*"}
    allow("UserName", iam.put_user_policy, everything)
    again: Any = {"service": "shop", "forceNewDeployment": True, "loadBalancers": shop.balanced()}
    assert f"iam:PassRole on resource: {shop.role}" in said(lambda: theirs.update_service(**again))
    passed = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": shop.role}
    to_ecs = {"StringEquals": {"iam:PassedToService": "ecs.amazonaws.com"}}
    allow("UserName", iam.put_user_policy, everything, {**passed, "Condition": to_ecs})
    theirs.update_service(**again)
