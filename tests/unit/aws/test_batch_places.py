"""Batch is asked only for what makes a queue and its environment as they are wanted; the rest is awaited or refused."""

from dataclasses import replace
from typing import Any

import pytest

from model_dockerize.aws.batch import compute_environment as environments
from model_dockerize.aws.batch import job_queue as queues
from model_dockerize.aws.batch.compute_environment import ComputeEnvironment
from model_dockerize.aws.batch.job_queue import JobQueue
from model_dockerize.aws.batch.runnable import why_runnable
from model_dockerize.aws.model import Network, Subnet
from model_dockerize.errors import AwsError, BatchError, InputError, ModelDockerizeError
from tests.rig.iris import batch_settings
from tests.rig.scripted import Call, Script, refused

NETWORK = Network("vpc-1", (Subnet("subnet-2", "b"), Subnet("subnet-1", "a")), ("sg-2", "sg-1"))
PLACE = {"subnets": ["subnet-1", "subnet-2"], "securityGroupIds": ["sg-1", "sg-2"]}
FARGATE = {"type": "FARGATE", "maxvCpus": 16, **PLACE}
INSTANCES = {
    "type": "EC2",
    "maxvCpus": 16,
    **PLACE,
    "minvCpus": 0,
    "instanceTypes": ["optimal"],
    "allocationStrategy": "BEST_FIT_PROGRESSIVE",
}
ENVIRONMENT, QUEUE = "compute environment e", "job queue q"


def shown(resources: dict[str, Any], status: str = "VALID", **changes: Any) -> dict[str, Any]:
    return {
        "computeEnvironmentName": "e",
        "computeEnvironmentArn": "arn:e",
        "type": "MANAGED",
        "status": status,
        "state": "ENABLED",
        "tags": {"model-dockerize": "batch"},
        "serviceRole": "arn:aws:iam::1:role/aws-service-role/batch.amazonaws.com/AWSServiceRoleForBatch",
        "computeResources": resources,
        **changes,
    }


def look(*found: Any) -> Call:
    asked = {"computeEnvironments": ["e"]}
    if found and isinstance(found[0], Exception):
        return "batch:describe_compute_environments", asked, found[0]
    return "batch:describe_compute_environments", asked, {"computeEnvironments": list(found)}


def create(resources: dict[str, Any], **more: Any) -> Call:
    asked = {
        "computeEnvironmentName": "e",
        "type": "MANAGED",
        "state": "ENABLED",
        "computeResources": resources,
        "tags": {"model-dockerize": "batch", "team": "a"},
        **more,
    }
    return "batch:create_compute_environment", asked, {}


def update(**changes: Any) -> Call:
    return "batch:update_compute_environment", {"computeEnvironment": "e", "state": "ENABLED", **changes}, {}


class Converged:
    """The outcome of a call with a script: the result, the reports and words, the warnings, and the pauses."""

    def __init__(self, *calls: Call, wanted: dict[str, Any], role: str = "", making: Any = None) -> None:
        self.pauses: list[float] = []
        with Script(*calls) as script:
            aws = replace(script.aws, tags={"team": "a"})
            self.found = environments.converge_environment(
                aws, "e", wanted, role, script.said, self.pauses.append, **({"making": making} if making else {})
            )
        self.told = [*map(str, aws.changes), *script.said.infos]
        self.warned = script.said.warnings


class TestEnvironment:
    @pytest.mark.parametrize("role", ["", "arn:role"])
    def test_one_that_is_not_there_is_made_and_waited_for(self, role: str) -> None:
        wanted = {"type": "FARGATE", **PLACE}
        resources = {"maxvCpus": 128, "minvCpus": 1, **wanted}
        made = create(resources, **({"serviceRole": role} if role else {}))
        looks = [look(shown(FARGATE, status)) for status in ("CREATING", "UPDATING", "VALID", "VALID")]
        found = Converged(look(), made, *looks, wanted=wanted, role=role, making={"minvCpus": 1})
        assert found.found == ComputeEnvironment("arn:e", "e", changed=True)
        assert found.told == ["+ compute environment e", "compute environment e: made"]
        assert found.pauses == [1.0, 1.3]

    def test_what_is_wanted_goes_before_how_one_is_made(self) -> None:
        looks = look(), create(FARGATE), look(shown(FARGATE)), look()
        found = Converged(*looks, wanted=FARGATE, making={"maxvCpus": 1})
        assert found.found == ComputeEnvironment("e", "e", changed=True)  # it is gone again

    def test_one_that_suits_is_left(self) -> None:
        there = shown({**FARGATE, "subnets": ["subnet-2", "subnet-1"]})
        found = Converged(look(there), look(there), wanted=FARGATE)
        assert found.found == ComputeEnvironment("arn:e", "e", changed=False)
        assert found.told == ["= compute environment e", "compute environment e: there"]
        assert found.warned == []

    def test_one_that_is_still_being_made_is_waited_for(self) -> None:
        looks = [look(shown(FARGATE, status)) for status in ("CREATING", "CREATING", "VALID", "VALID")]
        found = Converged(*looks, wanted=FARGATE)
        assert (found.found.changed, found.pauses) == (False, [1.0])

    def test_only_what_differs_is_sent(self) -> None:
        there = shown(FARGATE)
        wanted = {**FARGATE, "maxvCpus": 32}
        found = Converged(
            look(there), update(computeResources={"maxvCpus": 32}), look(there), look(there), wanted=wanted
        )
        assert found.found == ComputeEnvironment("arn:e", "e", changed=True)
        assert found.told == [
            "~ compute environment e (maxvCpus 16 -> 32)",
            "compute environment e: changed (maxvCpus 16 -> 32)",
        ]

    def test_one_that_is_disabled_is_enabled(self) -> None:
        there = shown(FARGATE, state="DISABLED")
        found = Converged(look(there), update(), look(there), look(there), wanted=FARGATE)
        assert found.told[0] == "~ compute environment e (state DISABLED -> ENABLED)"

    def test_one_that_is_invalid_is_checked_anew(self) -> None:
        invalid = shown(FARGATE, "INVALID", statusReason="no role")
        looks = look(invalid), look(shown(FARGATE)), look(shown(FARGATE))
        found = Converged(looks[0], update(), *looks[1:], wanted=FARGATE)
        assert found.told[0] == "~ compute environment e (status)"

    def test_a_role_of_its_own_may_be_another_one(self) -> None:
        there = shown(FARGATE, serviceRole="arn:aws:iam::1:role/old")
        change = update(serviceRole="arn:aws:iam::1:role/new")
        found = Converged(look(there), change, look(there), look(there), wanted=FARGATE, role="arn:aws:iam::1:role/new")
        assert found.found.changed
        assert not Converged(look(there), look(there), wanted=FARGATE, role="old").found.changed

    def test_how_instances_are_chosen_stays(self) -> None:
        chosen = shown({**INSTANCES, "allocationStrategy": "BEST_FIT", "minvCpus": 4})
        assert not Converged(look(chosen), look(chosen), wanted=INSTANCES).found.changed

    @pytest.mark.parametrize(
        ("policy", "when"),
        [
            (None, "after 30 minutes"),
            ({"jobExecutionTimeoutMinutes": 5}, "after 5 minutes"),
            ({"terminateJobsOnUpdate": True, "jobExecutionTimeoutMinutes": 5}, "at once"),
        ],
    )
    def test_jobs_that_a_change_ends_are_warned_of(self, policy: Any, when: str) -> None:
        there = shown(INSTANCES, updatePolicy=policy)
        wanted = {**INSTANCES, "instanceTypes": ["c5.large"], "maxvCpus": 32}
        changes = {"maxvCpus": 32, "instanceTypes": ["c5.large"]}
        found = Converged(look(there), update(computeResources=changes), look(there), look(there), wanted=wanted)
        assert found.warned == [
            "compute environment e: AWS replaces its instances for instanceTypes, and ends jobs that still run there "
            f"{when}."
        ]

    @pytest.mark.parametrize(
        ("changes", "wanted", "message"),
        [
            (
                {"computeResources": {"type": "EC2"}},
                FARGATE,
                "Compute environment e is of type EC2 and cannot become FARGATE.",
            ),
            (
                {"computeResources": {**FARGATE, "type": "FARGATE_SPOT"}},
                FARGATE,
                "Compute environment e is of type FARGATE_SPOT and cannot become FARGATE.",
            ),
            (
                {"computeResources": None, "type": "UNMANAGED"},
                FARGATE,
                "Compute environment e is of type UNMANAGED and cannot become FARGATE.",
            ),
            (
                {"computeResources": {**INSTANCES, "allocationStrategy": "BEST_FIT"}},
                {**INSTANCES, "instanceTypes": ["c5.large"]},
                "Compute environment e cannot be changed in instanceTypes: its allocation strategy is BEST_FIT, with "
                "which instances cannot be replaced.",
            ),
            (
                {"computeResources": {k: v for k, v in INSTANCES.items() if k != "allocationStrategy"}},
                {**INSTANCES, "instanceTypes": ["c5.large"]},
                "Compute environment e cannot be changed in instanceTypes: its allocation strategy is BEST_FIT, with "
                "which instances cannot be replaced.",
            ),
            (
                {"serviceRole": "arn:aws:iam::1:role/own", "computeResources": INSTANCES},
                {**INSTANCES, "subnets": ["subnet-9"], "type": "SPOT"},
                "Compute environment e cannot be changed in type, subnets: its role is own, and only with "
                "Batch's own role (AWSServiceRoleForBatch) can its instances be replaced.",
            ),
        ],
    )
    def test_what_batch_cannot_change_is_refused_before_it_is_asked(
        self, changes: dict[str, Any], wanted: dict[str, Any], message: str
    ) -> None:
        with Script(look({**shown(FARGATE), **changes})) as script, pytest.raises(InputError) as caught:
            environments.converge_environment(script.aws, "e", wanted, "", script.said)
        assert str(caught.value) == message
        assert caught.value.remedy == (
            "Name another compute-environment (its queue moves over), or give the inputs that it has now."
        )

    @pytest.mark.parametrize("own", ["", "arn:aws:iam::1:role/x/AWSServiceRoleForBatch"])
    def test_batchs_own_role_has_no_other_in_its_place(self, own: str) -> None:
        there = look(shown(FARGATE, serviceRole=own))
        with Script(there) as script, pytest.raises(InputError) as caught:
            environments.converge_environment(script.aws, "e", FARGATE, "arn:role", script.said)
        assert str(caught.value) == (
            "Compute environment e uses Batch's own role. AWS lets no other (service-role) take its place."
        )
        assert caught.value.remedy == (
            "Name another compute-environment (its queue moves over), or leave service-role out."
        )

    @pytest.mark.parametrize(
        ("changes", "warned"),
        [
            ({}, []),
            (
                {"state": "DISABLED"},
                ["compute environment e is DISABLED and VALID. Jobs may not start; it is not ours."],
            ),
            (
                {"status": "INVALID", "statusReason": "no role"},
                ["compute environment e is ENABLED and INVALID: no role. Jobs may not start; it is not ours."],
            ),
        ],
    )
    def test_one_of_others_is_used_as_it_is(self, changes: dict[str, Any], warned: list[str]) -> None:
        there = look(shown({}, **{"tags": {"team": "theirs"}, **changes}))
        found = Converged(there, wanted=FARGATE)
        said = "compute environment e: there, made by somebody else, so used as it is"
        assert found.found == ComputeEnvironment("arn:e", "e", changed=False)
        assert found.told == ["= compute environment e", said]
        assert found.warned == warned

    def test_one_of_that_name_that_goes_is_waited_for(self) -> None:
        going = look(shown(FARGATE, "DELETING"))
        found = Converged(
            *(
                going,
                going,
                look(shown(FARGATE, "DELETED")),
                create(FARGATE),
                look(shown(FARGATE)),
                look(shown(FARGATE)),
            ),
            wanted=FARGATE,
        )
        assert found.told == [
            "+ compute environment e",
            "compute environment e: waiting until the old one of that name is gone",
            "compute environment e: made",
        ]
        assert found.pauses == [1.0, 1.3]
        with Script(forever=going) as script, pytest.raises(BatchError) as caught:
            environments.converge_environment(script.aws, "e", FARGATE, "", script.said, lambda _: None)
        assert str(caught.value) == "compute environment e is still being deleted after 302 s."
        assert caught.value.remedy == "Run again, or choose another name."
        with Script(going) as script:  # whoever only asks does not wait
            aws = replace(script.aws, only_asks=True)
            assert environments._found(aws, "e", script.said, lambda _: None) is None

    def refusal(self, *calls: Call, forever: Call | None = None) -> ModelDockerizeError:
        with Script(*calls, forever=forever) as script, pytest.raises(ModelDockerizeError) as caught:
            environments.converge_environment(script.aws, "e", FARGATE, "", script.said, lambda _: None)
        return caught.value

    def test_one_that_becomes_invalid_is_told_with_its_reason(self) -> None:
        made = create(FARGATE)
        made[1]["tags"] = {"model-dockerize": "batch"}
        for reason, told in (({"statusReason": "no role"}, "no role"), ({}, "AWS gives no reason")):
            error = self.refusal(look(), made, look(shown(FARGATE, "INVALID", **reason)))
            assert str(error) == f"compute environment e is INVALID: {told}"
            assert error.remedy == (
                "Correct what the reason names (often a role, subnet or security group that is gone) and run again."
            )

    def test_one_that_was_invalid_may_be_shown_so_for_some_looks(self) -> None:
        invalid = shown(FARGATE, "INVALID")
        error = self.refusal(look(invalid), update(), *[look(invalid)] * 7)  # ten seconds
        assert str(error) == "compute environment e is INVALID: AWS gives no reason"
        assert self.refusal(look(invalid), update(), look(shown(FARGATE, "UPDATING")), look(invalid)).args == error.args

    def test_one_that_does_not_become_valid_is_told(self) -> None:
        creating = shown(FARGATE, "CREATING", statusReason="still")
        error = self.refusal(forever=look(creating))
        assert str(error) == "compute environment e is still CREATING after 302 s: still"
        assert error.remedy == "Run again: it is found and waited for."

    def test_what_aws_refuses_is_told(self) -> None:
        error = self.refusal(look(refused("ServerException", "oh")))
        assert str(error) == "compute environment e: Operation failed: ServerException: oh"

    def test_who_only_asks_waits_for_nothing(self) -> None:
        with Script(look(), create(FARGATE), look()) as script:
            aws = replace(script.aws, only_asks=True, tags={"team": "a"})
            found = environments.converge_environment(aws, "e", FARGATE, "", script.said)
        assert found == ComputeEnvironment("e", "e", changed=True)

    def test_one_that_must_be_there_is_found_or_to_be_described(self) -> None:
        with Script(look(shown({}))) as script:
            assert environments.existing_environment(script.aws, "e") == ComputeEnvironment("arn:e", "e", changed=False)
        for there in ((), (shown({}, "DELETING"),), (shown({}, "DELETED"),)):
            with Script(look(*there)) as script, pytest.raises(InputError) as caught:
                environments.existing_environment(script.aws, "e")
            assert str(caught.value) == "There is no compute environment e in us-east-1."
            assert caught.value.remedy == (
                "Describe it (comp_env in BatchConfig.yml, or compute-environment), or correct the name."
            )


class TestResources:
    @pytest.mark.parametrize(
        ("settings", "platform", "resources"),
        [
            ({"compute_type": "FARGATE_SPOT"}, "linux/amd64", {**FARGATE, "type": "FARGATE_SPOT"}),
            ({"compute_type": "EC2"}, "linux/amd64", INSTANCES),
            ({"compute_type": "EC2"}, "linux/arm64/v8", {**INSTANCES, "instanceTypes": ["default_arm64"]}),
            (
                {"compute_type": "SPOT", "instance_types": ("m5", "c5"), "gpus": 1},
                "linux/amd64",
                {
                    **INSTANCES,
                    "type": "SPOT",
                    "instanceTypes": ["c5", "m5"],
                    "allocationStrategy": "SPOT_PRICE_CAPACITY_OPTIMIZED",
                },
            ),
        ],
    )
    def test_they_are_whole(self, settings: dict[str, Any], platform: str, resources: dict[str, Any]) -> None:
        given = batch_settings(max_vcpus=16, **settings)
        assert environments.compute_resources(given, NETWORK, platform) == resources

    def test_gpus_are_of_instances_that_have_some(self) -> None:
        with pytest.raises(InputError) as caught:
            environments.compute_resources(batch_settings(compute_type="EC2", gpus=1), NETWORK, "linux/amd64")
        assert str(caught.value) == (
            "A job asks for GPUs, and AWS chooses instances that have none where instance-types says nothing."
        )
        assert caught.value.remedy == "Say which: instance-types, e.g. g5.xlarge."

    def ensured(self, *calls: Call, said: tuple[str, ...] = (), **inputs: Any) -> bool:
        settings = batch_settings(compute_environment="e", **inputs)
        settings = replace(settings, given=settings.given | set(said))
        with Script(*calls) as script:
            aws = replace(script.aws, tags={"team": "a"})
            found = environments.ensure_compute_environment(
                aws, settings, NETWORK, "linux/amd64", script.said, lambda _: None
            )
        return found.changed

    def test_what_no_input_says_stays(self) -> None:
        there = shown({**FARGATE, "subnets": ["subnet-9"], "securityGroupIds": ["sg-9"], "maxvCpus": 4})
        assert not self.ensured(*[look(there)] * 3)
        moved = {"subnets": PLACE["subnets"], "securityGroupIds": PLACE["securityGroupIds"]}
        looks = [look(there)] * 2, [look(there)] * 2
        assert self.ensured(*looks[0], update(computeResources=moved), *looks[1], said=("subnets",))
        assert not self.ensured(look({**there, "tags": {}}))

    def test_a_new_one_is_as_inputs_say(self) -> None:
        made = [look(shown(FARGATE))] * 2
        assert self.ensured(look(), look(), create(FARGATE), *made, compute_type="FARGATE", max_vcpus=16)


def queue(status: str = "VALID", **changes: Any) -> dict[str, Any]:
    return {
        "jobQueueName": "q",
        "jobQueueArn": "arn:q",
        "status": status,
        "state": "ENABLED",
        "priority": 1,
        "tags": {"model-dockerize": "batch"},
        "computeEnvironmentOrder": [
            {"order": 1, "computeEnvironment": "arn:aws:batch:us-east-1:1:compute-environment/e"}
        ],
        **changes,
    }


def look_at_queue(*found: Any) -> Call:
    answer = found[0] if found and isinstance(found[0], Exception) else {"jobQueues": list(found)}
    return "batch:describe_job_queues", {"jobQueues": ["q"]}, answer


ORDER = [{"order": 1, "computeEnvironment": "arn:e"}]
FED = queue(computeEnvironmentOrder=ORDER)


def fed(*calls: Call, given: Any = None, priority: int = 1) -> tuple[JobQueue, list[str]]:
    more = {} if given is None else {"given": frozenset(given)}
    with Script(*calls) as script:
        aws = replace(script.aws, tags={"team": "a"})
        found = queues.feed(aws, "q", "arn:e", priority, script.said, lambda _: None, **more)
    return found, [*map(str, aws.changes), *script.said.infos]


class TestQueue:
    MADE = (
        "batch:create_job_queue",
        {
            "jobQueueName": "q",
            "priority": 1,
            "state": "ENABLED",
            "computeEnvironmentOrder": ORDER,
            "tags": {"model-dockerize": "batch", "team": "a"},
        },
        {},
    )

    def changed(self, priority: int = 1, order: Any = None) -> Call:
        wanted = {"computeEnvironmentOrder": order or ORDER, "priority": priority, "state": "ENABLED"}
        return "batch:update_job_queue", {"jobQueue": "q", **wanted}, {}

    def test_one_that_is_not_there_is_made(self) -> None:
        looks = look_at_queue(), look_at_queue(), self.MADE, look_at_queue(queue("CREATING")), look_at_queue(FED)
        found = JobQueue("arn:q", "q", changed=True), ["+ job queue q", "job queue q: made"]
        assert fed(*looks, look_at_queue(FED)) == found
        assert fed(look_at_queue(), look_at_queue(), self.MADE, *[look_at_queue()] * 2)[0].arn == "q"
        going = look_at_queue(queue("DELETED")), look_at_queue(queue("DELETED"))
        assert fed(*going, self.MADE, look_at_queue(FED), look_at_queue(FED)) == found

    def test_one_that_suits_is_left(self) -> None:
        assert fed(*[look_at_queue(FED)] * 3) == (
            JobQueue("arn:q", "q", changed=False),
            ["= job queue q", "job queue q: there"],
        )
        assert fed(*[look_at_queue({**FED, "status": "UPDATING"})] * 2, *[look_at_queue(FED)] * 2)[0].changed is False

    def test_what_differs_is_changed_and_what_no_input_says_stays(self) -> None:
        there, last = [look_at_queue(FED)] * 2, [look_at_queue(FED)] * 2
        assert fed(*there, self.changed(2), *last, priority=2) == (
            JobQueue("arn:q", "q", changed=True),
            ["~ job queue q (priority 1 -> 2)", "job queue q: changed (priority 1 -> 2)"],
        )
        other = [look_at_queue(queue())] * 2
        assert fed(*other, look_at_queue(queue()), given=(), priority=2)[0].changed is False
        order = queue()["computeEnvironmentOrder"]
        only_priority = self.changed(2, order)
        assert fed(*other, only_priority, *[look_at_queue(queue())] * 2, given=("queue_priority",), priority=2)[
            0
        ].changed
        assert fed(*other, self.changed(1), *[look_at_queue(queue())] * 2, given=("compute_environment",), priority=2)[
            0
        ].changed

    def test_one_of_others_is_used_as_it_is(self) -> None:
        theirs = look_at_queue(queue(tags={}, state="DISABLED"))
        with Script(theirs) as script:
            assert queues.feed(script.aws, "q", "arn:e", 1, script.said) == JobQueue("arn:q", "q", changed=False)
        assert script.said.infos == ["job queue q: there, made by somebody else, so used as it is"]
        assert script.said.warnings == ["job queue q is DISABLED and VALID. Jobs may not start; it is not ours."]
        assert list(map(str, script.aws.changes)) == ["= job queue q"]

    def test_what_aws_refuses_is_told(self) -> None:
        for calls in ([], [look_at_queue()]):
            with (
                Script(*calls, look_at_queue(refused("ServerException", "oh"))) as script,
                pytest.raises(AwsError) as caught,
            ):
                queues.feed(script.aws, "q", "arn:e", 1, script.said)
            assert str(caught.value) == "job queue q: Operation failed: ServerException: oh"

    def test_the_environment_comes_first_and_each_may_have_changed(self) -> None:
        settings = batch_settings(compute_environment="e", queue_priority=1)
        order = [{"order": 2, "computeEnvironment": "arn:x/other"}, *queue()["computeEnvironmentOrder"]]
        there = queue(computeEnvironmentOrder=order)
        theirs = shown({}, tags={})
        for enabled, changed in (("ENABLED", False), ("DISABLED", True)):
            now = {**there, "state": enabled}
            update_call = self.changed(1, order)
            calls = [
                look_at_queue(now),
                look(theirs),
                *[look_at_queue(now)] * 2,
                *([update_call, look_at_queue(now)] if changed else []),
                look_at_queue(now),
            ]
            given = replace(settings, given=frozenset())
            with Script(*calls) as script:
                found = queues.ensure_queue(script.aws, given, "q", NETWORK, "linux/amd64", script.said, lambda _: None)
            assert found.changed is changed

    @pytest.mark.parametrize(
        ("there", "found"),
        [
            ((), ("e0", 7)),
            ((queue("DELETING", priority=3),), ("e0", 7)),
            ((queue(priority=3),), ("e", 3)),
            ((queue(priority=3, computeEnvironmentOrder=[]),), ("e0", 3)),
        ],
    )
    def test_jobs_run_where_their_queue_says(self, there: Any, found: tuple[str, int]) -> None:
        settings = replace(batch_settings(job_queue="q"), compute_environment="e0", queue_priority=7, max_vcpus=1)
        asked = {"computeEnvironments": [found[0]]}
        for environment, most in (([], 1), ([shown({"maxvCpus": 9})], 9)):
            calls = [
                look_at_queue(*there),
                ("batch:describe_compute_environments", asked, {"computeEnvironments": environment}),
            ]
            with Script(*calls) as script:
                told = queues.place_of_jobs(script.aws, settings)
            assert (told.compute_environment, told.queue_priority, told.max_vcpus) == (*found, most)

    def test_without_a_queue_nothing_is_asked(self) -> None:
        with Script() as script:
            assert queues.place_of_jobs(script.aws, batch_settings(job_queue="")) == batch_settings(job_queue="")


class TestRunnable:
    def why(self, job: dict[str, Any], there: dict[str, Any], *found: dict[str, Any]) -> tuple[str, ...]:
        calls = [
            look_at_queue({**FED, **there}),
            (
                "batch:describe_compute_environments",
                {"computeEnvironments": ["arn:e"]},
                {"computeEnvironments": list(found)},
            ),
            ("batch:describe_jobs", {"jobs": ["j"]}, {"jobs": [{"status": "RUNNABLE", **job}]}),
        ]
        with Script(*calls) as script:
            return why_runnable(script.aws, "q", "j")

    @pytest.mark.parametrize(
        ("reason", "helps"),
        [
            (
                "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - x",
                " Raise max-vcpus, or ask for less (cpu, memory).",
            ),
            (
                "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - x",
                " No instance of the environment is that large: name others (instance-types), or ask for less (cpu, "
                "memory, gpus).",
            ),
            (
                "MISCONFIGURATION:SERVICE_ROLE_PERMISSIONS - x",
                " Mend the policies of the environment's service role.",
            ),
            (
                "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - x",
                " AWS has no such instances there now: wait, or name more instance-types or subnets in more zones.",
            ),
            ("else", ""),
        ],
    )
    def test_the_reason_of_batch_comes_with_what_helps(self, reason: str, helps: str) -> None:
        assert self.why({"statusReason": reason}, {}) == (f"AWS Batch says: {reason}{helps}",)

    def test_without_a_reason_it_waits_for_capacity(self) -> None:
        waits = (
            "The job waits for capacity. If it stays: the limit max-vcpus is used up by other jobs, the account's "
            "quota is reached, no instance type fits its memory or GPUs, or instances cannot reach ECS from their "
            "subnets.",
        )
        needs = {"container": {"resourceRequirements": [{"type": "VCPU", "value": "4"}, {"type": "GPU", "value": "9"}]}}
        assert self.why(needs, {}, shown({"maxvCpus": 4}), shown({})) == waits
        assert self.why({"status": "STARTING", "statusReason": "x"}, {}) == waits

    def test_what_is_not_ready_or_too_small_is_told(self) -> None:
        needs = {"container": {"resourceRequirements": [{"type": "VCPU", "value": "4.5"}]}}
        assert self.why(
            needs,
            {"state": "DISABLED"},
            shown({"maxvCpus": 4}),
            shown({}, state="DISABLED"),
            shown({}, "INVALID", statusReason="no role"),
        ) == (
            "Queue q is DISABLED and VALID.",
            "The job wants 4.5 vCPUs; compute environment e has 4.",
            "Compute environment e is DISABLED and VALID: ",
            "Compute environment e is ENABLED and INVALID: no role",
        )
        assert self.why({}, {"status": "INVALID"}) == ("Queue q is ENABLED and INVALID.",)
