"""The function that sends a job for every file in S3: its code, and how it is made, told its queue, and removed."""

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from model_dockerize.aws import destroy
from model_dockerize.aws.client import is_read, rehearse
from model_dockerize.aws.destroy import Destruction, plan_destruction
from model_dockerize.aws.function.function import Function, archive, ensure_function, function_things
from model_dockerize.aws.function.role import function_role_name
from model_dockerize.aws.ground import Names
from model_dockerize.errors import AwsAccessError, AwsError, InputError
from tests.rig.quick_moto import ACCOUNT

from .conftest import Account

NAMES = Names(*["iris"] * 5, "c", function="on-upload")
ROLE = function_role_name("on-upload", "us-east-1")


@pytest.fixture
def account(account: Account) -> Iterator[Account]:
    account.with_function()
    account.hooks.add(give_a_revision, "after-call")
    yield account


def ensure(account: Account, **given: Any) -> Function:
    given = {"queue": "q", "definition": "iris", **given}
    return ensure_function(account.aws, "on-upload", progress=account.said, sleep=lambda _: None, **given)


def hide_tags(parsed: Any, model: Any, **_: Any) -> None:
    """Answer GetFunction as AWS does to who may not call ListTags."""
    if model.name == "GetFunction" and parsed.pop("Tags", None):
        parsed["TagsError"] = {"ErrorCode": "AccessDeniedException", "Message": "not authorized to: lambda:ListTags"}


def variables(account: Account) -> dict[str, str]:
    return account.aws.functions.get_function(FunctionName="on-upload")["Configuration"]["Environment"]["Variables"]


def theirs(account: Account, **more: Any) -> None:
    """Make a function as somebody else would by hand."""
    role = account.aws.iam.create_role(RoleName="theirs", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("main.py", "def run(event, context): ...")
    account.aws.functions.create_function(
        FunctionName="on-upload",
        Runtime="python3.13",
        Role=role,
        Handler="main.run",
        Code={"ZipFile": packed.getvalue()},
        Timeout=7,
        Environment={"Variables": {"JOB_QUEUE_NAME": "old", "SECRET": "hush"}},
        **more,
    )
    account.calls.clear()


class TestMade:
    def test_once_then_left(self, account: Account) -> None:
        made = ensure(account, output="s3://results/{name}.csv", source="data/in/")
        assert made.changed
        assert variables(account) == {
            "JOB_QUEUE_NAME": "q",
            "JOB_DEFINITION_NAME": "iris",
            "JOB_OUTPUT": "s3://results/{name}.csv",
        }
        account.calls.clear()
        again = ensure(account, output="s3://results/{name}.csv", source="data/in/")
        assert again == Function("on-upload", made.arn, changed=False)
        assert account.changes() == []

    def test_its_role_may_submit_this_definition_to_this_queue(self, account: Account) -> None:
        ensure(account)
        role = ROLE
        document: Any = account.aws.iam.get_role_policy(RoleName=role, PolicyName="model-dockerize")["PolicyDocument"]
        (submit,) = [s for s in document["Statement"] if s["Action"] == ["batch:SubmitJob"]]
        at = f"arn:aws:batch:us-east-1:{ACCOUNT}"
        assert submit["Resource"] == [f"{at}:job-queue/q", f"{at}:job-definition/iris", f"{at}:job-definition/iris:*"]
        ensure(account, queue="other")
        document = account.aws.iam.get_role_policy(RoleName=role, PolicyName="model-dockerize")["PolicyDocument"]
        assert f"{at}:job-queue/other" in json.dumps(document)
        assert variables(account)["JOB_QUEUE_NAME"] == "other"

    def test_the_bucket_keeps_its_other_notifications(self, account: Account) -> None:
        s3 = account.aws.s3
        account.aws.client("sqs").create_queue(QueueName="elsewhere")
        other: Any = {"Id": "theirs", "QueueArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:elsewhere"}
        other["Events"] = ["s3:ObjectRemoved:*"]
        s3.put_bucket_notification_configuration(
            Bucket="data", NotificationConfiguration={"QueueConfigurations": [other]}
        )
        made = ensure(account, source="data/in/")
        held = s3.get_bucket_notification_configuration(Bucket="data")
        assert held["QueueConfigurations"][0]["Id"] == "theirs"
        (ours,) = held["LambdaFunctionConfigurations"]
        assert ours["LambdaFunctionArn"] == made.arn
        (statement,) = json.loads(account.aws.functions.get_policy(FunctionName="on-upload")["Policy"])["Statement"]
        assert statement["Principal"] == {"Service": "s3.amazonaws.com"}
        assert statement["Condition"]["StringEquals"]["AWS:SourceAccount"] == ACCOUNT
        ensure(account, source="data/elsewhere/")
        (ours,) = s3.get_bucket_notification_configuration(Bucket="data")["LambdaFunctionConfigurations"]
        assert ours["Filter"]["Key"]["FilterRules"][0]["Value"] == "elsewhere/"

    def test_what_would_go_round_for_ever_is_refused(self, account: Account) -> None:
        with pytest.raises(InputError, match="starts another job"):
            ensure(account, output="s3://data/out/{name}", source="data")
        with pytest.raises(InputError, match="no bucket nowhere"):
            ensure(account, source="nowhere")

    def test_a_plan_of_it_asks_only(self, account: Account) -> None:
        rehearsal = rehearse(account.aws)
        sent: list[str] = []
        rehearsal.aws.listen("before-send", lambda event_name, **_: sent.append(event_name.rsplit(".", 1)[-1]))
        ensure_function(rehearsal.aws, "on-upload", "q", "iris", account.said, source="data")
        assert [str(change) for change in rehearsal.changes] == [
            *(f"+ role {ROLE}", "+ function on-upload", "+ notification data"),
        ]
        assert sent
        assert [operation for operation in sent if not is_read(operation)] == []

    def test_the_archive_depends_on_the_code_alone(self) -> None:
        assert archive() == archive()
        (entry,) = zipfile.ZipFile(io.BytesIO(archive())).infolist()
        assert (entry.filename, entry.external_attr >> 16) == ("lambda_function.py", 0o644)

    def test_newer_code_reaches_a_function_of_ours(self, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        ensure(account)
        monkeypatch.setattr("model_dockerize.aws.function.function._CODE", __import__("pathlib").Path(__file__))
        account.calls.clear()
        assert ensure(account).changed
        assert account.changes() == ["lambda:UpdateFunctionCode"]


class TestTheirs:
    def test_only_our_variables_are_changed(self, account: Account) -> None:
        theirs(account)
        before = account.aws.functions.get_function(FunctionName="on-upload")["Configuration"]
        account.calls.clear()
        assert ensure(account).changed
        assert account.changes() == ["lambda:UpdateFunctionConfiguration"]
        after = account.aws.functions.get_function(FunctionName="on-upload")["Configuration"]
        assert after["Environment"]["Variables"] == {
            "JOB_QUEUE_NAME": "q",
            "JOB_DEFINITION_NAME": "iris",
            "SECRET": "hush",
        }
        for field in ("Role", "Handler", "Runtime", "Timeout", "CodeSha256"):
            assert after[field] == before[field]  # type: ignore[literal-required]
        assert [str(change) for change in account.aws.changes] == [
            "~ function on-upload (JOB_QUEUE_NAME, JOB_DEFINITION_NAME)"
        ]
        assert "hush" not in heard(account)
        account.calls.clear()
        assert not ensure(account).changed
        assert account.changes() == []

    @pytest.mark.parametrize("operation", ["UpdateFunctionConfiguration", "GetFunction"])
    def test_where_that_is_not_allowed_it_is_said_what_to_do(self, account: Account, operation: str) -> None:
        theirs(account)
        account.hooks.add(refuse(operation, "AccessDeniedException"))
        left = ensure(account)
        assert not left.changed
        assert '"JOB_DEFINITION_NAME": "iris"' in left.instruction
        assert "--function-name on-upload" in left.instruction
        assert "JOB_QUEUE_NAME = q" in heard(account)
        assert "hush" not in heard(account)

    def test_one_that_is_to_be_made_needs_the_right_to(self, account: Account) -> None:
        account.hooks.add(refuse("CreateFunction", "AccessDeniedException"))
        with pytest.raises(AwsAccessError, match="CreateFunction"):
            ensure(account)

    def test_a_change_of_somebody_else_in_between_is_not_lost(self, account: Account) -> None:
        theirs(account)
        revisions: list[str] = []

        def meanwhile(params: Any, model: Any, **_: Any) -> None:
            if model.name == "UpdateFunctionConfiguration":
                revisions.append(params["RevisionId"])
                if len(revisions) == 1:
                    raise ClientError({"Error": {"Code": "PreconditionFailedException"}}, model.name)

        account.hooks.add(meanwhile, "provide-client-params")
        assert ensure(account).changed
        assert len(revisions) == 2

    def test_variables_that_cannot_be_read_are_not_overwritten(self, account: Account) -> None:
        theirs(account)

        def hidden(parsed: Any, model: Any, **_: Any) -> None:
            if model.name == "GetFunction":
                parsed["Configuration"]["Environment"] = {"Error": {"Message": "KMS says no"}}

        account.hooks.add(hidden, "after-call")
        with pytest.raises(AwsError, match="cannot be read: KMS says no"):
            ensure(account)

    def test_it_is_waited_for(self, account: Account) -> None:
        theirs(account)
        busy = iter(["InProgress", "InProgress"])

        def changing(parsed: Any, model: Any, **_: Any) -> None:
            if model.name == "GetFunction":
                parsed["Configuration"]["LastUpdateStatus"] = next(busy, "Successful")

        account.hooks.add(changing, "after-call")
        assert ensure(account).changed
        assert account.calls.index("lambda:UpdateFunctionConfiguration") > 2


def ours(account: Account) -> list[Any]:
    found = plan_destruction(account.aws, NAMES, account.said)
    return [thing for thing in found.things if "on-upload" in thing.name]


class TestGone:
    def test_what_is_ours_goes_with_its_notification(self, account: Account) -> None:
        ensure(account, source="data/in/")
        things = ours(account)
        assert [str(thing) for thing in things] == ["function on-upload", f"role {ROLE}"]
        destroy.remove(Destruction((), tuple(things), ()), account.said)
        held = account.aws.s3.get_bucket_notification_configuration(Bucket="data")
        assert "LambdaFunctionConfigurations" not in held
        assert ours(account) == []

    def test_its_log_goes_with_it_also_where_a_former_try_ended_between_the_two(self, account: Account) -> None:
        ensure(account)
        account.aws.logs.create_log_group(logGroupName="/aws/lambda/on-upload")
        account.aws.functions.delete_function(FunctionName="on-upload")
        things = ours(account)
        assert [str(thing) for thing in things] == ["log group /aws/lambda/on-upload", f"role {ROLE}"]
        destroy.remove(Destruction((), tuple(things), ()), account.said)
        assert account.aws.logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/")["logGroups"] == []

    def test_roles_of_the_same_function_in_two_regions_and_of_long_names_are_different(self) -> None:
        names = {function_role_name(name, region) for name in ("a" * 60 + "b", "a" * 60 + "c") for region in ("r", "s")}
        assert len(names) == 4
        assert {len(name) for name in names} == {64}

    def test_where_its_tags_cannot_be_read_nothing_is_taken_for_anybodys(self, account: Account) -> None:
        ensure(account)
        account.hooks.add(hide_tags, "after-call")
        account.calls.clear()
        assert not ensure(account).changed
        assert (account.changes(), "lambda:ListTags" in account.said.warnings[-1]) == ([], True)
        with pytest.raises(AwsAccessError, match=r"lambda:ListTags on arn:aws:lambda.* is not allowed"):
            list(function_things(account.aws, "on-upload"))

    def test_its_role_stays_as_long_as_a_function_of_somebody_has_its_name(self, account: Account) -> None:
        ensure(account)
        account.aws.functions.delete_function(FunctionName="on-upload")
        assert [thing.kind for thing in function_things(account.aws, "on-upload")] == ["role"]
        theirs(account)
        assert list(function_things(account.aws, "on-upload")) == []

    def test_what_is_theirs_stays(self, account: Account) -> None:
        theirs(account)
        account.aws.logs.create_log_group(logGroupName="/aws/lambda/on-upload")
        ensure(account)
        assert ours(account) == []


def heard(account: Account) -> str:
    return "\n".join((*account.said.infos, *account.said.warnings))


def give_a_revision(parsed: Any, model: Any, **_: Any) -> None:
    """Add a revision, as AWS always does and moto does not."""
    if model.name == "GetFunction" and "Configuration" in parsed:
        parsed["Configuration"]["RevisionId"] = "r1"


def refuse(operation: str, code: str) -> Any:
    def refused(model: Any, **_: Any) -> None:
        if model.name == operation:
            message = f"User: me is not authorized to perform: lambda:{operation} on resource: arn:aws:lambda:f"
            raise ClientError({"Error": {"Code": code, "Message": message}}, operation)

    return refused
