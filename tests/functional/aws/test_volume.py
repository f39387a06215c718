"""The data volume: a stack of its own, shared by models in directories of their own; and one that is given."""

from typing import Any

import pytest

from model_dockerize.aws.ecs.task_definition import task_definition
from model_dockerize.aws.ground import Model, container_of, ensure_foundations
from model_dockerize.aws.ground.template import MODEL, load
from model_dockerize.aws.model import Foundations
from model_dockerize.errors import InputError
from model_server.settings import DEFAULT_DATA_DIRECTORY, DEFAULT_USER
from tests.rig import templates
from tests.rig.iris import IMAGE, settings

from .conftest import Account
from .test_network import Given
from .test_plan import everything

VOLUME = "model-dockerize-volume-data"


def foundations(account: Account, model: str = "iris", **changes: Any) -> Foundations:
    wanted = settings(**{"volume": "data", **changes})
    return ensure_foundations(account.aws, wanted, Model(model, model), account.said)


class TestMade:
    def test_mounted_in_every_zone_and_held_by_the_model(self, account: Account) -> None:
        made = foundations(account, zones=2)
        volume, model = account.stacks.there[VOLUME], account.stacks.there["model-dockerize-iris"]
        assert volume.filled("Subnet") == made.subnet_ids
        assert made.volume
        assert made.volume.file_system_id == volume.outputs["FileSystem"]
        assert model.parameters["VolumeStack"] == VOLUME
        assert model.parameters["VolumeGroup"] == volume.outputs["Group"]

    def test_the_user_is_the_one_that_the_server_becomes(self) -> None:
        point = templates.resources(load(MODEL).body)["AccessPoint"]["Properties"]
        user, made = point["PosixUser"], point["RootDirectory"]["CreationInfo"]
        assert f"{user['Uid']}:{user['Gid']}" == DEFAULT_USER
        assert (made["OwnerUid"], made["OwnerGid"]) == (user["Uid"], user["Gid"])

    def test_a_second_run_changes_nothing_and_another_zone_adds_its_target(self, account: Account) -> None:
        first = foundations(account)
        changes = len(account.stacks.wanted)
        foundations(account)
        assert len(account.stacks.wanted) == changes
        more = foundations(account, zones=2)
        mounted = account.stacks.there[VOLUME].filled("Subnet")
        assert (len(mounted), mounted[0]) == (2, first.subnet_ids[0])
        assert more.volume == first.volume

    def test_private_tasks_use_the_target_that_their_zone_has(self, account: Account) -> None:
        first = foundations(account)
        before = account.stacks.there[VOLUME].parameters
        assert foundations(account, assign_public_ip=False).volume == first.volume
        assert account.stacks.there[VOLUME].parameters == before

    def test_models_share_a_file_system_and_see_their_own_directory(self, account: Account) -> None:
        iris, other = foundations(account), foundations(account, "other")
        assert iris.volume
        assert other.volume
        assert iris.volume.file_system_id == other.volume.file_system_id
        assert iris.volume.access_point_id != other.volume.access_point_id
        directories = [
            account.stacks.there[f"model-dockerize-{name}"].parameters["Model"] for name in ("iris", "other")
        ]
        assert directories == ["iris", "other"]

    def test_groups_that_are_given_are_admitted_by_the_volume_and_stay_so(self, account: Account) -> None:
        made = foundations(account)
        groups = [
            account.aws.ec2.create_security_group(GroupName=name, Description="d", VpcId=made.vpc_id)["GroupId"]
            for name in "abcdef"
        ]
        foundations(account, security_groups=(groups[0],))
        foundations(account, "other", security_groups=(groups[1],))
        assert account.stacks.there[VOLUME].filled("TaskGroup") == tuple(groups[:2])
        foundations(account, "third", security_groups=tuple(groups[2:5]))
        assert account.stacks.there[VOLUME].filled("TaskGroup") == tuple(groups[:5])
        with pytest.raises(InputError, match="would have to admit 6 security groups"):
            foundations(account, "fourth", security_groups=(groups[5],))

    def test_it_is_not_taken_back_unasked(self, account: Account) -> None:
        first = foundations(account)
        again = foundations(account, volume="")
        assert again.volume == first.volume
        assert again.settings.is_alone


class TestGiven:
    def make(self, account: Account, subnet: str, open_to: str = "") -> str:
        """Make a file system of somebody else with a mount target in `subnet`."""
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
        assert [c for c in account.changes() if c.startswith("efs:")] == []
        stack = account.stacks.there["model-dockerize-iris"]
        assert (stack.parameters["Volume"], stack.parameters["VolumeStack"]) == (system, "")
        assert account.said.warnings == []

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
        foundations(account, "other")
        given = Given(account)
        with pytest.raises(InputError, match="belongs to one VPC"):
            foundations(account, subnets=(given.subnet("a", given.public),))


class TestMounted:
    def definition(self, account: Account, **changes: Any) -> dict[str, Any]:
        ground = foundations(account, **changes)
        container = container_of(account.aws, settings(**changes), IMAGE, "linux/amd64", ground)
        return task_definition("iris", container.with_volume(ground.volume), "iris")

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
        assert any("takes one task" in warning for warning in account.said.warnings)
        account.calls.clear()
        everything(account.aws, account.said, volume="data")
        assert account.changes() == []
        # With PostgreSQL tasks may overlap again.
        everything(account.aws, account.said, volume="data", queue_url="postgresql://u@h/q", desired_count=2)
        (there,) = account.aws.ecs.describe_services(cluster="model-dockerize", services=["iris"])["services"]
        assert there["deploymentConfiguration"]["maximumPercent"] == 200
