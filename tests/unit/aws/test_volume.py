"""The data volume: made, found, shared by models in directories of their own, mounted, and removed with its data."""

from typing import Any

import pytest
from model_dockerize.aws.volume import USER

from model_dockerize import aws
from model_dockerize.aws.taskdef import task_definition
from model_dockerize.errors import AwsError, InputError
from model_server.settings import DEFAULT_DATA_DIRECTORY, DEFAULT_USER

from .conftest import IMAGE, Account, settings
from .test_network import Given
from .test_plan import everything


def foundations(account: Account, model: str = "iris", **changes: Any) -> aws.Foundations:
    return aws.ensure_foundations(account.aws, settings(**{"volume": "data", **changes}), model, account.said)


def names(model: str) -> aws.Names:
    return aws.Names(*[model] * 5, "model-dockerize")


def systems(account: Account) -> list[Any]:
    return list(account.aws.efs.describe_file_systems()["FileSystems"])


def targets(account: Account, system: str) -> list[Any]:
    return list(account.aws.efs.describe_mount_targets(FileSystemId=system)["MountTargets"])


class TestMade:
    def test_encrypted_reachable_in_every_zone_and_by_the_tasks_only(self, account: Account) -> None:
        ground = foundations(account, zones=2)
        assert ground.volume
        (system,) = systems(account)
        assert (system["Encrypted"], system["ThroughputMode"], system["Name"]) == (True, "elastic", "data")
        there = targets(account, system["FileSystemId"])
        assert {t["SubnetId"] for t in there} == set(ground.subnet_ids)
        for target in there:
            (group,) = account.aws.efs.describe_mount_target_security_groups(MountTargetId=target["MountTargetId"])[
                "SecurityGroups"
            ]
            (rule,) = account.aws.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
            assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", 2049, 2049)
            assert [pair["GroupId"] for pair in rule["UserIdGroupPairs"]] == list(ground.security_group_ids)
            assert rule["IpRanges"] == []
        (point,) = account.aws.efs.describe_access_points(FileSystemId=system["FileSystemId"])["AccessPoints"]
        assert point["PosixUser"] == {"Uid": USER, "Gid": USER}
        assert point["RootDirectory"]["Path"] == "/iris"
        assert point["RootDirectory"]["CreationInfo"] == {"OwnerUid": USER, "OwnerGid": USER, "Permissions": "0755"}

    def test_the_user_is_the_one_that_the_server_becomes(self) -> None:
        assert f"{USER}:{USER}" == DEFAULT_USER

    def test_a_second_run_changes_nothing_and_another_zone_adds_its_target(self, account: Account) -> None:
        first = foundations(account)
        account.calls.clear()
        assert foundations(account) == first
        assert account.changes() == []
        more = foundations(account, zones=2)
        assert [c for c in account.changes() if c.startswith("efs:")] == ["efs:CreateMountTarget"]
        assert more.volume == first.volume

    def test_private_tasks_use_the_target_that_their_zone_has(self, account: Account) -> None:
        first = foundations(account)
        account.calls.clear()
        assert foundations(account, assign_public_ip=False).volume == first.volume
        assert not [c for c in account.changes() if c.startswith("efs:")]

    def test_models_share_a_file_system_and_see_their_own_directory(self, account: Account) -> None:
        iris, other = foundations(account), foundations(account, "other")
        assert iris.volume
        assert other.volume
        assert iris.volume.file_system_id == other.volume.file_system_id
        assert iris.volume.access_point_id != other.volume.access_point_id
        assert len(systems(account)) == 1

    @pytest.mark.parametrize("operation", ["CreateFileSystem", "CreateMountTarget", "CreateAccessPoint"])
    @pytest.mark.parametrize("lost", [False, True])
    def test_what_a_killed_run_left_is_completed_not_doubled(
        self, account: Account, operation: str, lost: bool
    ) -> None:
        class KilledError(Exception):
            pass

        left = [operation]

        def kill(model: Any, **_: Any) -> None:
            if left and model.name == left[0]:
                left.clear()
                raise KilledError

        account.hooks.add(kill, "after-call" if lost else "before-call")
        with pytest.raises(KilledError):
            foundations(account, zones=2)
        made = foundations(account, zones=2)
        (system,) = systems(account)
        assert len(targets(account, system["FileSystemId"])) == 2
        assert len(account.aws.efs.describe_access_points()["AccessPoints"]) == 1
        account.calls.clear()
        assert foundations(account, zones=2) == made
        assert account.changes() == []

    def test_it_is_waited_for(self, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        waits: list[float] = []
        monkeypatch.setattr("model_dockerize.aws.eventual.time.sleep", waits.append)
        looks = {"FileSystems": 2, "MountTargets": 3, "AccessPoints": 1}

        def creating(parsed: Any, model: Any, **_: Any) -> None:
            if model.name in ("CreateFileSystem", "CreateMountTarget", "CreateAccessPoint"):
                parsed["LifeCycleState"] = "creating"
            for key in tuple(looks):
                for thing in parsed.get(key, []):
                    looks[key] -= 1
                    thing["LifeCycleState"] = "creating" if looks[key] >= 0 else "available"

        account.hooks.add(creating, "after-call")
        foundations(account)
        assert len(waits) == 3 + 4 + 2
        assert waits[:2] == [1.0, 1.3]

    def test_a_mount_target_that_failed_is_told(self, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("model_dockerize.aws.eventual.time.sleep", lambda _: None)

        def failed(parsed: Any, model: Any, **_: Any) -> None:
            if model.name == "CreateMountTarget":
                parsed["LifeCycleState"] = "error"

        account.hooks.add(failed, "after-call")
        with pytest.raises(AwsError, match=r"Volume data: fsmt-\w+ is in state error"):
            foundations(account)


class TestGiven:
    def make(self, account: Account, subnet: str, open_to: str = "") -> str:
        """A file system of somebody else with a mount target in `subnet`."""
        efs, ec2 = account.aws.efs, account.aws.ec2
        system = efs.create_file_system(CreationToken="theirs")["FileSystemId"]
        vpc = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["VpcId"]
        group = ec2.create_security_group(GroupName="nfs", Description="d", VpcId=vpc)["GroupId"]
        if open_to:
            rule: Any = {"IpProtocol": "tcp", "FromPort": 2049, "ToPort": 2049, "IpRanges": [{"CidrIp": open_to}]}
            ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
        efs.create_mount_target(FileSystemId=system, SubnetId=subnet, SecurityGroups=[group])
        return system

    def test_is_used_as_it_is(self, account: Account) -> None:
        given = Given(account)
        subnet = given.subnet("a", given.public)
        system = self.make(account, subnet, "10.9.0.0/16")
        account.calls.clear()
        ground = foundations(account, subnets=(subnet,), volume=system)
        assert ground.volume
        assert ground.volume.file_system_id == system
        assert [c for c in account.changes() if c.startswith("efs:")] == ["efs:CreateAccessPoint"]
        assert account.said.warnings == []
        # What we made in it goes with the model, what is theirs stays.
        kinds = [thing.kind for thing in aws.find_ours(account.aws, names("iris"))]
        assert "access point" in kinds
        assert "volume" not in kinds

    def test_that_lets_nobody_in_is_warned_of(self, account: Account) -> None:
        given = Given(account)
        subnet = given.subnet("a", given.public)
        foundations(account, subnets=(subnet,), volume=self.make(account, subnet))
        assert "admits TCP 2049" in account.said.warnings[0]

    def test_that_does_not_fit_is_refused(self, account: Account) -> None:
        given, other = Given(account), Given(account)
        subnet, second = given.subnet("a", given.public), given.subnet("b", given.public)
        system = self.make(account, subnet)
        with pytest.raises(InputError, match="no file system fs-00000000"):
            foundations(account, volume="fs-00000000")
        with pytest.raises(InputError, match="has no mount target in us-east-1b") as caught:
            foundations(account, subnets=(subnet, second), volume=system)
        assert caught.value.details[0].endswith(": us-east-1a")
        with pytest.raises(InputError, match="belongs to one VPC"):
            foundations(account, subnets=(other.subnet("a", other.public),), volume=system)

    def test_ours_of_another_vpc_is_refused(self, account: Account) -> None:
        foundations(account)
        given = Given(account)
        with pytest.raises(InputError, match="belongs to one VPC"):
            foundations(account, subnets=(given.subnet("a", given.public),))


class TestMounted:
    def definition(self, account: Account, **changes: Any) -> dict[str, Any]:
        ground = foundations(account, **changes)
        container = aws.container_of(account.aws, settings(**changes), IMAGE, "linux/amd64", ground)
        return task_definition("iris", container.with_volume(ground.volume))

    def test_where_the_server_keeps_its_jobs_encrypted_and_through_the_access_point(self, account: Account) -> None:
        definition = self.definition(account)
        (volume,) = definition["volumes"]
        configuration = volume["efsVolumeConfiguration"]
        assert configuration["transitEncryption"] == "ENABLED"  # AWS demands it of access points
        assert configuration["rootDirectory"] == "/"  # likewise
        assert configuration["authorizationConfig"]["accessPointId"].startswith("fsap-")
        (mount,) = definition["containerDefinitions"][0]["mountPoints"]
        assert mount == {
            "sourceVolume": volume["name"],
            "containerPath": str(DEFAULT_DATA_DIRECTORY),
            "readOnly": False,
        }

    def test_nothing_without_one(self, account: Account) -> None:
        definition = self.definition(account, volume="")
        assert "volumes" not in definition
        assert "mountPoints" not in definition["containerDefinitions"][0]

    def test_a_service_that_must_be_alone_ends_its_task_first_and_says_so(self, account: Account) -> None:
        everything(account.aws, account.said, volume="data")
        (there,) = account.aws.ecs.describe_services(cluster="model-dockerize", services=["iris"])["services"]
        configuration = there["deploymentConfiguration"]
        assert (configuration["minimumHealthyPercent"], configuration["maximumPercent"]) == (0, 100)
        assert "takes one task" in account.said.warnings[0]
        account.calls.clear()
        everything(account.aws, account.said, volume="data")
        assert account.changes() == []
        # With PostgreSQL tasks may overlap again.
        everything(account.aws, account.said, volume="data", queue_url="postgresql://u@h/q", desired_count=2)
        (there,) = account.aws.ecs.describe_services(cluster="model-dockerize", services=["iris"])["services"]
        assert there["deploymentConfiguration"]["maximumPercent"] == 200


class TestRemoved:
    @pytest.fixture(autouse=True)
    def _without_waiting(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("model_dockerize.aws.destroy.once_free", lambda call: call())

    def test_after_the_service_and_named_with_its_data(self, account: Account) -> None:
        everything(account.aws, account.said, volume="data", zones=2)
        things = aws.find_ours(account.aws, names("iris"))
        kinds = [thing.kind for thing in things]
        order = [kinds.index(kind) for kind in ("service", "access point", "volume", "security group", "subnet")]
        assert order == sorted(order)
        (line,) = [str(thing) for thing in things if thing.kind == "volume"]
        assert line.startswith("volume data (fs-")
        assert "with its data: 0 bytes" in line
        aws.remove(things, account.said)
        assert systems(account) == []
        assert account.aws.ec2.describe_vpcs(Filters=[{"Name": "tag-key", "Values": [aws.TAG]}])["Vpcs"] == []
        assert aws.find_ours(account.aws, names("iris")) == ()

    def test_goes_with_its_last_model(self, account: Account) -> None:
        foundations(account)
        foundations(account, "other")
        first = [thing for thing in aws.find_ours(account.aws, names("iris")) if "point" in thing.kind]
        assert len(first) == 1
        aws.remove(aws.find_ours(account.aws, names("iris")), account.said)
        assert len(systems(account)) == 1
        kinds = [thing.kind for thing in aws.find_ours(account.aws, names("other"))]
        assert "volume" in kinds

    def test_what_a_killed_run_left_goes_with_the_last_model_of_the_region(self, account: Account) -> None:
        account.aws.efs.create_file_system(
            CreationToken="model-dockerize-x", Tags=[{"Key": aws.TAG, "Value": "volume"}, {"Key": "Name", "Value": "x"}]
        )
        account.aws.efs.create_file_system(CreationToken="theirs")
        assert [str(t).split(" (")[0] for t in aws.find_ours(account.aws, names("iris"))] == ["volume x"]
        aws.ensure_runtime(account.aws, settings(), "other", account.said)
        assert aws.find_ours(account.aws, names("iris")) == ()
