"""The bucket that files go through to jobs, and the files in it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.backends import get_backend

from model_dockerize.aws.batch.job_bucket import bucket_name, bucket_of_ours, end_bucket, ensure_bucket
from model_dockerize.aws.batch.job_files import JobFiles, name_of
from model_dockerize.aws.batch.jobs import Job
from model_dockerize.aws.client import TAG
from model_dockerize.aws.iam import Where
from model_dockerize.aws.permissions import files_policy
from model_dockerize.errors import AwsAccessError, AwsError, InputError
from model_dockerize.progress import Silent
from tests.rig.answers import answering
from tests.rig.quick_moto import ACCOUNT

from .conftest import Account

ROLE = f"arn:aws:iam::{ACCOUNT}:role/model-dockerize-iris"
BUCKET = f"model-dockerize-jobs-{ACCOUNT}-us-east-1"


@pytest.fixture
def s3(account: Account) -> Iterator[Any]:
    """Begin with no bucket, and listen to S3."""
    get_backend("s3")[ACCOUNT]["aws"].reset()
    account.hooks.listen_to("s3", calls=account.calls)
    yield account.aws.s3
    get_backend("s3")[ACCOUNT]["aws"].reset()


def ensure(account: Account, role: str = ROLE, prefix: str = "iris") -> str:
    return ensure_bucket(account.aws, prefix, role, account.said)


def opened(account: Account, s3: Any) -> str:
    """Make the bucket without its policy: moto obeys it and knows no conditions, so it takes HTTP for refused."""
    name = ensure(account)
    s3.delete_bucket_policy(Bucket=name)
    return name


def policy(s3: Any) -> list[dict[str, Any]]:
    statements: list[dict[str, Any]] = json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"])["Statement"]
    return statements


class TestBucket:
    def test_is_made_private_tagged_and_empties_itself(self, account: Account, s3: Any) -> None:
        assert ensure(account) == bucket_name(account.aws.identity) == BUCKET
        blocked = s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]
        assert (len(blocked), all(blocked.values())) == (4, True)
        assert {"Key": TAG, "Value": "batch"} in s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"]
        (rule,) = s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
        assert (rule["Status"], rule["Expiration"]) == ("Enabled", {"Days": 7})
        tls, jobs = policy(s3)
        assert (tls["Effect"], tls["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
        assert jobs["Principal"] == {"AWS": ROLE}
        assert jobs["Action"] == ["s3:GetObject", "s3:PutObject"]
        assert jobs["Resource"] == [f"arn:aws:s3:::{BUCKET}/iris/*/{folder}/*" for folder in ("in", "out")]

    def test_a_second_time_nothing_is_changed(self, account: Account, s3: Any) -> None:
        ensure(account)
        account.calls.clear()
        ensure(account)
        assert account.changes() == []
        assert account.said.infos[-1] == f"bucket {BUCKET}: there"

    def test_two_models_keep_their_statements_and_those_of_gone_roles_go(self, account: Account, s3: Any) -> None:
        ensure(account)
        gone = {"Sid": "JobsGone", "Effect": "Allow", "Principal": {"AWS": "AROAEXAMPLE"}, "Action": "s3:GetObject"}
        gone["Resource"] = f"arn:aws:s3:::{BUCKET}/gone/*"
        s3.put_bucket_policy(
            Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [*policy(s3), gone]})
        )
        ensure(account, ROLE.replace("iris", "moss"), "moss")
        resources = [each["Resource"][0] for each in policy(s3) if each["Effect"] == "Allow"]
        assert resources == [f"arn:aws:s3:::{BUCKET}/{model}/*/in/*" for model in ("iris", "moss")]

    def test_what_somebody_opened_is_closed_again(self, account: Account, s3: Any) -> None:
        ensure(account)
        s3.delete_public_access_block(Bucket=BUCKET)
        s3.delete_bucket_lifecycle(Bucket=BUCKET)
        ensure(account)
        assert s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]["BlockPublicPolicy"]
        assert s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]

    def test_one_that_a_killed_run_left_is_finished(self, account: Account, s3: Any) -> None:
        s3.create_bucket(Bucket=BUCKET)
        ensure(account)
        assert bucket_of_ours(account.aws) == BUCKET

    @pytest.mark.parametrize("tags", [[], [{"Key": "team", "Value": "web"}]])
    def test_somebody_elses_is_refused_and_stays(self, account: Account, s3: Any, tags: list[Any]) -> None:
        s3.create_bucket(Bucket=BUCKET)
        s3.put_object(Bucket=BUCKET, Key="theirs", Body=b"x")
        if tags:
            s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": tags})
        account.calls.clear()
        with pytest.raises(InputError, match="did not make") as refused:
            ensure(account)
        assert "--bucket" in refused.value.remedy
        assert account.changes() == []
        assert bucket_of_ours(account.aws) == ""

    def test_a_policy_that_may_not_be_read_is_not_written_over(self, account: Account, s3: Any) -> None:
        ensure(account)

        def refuse(model: Any, **_: Any) -> None:
            if model.name == "GetBucketPolicy":
                raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, model.name)

        account.hooks.add(refuse)
        account.calls.clear()
        with pytest.raises(AwsAccessError):
            ensure(account, ROLE.replace("iris", "moss"), "moss")
        assert account.changes() == []

    def test_its_end_takes_its_files_along(self, account: Account, s3: Any) -> None:
        opened(account, s3)
        for number in range(3):
            s3.put_object(Bucket=BUCKET, Key=f"iris/1/in/{number}", Body=b"x")
        end_bucket(account.aws, BUCKET)
        assert s3.list_buckets()["Buckets"] == []
        assert bucket_of_ours(account.aws) == ""


def test_a_file_that_cannot_be_removed_keeps_the_bucket() -> None:
    account, asked = answering(
        {
            "ListObjectsV2": lambda _: {"Contents": [{"Key": "iris/1/in/a"}]},
            "DeleteObjects": lambda _: {"Errors": [{"Key": "iris/1/in/a", "Message": "Access Denied"}]},
        }
    )
    with pytest.raises(AwsError, match="1 files cannot be removed: Access Denied") as refused:
        end_bucket(account, BUCKET)
    assert refused.value.remedy == "Run again."
    assert "DeleteBucket" not in [name for name, _ in asked]


class Told(Silent):
    def transfer(self, what: str, done: int, total: int) -> None:
        self.what, self.last, self.total = what, done, total


class TestFiles:
    @pytest.fixture
    def files(self, account: Account, s3: Any) -> JobFiles:
        return JobFiles(account.aws, opened(account, s3), "iris/3")

    def test_go_there_once_by_their_content(self, files: JobFiles, tmp_path: Path, s3: Any) -> None:
        told = Told()
        one, same, other = (tmp_path / name for name in ("a.csv", "b.csv", "c.csv"))
        for path, text in ((one, "1"), (same, "1"), (other, "2")):
            path.write_text(text)
        assert name_of(one) == name_of(same) != name_of(other)
        named = {name_of(path): path for path in (one, other)}
        assert (files.send(named, told), files.send(named, told)) == (2, 0)
        assert (told.what, told.last, told.total) == ("sending files", 2, 2)
        body = s3.get_object(Bucket=BUCKET, Key=files.source(name_of(other)).removeprefix(f"s3://{BUCKET}/"))["Body"]
        assert body.read() == b"2"

    def test_a_result_comes_back_whole_or_not_at_all(self, files: JobFiles, tmp_path: Path, s3: Any) -> None:
        s3.put_object(Bucket=BUCKET, Key="iris/3/out/abc", Body=b"42")
        assert files.results() == {"abc": 2}
        target, came = tmp_path / "a.csv", list[int]()
        files.fetch("abc", target, came.append)
        assert (target.read_bytes(), sum(came)) == (b"42", 2)
        with pytest.raises(Exception, match="fetch a result"):
            files.fetch("none", target, came.append)
        assert target.read_bytes() == b"42"
        assert list(tmp_path.iterdir()) == [target]

    def test_which_job_was_sent_for_what_is_kept(self, files: JobFiles) -> None:
        files.note(Job("j-1", (files.source("a"), files.source("b")), "SUBMITTED"))
        assert files.noted() == {"j-1": ()}
        assert files.noted({"j-1", "j-2"}) == {"j-1": (files.source("a"), files.source("b"))}

    @pytest.mark.parametrize("note", [b"{", b"7", b'{"a": 1}', b"[1, null]", b"[" * 100_000])
    def test_a_note_that_a_job_wrote_says_nothing(self, files: JobFiles, s3: Any, note: bytes) -> None:
        s3.put_object(Bucket=BUCKET, Key="iris/3/jobs/j-1", Body=note)
        assert files.noted({"j-1"}) == {"j-1": ()}

    def test_one_that_cannot_be_read_is_told(self, files: JobFiles, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="cannot be read"):
            name_of(tmp_path / "none.csv")
        with pytest.raises(InputError, match="cannot be read"):
            files.send({"x": tmp_path / "none.csv"}, Silent())


def test_the_printed_rights_are_those_of_the_calls(account: Account, s3: Any, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    account.calls.clear()
    ensure(account)
    ensure(account)
    files = JobFiles(account.aws, opened(account, s3), "iris/3")
    account.calls = [call for call in account.calls if call != "s3:DeleteBucketPolicy"]
    made = set(account.calls)
    files.send({"a": tmp_path / "a"}, Silent())
    files.note(Job("j", (files.source("a"),), "SUBMITTED"))
    files.noted({"j"})
    in_iam = {
        **{"s3:ListObjectsV2": "s3:ListBucket", "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock"},
        "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
        "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
        "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    }
    named = {in_iam.get(call, call) for call in made | {"s3:GetObject", "s3:PutObject", "s3:ListObjectsV2"}}
    document = files_policy(Where(ACCOUNT, "us-east-1"))
    assert named == {action for statement in document["Statement"] for action in statement["Action"]}
