"""Things of a deployment go in their order, each by its own call; what somebody uses stays, with all it stands on."""

from dataclasses import replace
from typing import Any

import pytest

from model_dockerize.aws import destroy
from model_dockerize.aws.destroy import ends, things
from model_dockerize.aws.destroy.stacks import Held
from model_dockerize.aws.destroy.things import Deployment
from model_dockerize.aws.destroy.users import Job, Region
from model_dockerize.aws.destroy.uses import User, divide
from model_dockerize.aws.destroy.volume import Volume
from model_dockerize.aws.ground.names import Names
from model_dockerize.aws.ground.values import Stack
from model_dockerize.aws.model import Thing
from model_dockerize.errors import AwsError, TimedOutError
from tests.rig.progress import Said
from tests.rig.scripted import Call, Script, refused

OURS = {"model-dockerize": "x"}
TAGS = [{"key": "model-dockerize", "value": "x"}]
NAMES = Names("iris", "models/iris", "iris-jobs", "iris svc", "iris", "c")
NOTHING = Region((), (), (), (), (), (), ())
NO_NAMES = replace(NAMES, repository="", service="", task_definition="")


def arn(service: str, rest: str) -> str:
    return f"arn:aws:{service}:us-east-1:1:{rest}"


SERVICE = {
    "serviceArn": arn("ecs", "service/c/iris-svc"),
    "serviceName": "iris-svc",
    "clusterArn": arn("ecs", "cluster/c"),
    "taskDefinition": arn("ecs", "task-definition/older:3"),
    "tags": TAGS,
}
NO_CLUSTER = "ecs:describe_clusters", {"clusters": ["c"], "include": ["TAGS"]}, {"clusters": []}
NO_BUCKET = (
    "s3:get_bucket_tagging",
    {"Bucket": "model-dockerize-jobs-123456789012-us-east-1", "ExpectedBucketOwner": "123456789012"},
    refused("NoSuchBucket"),
)


def deployment(script: Script, region: Region = NOTHING, names: Names = NO_NAMES, **held: Any) -> Deployment:
    parts: dict[str, Any] = {"model": None, "jobs": None, "shared": None, "volume": None, **held}
    return Deployment(script.aws, names, region, **parts)


def going(
    *calls: Call, delete_data: bool = False, rest: Any = (NO_BUCKET, NO_CLUSTER), **given: Any
) -> tuple[Thing, ...]:
    with Script(*calls, *rest) as script:
        return deployment(script, **given).things(script.said, delete_data)


def shown(found: tuple[Thing, ...]) -> list[tuple[str, frozenset[str]]]:
    return [(str(thing), thing.ids) for thing in found]


def ids(*each: str) -> frozenset[str]:
    return frozenset(each)


def listed(status: str, *arns: str) -> Call:
    asked = {"familyPrefix": "iris", "status": status}
    return "ecs:list_task_definitions", asked, [{"taskDefinitionArns": [each]} for each in arns]


def described(name: str, family: str, *tags: dict[str, str], **more: Any) -> Call:
    asked = {"taskDefinition": name, "include": ["TAGS"]}
    return "ecs:describe_task_definition", asked, {"taskDefinition": {"family": family, **more}, "tags": list(tags)}


def test_where_nothing_is_nothing_goes() -> None:
    assert going() == ()


@pytest.mark.parametrize(
    ("changes", "is_ours"),
    [
        ({}, True),
        ({"serviceName": "iris svc"}, False),
        ({"clusterArn": arn("ecs", "cluster/cc")}, False),
        ({"tags": []}, False),
        ({"tags": [{"key": "team", "value": "x"}]}, False),
    ],
)
def test_a_service_is_ours_by_name_cluster_and_tag(changes: dict[str, Any], is_ours: bool) -> None:
    other = {**SERVICE, "clusterArn": arn("ecs", "cluster/d")}
    region = replace(NOTHING, services=(other, {**SERVICE, **changes}))
    names = replace(NO_NAMES, service="iris svc")
    older = [listed("ACTIVE"), listed("INACTIVE")]
    for call in older:
        call[1]["familyPrefix"] = "older"
    found = going(*(older if is_ours else []), region=region, names=names)
    assert shown(found) == ([("service iris-svc", ids(SERVICE["serviceArn"]))] if is_ours else [])
    with Script() as script:
        assert (deployment(script, region, names).service is not None) is is_ours


def test_every_revision_of_a_family_with_our_tag_goes() -> None:
    model = Held(Stack("s", "arn:s", "CREATE_COMPLETE", {}, {}, (), ()), {}, ids("arn:role"))
    of_prefix = arn("ecs", "task-definition/iris-2:1")
    revisions = [arn("ecs", f"task-definition/iris:{number}") for number in (1, 2, 3, 4)]
    others = "/model-dockerize/rose"
    calls = [
        listed("ACTIVE", revisions[0], of_prefix, revisions[1]),
        listed("INACTIVE", revisions[2], revisions[3]),
        described(revisions[0], "iris", *TAGS, log="/model-dockerize/c/iris svc", other=others),
        described(of_prefix, "iris-2", *TAGS),
        described(revisions[1], "iris", {"key": "team", "value": "theirs"}),
        described(revisions[2], "iris", *TAGS, role="arn:role", other=others),
        described(revisions[3], "iris", *TAGS, other=others, more="/else"),
    ]
    found = going(*calls, names=replace(NAMES, repository=""), model=model)
    assert shown(found)[1:] == [
        ("task definition iris:1", ids(revisions[0])),
        ("task definition iris:3", ids(revisions[2])),
        ("task definition iris:4", ids(revisions[3], "family:iris", others)),
    ]


def job_definition(name: str, revision: int, **more: Any) -> dict[str, Any]:
    full = arn("batch", f"job-definition/{name}:{revision}")
    return {"jobDefinitionName": name, "jobDefinitionArn": full, "tags": OURS, **more}


def test_jobs_go_with_their_definitions() -> None:
    first, second = (job_definition("iris-jobs", number, log="/model-dockerize/rose") for number in (1, 2))
    definitions = (first, second, job_definition("iris-jobs", 3, tags={}), job_definition("iris-jobs2", 1))
    one, two = first["jobDefinitionArn"], second["jobDefinitionArn"]
    jobs = (
        Job("j1", "n", "RUNNING", "q2", one),
        Job("j2", "n", "RUNNING", "q1", two),
        Job("j3", "n", "PENDING", "q2", one),
        Job("j4", "n", "PENDING", "q2", "other"),
    )
    found = going(region=replace(NOTHING, job_definitions=definitions, jobs=jobs))
    log = "/model-dockerize/rose"
    assert shown(found) == [
        ("jobs of iris-jobs in queue q1 (1)", ids("j2", two, log)),
        ("jobs of iris-jobs in queue q2 (2)", ids("j1", "j3", one, log)),
        ("job definition iris-jobs:1", ids(one, log)),
        ("job definition iris-jobs:2", ids(two, log)),
    ]
    assert found[1].remove.args[1:] == (["j1", "j3"],)  # type: ignore[attr-defined]


def repository(answer: Any) -> Call:
    shown = answer if isinstance(answer, Exception) else {"repositories": [answer]}
    return "ecr:describe_repositories", {"repositoryNames": ["models/iris"]}, shown


def tags_of(*keys: str) -> Call:
    return (
        "ecr:list_tags_for_resource",
        {"resourceArn": "arn:r"},
        {"tags": [{"Key": key, "Value": "x"} for key in keys]},
    )


IRIS = {"repositoryName": "models/iris", "repositoryUri": "host/models/iris", "repositoryArn": "arn:r"}
OF_REPOSITORY = replace(NO_NAMES, repository="models/iris")


def test_a_repository_goes_if_it_is_ours_and_is_asked_for_once() -> None:
    found = going(repository(IRIS), tags_of("model-dockerize"), names=OF_REPOSITORY)
    assert shown(found) == [
        ("repository models/iris, with its images", ids("host/models/iris", "repository:models/iris"))
    ]
    assert going(repository(IRIS), tags_of("team"), names=OF_REPOSITORY) == ()
    assert going(repository(refused("RepositoryNotFoundException")), names=OF_REPOSITORY) == ()


def test_images_are_left_in_a_repository_of_others_only() -> None:
    asked = {"repositoryName": "models/iris", "filter": {"tagStatus": "TAGGED"}}
    images = [{"imageDetails": [{"imagePushedAt": 1, "imageTags": [f"build-{'0' * 32}"]}]}]
    for calls, left in (
        (
            [repository(IRIS), tags_of("team"), ("ecr:describe_images", asked, images)],
            (f"models/iris:build-{'0' * 32}",),
        ),
        ([repository(IRIS), tags_of("model-dockerize")], ()),
        ([repository(refused("RepositoryNotFoundException"))], ()),
    ):
        with Script(*calls) as script:
            assert deployment(script, names=OF_REPOSITORY).images_left() == left


def test_what_all_models_share_is_known_by_that() -> None:
    queues = [
        {"jobQueueName": name, "jobQueueArn": f"arn:{name}", "tags": tags, "status": status}
        for name, tags, status in (
            ("q1", OURS, "VALID"),
            ("q2", {}, "VALID"),
            ("q3", OURS, "DELETED"),
            ("q4", OURS, "DELETING"),
        )
    ]
    environments = [
        {"computeEnvironmentName": name, "computeEnvironmentArn": f"arn:{name}", "tags": tags, "status": status}
        for name, tags, status in (("e1", OURS, "VALID"), ("e2", {}, "VALID"), ("e3", OURS, "DELETED"))
    ]
    bucket = NO_BUCKET[1]["Bucket"]
    tagged = (*NO_BUCKET[:2], {"TagSet": [{"Key": "model-dockerize", "Value": "batch"}]})
    cluster = {"clusterArn": "arn:c", "status": "ACTIVE", "tags": TAGS}
    rest = (tagged, (*NO_CLUSTER[:2], {"clusters": [cluster]}))
    found = going(region=replace(NOTHING, queues=tuple(queues), environments=tuple(environments)), rest=rest)
    assert shown(found) == [
        ("job queue q1", ids("arn:q1", "queue:q1", "every model")),
        ("job queue q4", ids("arn:q4", "queue:q4", "every model")),
        ("compute environment e1", ids("arn:e1", "every model")),
        (f"bucket {bucket}, with the files in it", ids(bucket, "every model")),
        ("cluster c", ids("arn:c", "logs:/model-dockerize/c")),
    ]
    assert shown(going(rest=(NO_BUCKET, rest[1]))) == [("cluster c", ids("arn:c", "logs:/model-dockerize/c"))]


STACK = Stack("model-dockerize", "arn:s", "CREATE_COMPLETE", {}, {}, (), ())


@pytest.mark.parametrize(
    ("cluster", "resources", "goes"),
    [
        ({}, {}, True),
        ({"status": "INACTIVE"}, {}, False),
        ({"tags": []}, {}, False),
        ({}, {"AWS::ECS::Cluster": ("c",)}, False),
        ({}, {"AWS::ECS::Cluster": ("d",)}, True),
    ],
)
def test_a_cluster_goes_if_no_stack_holds_it(cluster: dict[str, Any], resources: Any, goes: bool) -> None:
    shared = Held(STACK, resources, ids("stack:model-dockerize"))
    there = {"clusterArn": "arn:c", "status": "ACTIVE", "tags": TAGS, **cluster}
    rest = (NO_BUCKET, (*NO_CLUSTER[:2], {"clusters": [there]}))
    found = going(rest=rest, shared=shared)
    assert [str(thing) for thing in found] == [*(["cluster c"] if goes else []), "stack model-dockerize"]


def test_stacks_go_after_what_runs_and_the_shared_one_last() -> None:
    held = {name: Held(replace(STACK, name=name), {}, ids(f"stack:{name}")) for name in ("model", "jobs", "shared")}
    definition = job_definition("iris-jobs", 1)
    region = replace(NOTHING, job_definitions=(definition,))
    volume = Volume("data", "fs-1", 0, None)
    found = going(region=region, delete_data=True, volume=volume, **held)
    assert shown(found) == [
        ("stack model", ids("stack:model")),
        ("stack jobs", ids("stack:jobs")),
        ("job definition iris-jobs:1", ids(definition["jobDefinitionArn"])),
        ("volume data (fs-1), 0 bytes, with its data", ids("fs-1")),
        ("stack shared", ids("stack:shared")),
    ]
    assert "volume" not in {thing.kind for thing in going(region=region, volume=volume, **held)}


def test_each_thing_ends_by_its_own_call(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[Any] = []
    for name in ("end_service", "end_jobs", "end_task_definition", "end_queue", "end_environment"):
        monkeypatch.setattr(ends, name, lambda _, *given, name=name: ended.append((name, *given)))
    monkeypatch.setattr(things, "end_bucket", lambda _, *given: ended.append(("end_bucket", *given)))
    monkeypatch.setattr(things, "_end_stack", lambda _, held, __: ended.append(("end_stack", held.stack.name)))
    definition, revision = job_definition("iris-jobs", 1), arn("ecs", "task-definition/iris:1")
    region = replace(
        NOTHING,
        services=(SERVICE,),
        job_definitions=(definition,),
        jobs=(Job("j1", "n", "RUNNING", "q", definition["jobDefinitionArn"]),),
        queues=({"jobQueueName": "q", "jobQueueArn": "arn:q", "tags": OURS, "status": "VALID"},),
        environments=(
            {"computeEnvironmentName": "e", "computeEnvironmentArn": "arn:e", "tags": OURS, "status": "VALID"},
        ),
    )
    older = [listed("ACTIVE"), listed("INACTIVE")]
    for call in older:
        call[1]["familyPrefix"] = "older"
    cluster = {"clusterArn": "arn:c", "status": "ACTIVE", "tags": TAGS}
    calls = [
        *(listed("ACTIVE", revision), listed("INACTIVE"), described(revision, "iris", *TAGS), *older),
        *(repository(IRIS), tags_of("model-dockerize")),
        (*NO_BUCKET[:2], {"TagSet": [{"Key": "model-dockerize", "Value": "batch"}]}),
        (*NO_CLUSTER[:2], {"clusters": [cluster]}),
        ("batch:deregister_job_definition", {"jobDefinition": definition["jobDefinitionArn"]}, {}),
        ("ecr:delete_repository", {"repositoryName": "models/iris", "force": True}, {}),
        ("ecs:delete_cluster", {"cluster": "c"}, {}),
    ]
    with Script(*calls) as script:
        for thing in deployment(script, region, NAMES, shared=Held(STACK, {}, ids())).things(script.said, False):
            thing.remove()
    assert ended == [
        ("end_service", "c", "iris-svc"),
        ("end_jobs", ["j1"]),
        ("end_task_definition", revision),
        ("end_queue", "q"),
        ("end_environment", "e"),
        ("end_bucket", NO_BUCKET[1]["Bucket"]),
        ("end_stack", "model-dockerize"),
    ]


class TestRemove:
    def remove(self, *found: Thing, users: tuple[User, ...] = ()) -> tuple[AwsError | None, list[str]]:
        said = Said()
        try:
            destroy.remove(destroy.Destruction((), found, (), "", users), said)
        except AwsError as error:
            return error, said.infos
        return None, said.infos

    def test_each_is_told_and_its_user_is_gone(self) -> None:
        assert self.remove(Thing("a", "1", lambda: None), Thing("b", "2", lambda: None)) == (
            None,
            ["a 1: removed", "b 2: removed"],
        )

    def test_what_cannot_go_is_told_with_what_it_needs(self) -> None:
        def fail(error: Exception) -> Any:
            def remove() -> None:
                raise error

            return remove

        error, said = self.remove(
            Thing("a", "1", fail(TimedOutError("late", ""))),
            Thing("b", "2", fail(refused("Throttling", "slow")), ids("b2")),
            Thing("c", "3", lambda: None, ids("c3")),
            Thing("d", "4", lambda: None, ids("d4")),
            users=(User("b", "b2", ids("c3")), User("d", "d4", ids("e"))),
        )
        assert error is not None
        assert str(error) == "3 of 4 things could not be removed."
        assert error.remedy == "Remove what uses them, then run the same command again."
        assert error.details == ("a 1: late", "b 2: slow", "c 3: used by b")
        assert said == ["d 4: removed"]


def test_what_somebody_uses_keeps_what_it_stands_on_in_turn() -> None:
    first, second, third = (Thing("t", name, lambda: None, ids(name)) for name in "abc")
    users = [User("task x", "x", ids("a")), User("stack y", "a", ids("b")), User("other", "c", ids("c"))]
    found, kept = divide([first, second, third], users)
    assert found == (third,)
    assert [str(each) for each in kept] == ["t a: used by task x", "t b: used by stack y"]


def test_a_function_is_that_of_all_deployments_of_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Thing("function", "f", lambda: None)
    asked: list[str] = []
    monkeypatch.setattr(things, "function_things", lambda _, name: asked.append(name) or iter([made]))
    names = replace(NO_NAMES, function="f", repository="models/iris")
    (found,) = going(repository(refused("RepositoryNotFoundException")), names=names)
    assert (str(found), found.ids, asked) == ("function f", ids("repository:models/iris"), ["f"])


class Planned:
    """A region in which everything is there once; what is asked of each part is remembered."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, adopted: bool = False, role: str = "", volume: bool = True
    ) -> None:
        self.asked: list[Any] = []
        self.held = {
            name: Held(replace(STACK, name=name, role=role if name == STACK.name else ""), {}, ids(f"in {name}"))
            for name in (NAMES.stack, NAMES.job_stack, STACK.name, "v")
        }
        self.volume = Volume("data", "fs-1", 0, self.held["v"]) if volume else None
        tags = [{"key": "model-dockerize:adopted", "value": "true"}] if adopted else []
        self.service = {"serviceArn": "arn:service", "tags": tags}
        self.going = (
            Thing("thing", "goes", lambda: None, ids("goes")),
            Thing("thing", "stays", lambda: None, ids("stays")),
        )
        self.region = replace(NOTHING, jobs=(Job("j", "n", "RUNNING", "q", "d"),))
        self.error: Exception | None = None

        def there(aws: Any, *given: Any) -> Any:
            self.asked.append(given)
            return self

        for stage, stand_in in {
            "our_stacks": lambda _: [held.stack for name, held in self.held.items() if name != "v"],
            "look_into": lambda _, stack: self.held[stack.name],
            "volume_of": lambda _, names, stacks: self.asked.append((names, [s.name for s in stacks])) or self.volume,
            "look_at_region": lambda _: self.region,
            "stack_users": lambda _, stacks, held: [User(f"stacks {len(list(stacks))} {len(held)}", "s", ids())],
            "network_users": lambda _, held, owners, all_ids: [
                User(f"network {held.stack.name} {len(owners)} {len(all_ids)}", "n", ids("stays"))
            ],
            "balancer_users": lambda _, held: [User(f"balancer {held.stack.name}", "b", ids())],
            "volume_users": lambda _, volume: [User(f"volume {volume.name}", "v", ids())],
            "running_now": lambda _, deployment, going: tuple(f"{deployment is self} {each}" for each in going),
            "Deployment": there,
        }.items():
            monkeypatch.setattr(destroy, stage, stand_in)

    def things(self, _: Any, delete_data: bool) -> tuple[Thing, ...]:
        self.asked.append(delete_data)
        return self.going

    def images_left(self) -> tuple[str, ...]:
        if self.error:
            raise self.error
        return ("models/iris:v1",)


class TestPlan:
    def test_all_that_is_there_is_looked_at_and_asked_for_its_users(self, monkeypatch: pytest.MonkeyPatch) -> None:
        there = Planned(monkeypatch)
        with Script() as script:
            found = destroy.plan_destruction(script.aws, NAMES, script.said)
        stacks = [NAMES.stack, NAMES.job_stack, "model-dockerize"]
        held = [there.held[name] for name in stacks]
        assert there.asked == [(NAMES, stacks), (NAMES, there.region, *held, there.volume), False]
        every = [*stacks, "v"]
        assert [user.name for user in found.users] == [
            *("job n", "stacks 3 4"),
            *(name for stack in every for name in (f"network {stack} 0 4", f"balancer {stack}")),
            "volume data",
        ]
        assert found.running == ("True thing goes",)
        assert list(map(str, found.things)) == ["thing goes"]
        assert [str(kept.thing) for kept in found.kept] == ["thing stays"]
        assert (found.data, found.images) == ("volume data (fs-1), 0 bytes", ("models/iris:v1",))

    def test_what_an_administrator_made_or_somebody_else_stays(self, monkeypatch: pytest.MonkeyPatch) -> None:
        Planned(monkeypatch, adopted=True, role="arn:role", volume=False)
        with Script() as script:
            found = destroy.plan_destruction(script.aws, NAMES, script.said, delete_data=True)
        assert found.users[-2:] == (
            User("bootstrap, which an administrator ran", "bootstrap", ids("stack:model-dockerize")),
            User("whoever made it, for it was adopted", "model-dockerize:adopted", ids("arn:service")),
        )
        assert "volume data" not in [user.name for user in found.users]
        assert found.data == ""

    def test_data_that_goes_is_not_told_as_what_stays(self, monkeypatch: pytest.MonkeyPatch) -> None:
        there = Planned(monkeypatch)
        with Script() as script:
            assert destroy.plan_destruction(script.aws, NAMES, script.said, delete_data=True).data == ""
        assert there.asked[-1] is True

    def test_images_that_may_not_be_seen_keep_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        there = Planned(monkeypatch)
        there.error = refused("AccessDeniedException", "no")
        with Script() as script:
            assert destroy.plan_destruction(script.aws, NAMES, script.said).images == ()
        assert script.said.infos == [
            "Which images stay is not known: look for images in repository models/iris: Operation is not allowed for "
            "these credentials."
        ]
        there.error = refused("ServerException", "oh")
        with Script() as script, pytest.raises(AwsError):
            destroy.plan_destruction(script.aws, NAMES, script.said)

    def test_what_may_not_be_looked_at_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        Planned(monkeypatch)

        def deny(_: Any) -> None:
            raise refused("ServerException", "oh")

        monkeypatch.setattr(destroy, "our_stacks", deny)
        with Script() as script, pytest.raises(AwsError) as caught:
            destroy.plan_destruction(script.aws, NAMES, script.said)
        assert str(caught.value) == "look for what was made: Operation failed: ServerException: oh"
