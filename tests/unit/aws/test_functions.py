"""Lambda, IAM and S3 are asked only for a function that sends jobs, or for its end; what others wrote stays."""

import base64
import hashlib
import io
import json
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from model_dockerize.aws.function import function, lambda_function, notification
from model_dockerize.aws.function.function import Function, archive, ensure_function, function_things
from model_dockerize.aws.function.role import Role, ensure_function_role, function_role_name
from model_dockerize.aws.iam.roles import get_instance_profile, named_roles
from model_dockerize.errors import AwsAccessError, AwsError, InputError, ModelDockerizeError
from tests.rig.scripted import Call, Script, refused

ARN = "arn:aws:lambda:us-east-1:123456789012:function:on-upload"
ROLE = function_role_name("on-upload", "us-east-1")
ROLE_ARN = f"arn:aws:iam::123456789012:role/{ROLE}"
GONE = refused("ResourceNotFoundException")
NO_ROLE = refused("NoSuchEntityException")
VARIABLES = {"JOB_QUEUE_NAME": "q", "JOB_DEFINITION_NAME": "iris"}
SHA = base64.b64encode(hashlib.sha256(archive()).digest()).decode()
OURS = {"model-dockerize": "function"}


def shown(variables: dict[str, str] | None = None, tags: Any = OURS, **changes: Any) -> dict[str, Any]:
    configuration = {
        "FunctionArn": ARN,
        "CodeSha256": SHA,
        "RevisionId": "r1",
        "Environment": {"Variables": VARIABLES if variables is None else variables},
        **changes,
    }
    return {"Configuration": configuration, "Tags": tags}


def look(answer: Any) -> Call:
    return "lambda:get_function", {"FunctionName": "on-upload"}, answer


def role(answer: Any) -> Call:
    return "iam:get_role", {"RoleName": ROLE}, answer if isinstance(answer, Exception) else {"Role": answer}


PLACE = "us-east-1:123456789012"
WANTED = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["batch:SubmitJob"],
            "Resource": [
                f"arn:aws:batch:{PLACE}:job-queue/q",
                f"arn:aws:batch:{PLACE}:job-definition/iris",
                f"arn:aws:batch:{PLACE}:job-definition/iris:*",
            ],
        },
        {
            "Effect": "Allow",
            "Action": ["batch:DescribeJobDefinitions", "batch:DescribeJobs", "batch:ListJobs"],
            "Resource": "*",
        },
        {
            "Effect": "Allow",
            "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": f"arn:aws:logs:{PLACE}:log-group:/aws/lambda/on-upload:*",
        },
    ],
}
INLINE = {"RoleName": ROLE, "PolicyName": "model-dockerize"}
POLICY = "iam:get_role_policy", INLINE, {"PolicyDocument": WANTED}
PUT_POLICY = "iam:put_role_policy", {**INLINE, "PolicyDocument": json.dumps(WANTED)}, {}
OLD = datetime.now(UTC) - timedelta(minutes=3)
THERE = {"Arn": ROLE_ARN, "CreateDate": OLD, "Tags": [{"Key": "model-dockerize", "Value": "role"}]}
NO_STACK = "cloudformation:describe_stacks", {"StackName": "model-dockerize"}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def create_role(answer: Any, *tags: dict[str, str], **bound: str) -> Call:
    asked = {
        "RoleName": ROLE,
        "AssumeRolePolicyDocument": json.dumps(TRUST),
        "Description": "Lets a function submit Batch jobs.",
        "Tags": [{"Key": "model-dockerize", "Value": "role"}, *tags],
        **bound,
    }
    return "iam:create_role", asked, answer if isinstance(answer, Exception) else {"Role": answer}


def stack(**parameters: str) -> Call:
    told = {
        "StackName": "model-dockerize",
        "StackId": "arn:s",
        "StackStatus": "CREATE_COMPLETE",
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    }
    return (*NO_STACK, {"Stacks": [told]})


NONE_THERE = (*NO_STACK, refused("ValidationError", "Stack with id x does not exist"))


class TestRole:
    def ensured(self, *calls: Call, **account: Any) -> tuple[Role, list[str]]:
        with Script(*calls) as script:
            aws = replace(script.aws, **account)
            found = ensure_function_role(aws, "on-upload", "q", "iris", script.said)
        return found, [*map(str, aws.changes), *script.said.infos]

    def test_one_that_is_not_there_is_made_and_may_submit_these_jobs_only(self) -> None:
        new = {"Arn": ROLE_ARN, "CreateDate": datetime.now(UTC) - timedelta(minutes=1)}
        made = Role(ROLE_ARN, fresh=True, ours=True), [f"+ role {ROLE}", f"role {ROLE}: made"]
        team = {"Key": "team", "Value": "a"}
        for bound, look_at_stack, asked in (
            ("", [NONE_THERE], {}),
            ("", [stack()], {}),
            ("", [stack(PermissionsBoundary="arn:b")], {"PermissionsBoundary": "arn:b"}),
            ("arn:own", [], {"PermissionsBoundary": "arn:own"}),
        ):
            calls = [role(NO_ROLE), *look_at_stack, create_role(new, team, **asked), PUT_POLICY]
            found = self.ensured(*calls, tags={"team": "a"}, permissions_boundary=bound)
            assert found == made
            assert found[0].name == ROLE

    def test_one_that_somebody_made_meanwhile_is_taken(self) -> None:
        calls = role(NO_ROLE), NONE_THERE, create_role(refused("EntityAlreadyExistsException")), role(THERE), PUT_POLICY
        assert self.ensured(*calls) == (Role(ROLE_ARN, fresh=False, ours=True), [])

    @pytest.mark.parametrize(
        ("answer", "changes"),
        [
            (WANTED, ["= role", "there"]),
            ({**WANTED, "Version": "2008"}, ["~ role", "changed"]),
            (NO_ROLE, ["~ role", "changed"]),
        ],
    )
    def test_its_policy_is_renewed_where_it_differs(self, answer: Any, changes: list[str]) -> None:
        differs = changes[1] == "changed"
        held = answer if isinstance(answer, Exception) else {"PolicyDocument": answer}
        calls = [role(THERE), ("iam:get_role_policy", INLINE, held), *([PUT_POLICY] if differs else [])]
        why = " (policy)" if differs else ""
        told = [f"{changes[0]} {ROLE}{why}", f"role {ROLE}: {changes[1]}{why}"]
        assert self.ensured(*calls) == (Role(ROLE_ARN, fresh=False, ours=True), told)
        assert self.ensured(role({**THERE, "Tags": []}), *calls[1:])[0].ours is False

    def test_what_iam_refuses_is_told(self) -> None:
        with pytest.raises(AwsError) as caught:
            self.ensured(role(refused("ServiceFailure", "oh")))
        assert str(caught.value) == f"role {ROLE}: Operation failed: ServiceFailure: oh"

    def test_its_name_is_of_the_function_and_the_region(self) -> None:
        mark = hashlib.sha256(b"us-east-1/" + b"f" * 60).hexdigest()[:8]
        assert function_role_name("f" * 60, "us-east-1") == f"model-dockerize-{'f' * 39}-{mark}"

    def test_a_profile_is_there_or_not(self) -> None:
        for answer, found in (({"InstanceProfile": {"Arn": "arn:p"}}, {"Arn": "arn:p"}), (NO_ROLE, None)):
            with Script(("iam:get_instance_profile", {"InstanceProfileName": "p"}, answer)) as script:
                assert get_instance_profile(script.aws, "p") == found

    def test_only_roles_that_no_stack_of_ours_made_are_somebodys(self) -> None:
        given = {
            **{"a": None, "b": "arn:own", "c": "arn:aws:iam::1:role/theirs"},
            **{name: f"arn:aws:iam::1:role/model-dockerize-{name}" for name in "def"},
        }

        def named(name: str, answer: Any) -> Call:
            shown = answer if isinstance(answer, Exception) else {"Role": {"Tags": answer}}
            return "iam:get_role", {"RoleName": f"model-dockerize-{name}"}, shown

        calls = named("d", [{"Key": "model-dockerize", "Value": "role"}]), named("e", NO_ROLE), named("f", [])
        with Script(*calls) as script:
            assert named_roles(script.aws, given, ["arn:own"]) == {"c": given["c"], "f": given["f"]}


def ensured(*calls: Call, tags: dict[str, str] | None = None, **given: Any) -> tuple[Function, list[str], list[str]]:
    """Ensure the function; return it, what was reported and said of it, and what was warned of."""
    with Script(*calls) as script:
        aws = replace(script.aws, tags=tags or {})
        sleep = lambda _: None  # noqa: E731
        found = ensure_function(aws, "on-upload", "arn:x/q", "iris", script.said, sleep=sleep, **given)
    return found, [*map(str, aws.changes), *script.said.infos], script.said.warnings


def refusal(*calls: Call, **given: Any) -> ModelDockerizeError:
    with Script(*calls) as script, pytest.raises(ModelDockerizeError) as caught:
        ensure_function(script.aws, "on-upload", "q", "iris", script.said, sleep=lambda _: None, **given)
    return caught.value


def create(variables: dict[str, str], answer: Any = None) -> Call:
    asked = {
        "FunctionName": "on-upload",
        "Runtime": "python3.13",
        "Role": ROLE_ARN,
        "Handler": "lambda_function.lambda_handler",
        "Code": {"ZipFile": archive()},
        "Description": "Submits an AWS Batch job for every file that arrives in S3.",
        "Timeout": 60,
        "Environment": {"Variables": variables},
        "Tags": {"model-dockerize": "function", "team": "a"},
    }
    return "lambda:create_function", asked, answer or {"FunctionArn": ARN}


def told(variables: dict[str, str], answer: Any = None, **more: str) -> Call:
    asked = {"FunctionName": "on-upload", "Environment": {"Variables": variables}, **more}
    return "lambda:update_function_configuration", asked, answer or {}


SETTLED_ROLE = [role(THERE), POLICY]
LEFT = ["= function on-upload", "function on-upload: there"]


class TestFunction:
    def test_one_that_is_not_there_is_made_and_waited_for(self) -> None:
        variables = {**VARIABLES, "JOB_OUTPUT": "s3://b/{name}"}
        pending = shown(State="Pending")
        calls = [look(GONE), *SETTLED_ROLE, create(variables), look(pending), look(shown(State="Active"))]
        found, reported, _ = ensured(*calls, output="s3://b/{name}", tags={"team": "a"})
        assert found == Function("on-upload", ARN, changed=True)
        assert reported == [
            *(f"= role {ROLE}", "+ function on-upload"),
            *(f"role {ROLE}: there", "function on-upload: made"),
        ]

    def test_one_of_ours_that_suits_is_left(self) -> None:
        calls = look(shown()), *SETTLED_ROLE, look(shown())
        found, reported, _ = ensured(*calls)
        assert found == Function("on-upload", ARN, changed=False)
        assert reported == [
            f"= role {ROLE}",
            "= function on-upload",
            f"role {ROLE}: there",
            "function on-upload: there",
        ]

    def test_of_ours_newer_code_is_sent(self) -> None:
        old = shown(CodeSha256="old")
        sent = "lambda:update_function_code", {"FunctionName": "on-upload", "ZipFile": archive()}, {}
        busy = look(shown(LastUpdateStatus="InProgress"))
        calls = look(old), *SETTLED_ROLE, sent, busy, look(shown()), look(shown())
        found, reported, _ = ensured(*calls)
        assert (found.changed, reported[1]) == (True, "~ function on-upload (code)")
        failed = look(shown(LastUpdateStatus="Failed", LastUpdateStatusReason="why"))
        error = refusal(look(old), *SETTLED_ROLE, sent, failed)
        assert (str(error), error.remedy) == ("Function on-upload kept what it was: why", "Run again.")

    def test_of_one_of_others_only_our_variables_change(self) -> None:
        held = {"THEIRS": "x", "JOB_QUEUE_NAME": "old"}
        there = look(shown(held, {}, CodeSha256="theirs"))
        calls = there, there, told({**held, **VARIABLES}, RevisionId="r1"), look(shown())
        found, reported, _ = ensured(*calls)
        assert found == Function("on-upload", ARN, changed=True)
        assert reported[0] == "~ function on-upload (JOB_QUEUE_NAME, JOB_DEFINITION_NAME)"
        bare = {"Configuration": {"FunctionArn": ARN}, "Tags": {}}
        assert ensured(look(bare), look(bare), told(VARIABLES), look(bare))[0].changed
        assert ensured(look(shown(tags={})), look(shown(tags={})))[1] == LEFT

    def test_one_whose_tags_cannot_be_seen_is_treated_as_one_of_others(self) -> None:
        hidden = look({**shown(), "TagsError": {"Message": "no"}, "Tags": {}})
        found, _, warned = ensured(hidden, hidden)
        assert not found.changed
        assert warned == [
            "Whether model-dockerize made function on-upload cannot be seen (allow lambda:ListTags): its code and its "
            "role stay as they are."
        ]

    @pytest.mark.parametrize(("code", "is_denied"), [("AccessDeniedException", True), ("ServiceException", False)])
    def test_where_it_may_not_be_changed_it_is_said_how_somebody_does(self, code: str, is_denied: bool) -> None:
        there = look(shown({}, {}))
        denied = refused(code, "oh")
        calls = there, there, told(VARIABLES, denied, RevisionId="r1")
        if not is_denied:
            assert str(refusal(*calls)) == "function on-upload: Operation failed: ServiceException: oh"
            return
        found, reported, (warned,) = ensured(*calls)
        instruction = (
            "aws lambda get-function-configuration --function-name on-upload --query '{Variables: "
            "Environment.Variables}' |\n"
            '  jq \'.Variables += {"JOB_DEFINITION_NAME": "iris", "JOB_QUEUE_NAME": "q"}\' > environment.json &&\n'
            "aws lambda update-function-configuration --function-name on-upload --environment "
            "file://environment.json; rm environment.json"
        )
        assert found == Function("on-upload", "", changed=False, instruction=instruction)
        assert reported == []
        assert warned == (
            "Function on-upload was not updated: Operation is not allowed for these credentials. Have it done, in "
            "Lambda's console (Configuration, Environment variables: JOB_QUEUE_NAME = q, JOB_DEFINITION_NAME = iris) "
            f"or by:\n{instruction}"
        )

    def test_variables_that_cannot_be_read_are_not_overwritten(self) -> None:
        for failed, why in (({"Message": "kms"}, "kms"), ({}, "")):
            there = look(shown(tags={}, Environment={"Error": failed}))
            error = refusal(there, there)
            assert str(error) == f"The variables of function on-upload cannot be read: {why}"
            assert error.remedy == (
                "Allow kms:Decrypt on the function's key: all variables are written anew, and none must be lost."
            )

    def test_a_function_that_failed_is_told_with_its_reason(self) -> None:
        error = refusal(look(shown(State="Failed", StateReason="no image")))
        assert (str(error), error.remedy) == (
            "Function on-upload failed: no image",
            "Delete the function and run again.",
        )
        failed = look(shown(tags={}, LastUpdateStatus="Failed"))  # by somebody else: no matter of ours
        assert ensured(failed, failed)[1] == LEFT

    def test_one_that_does_not_settle_is_told(self) -> None:
        with (
            Script(forever=look(shown(State="Pending", StateReason="slow"))) as script,
            pytest.raises(AwsError) as caught,
        ):
            ensure_function(script.aws, "on-upload", "q", "iris", script.said, sleep=lambda _: None)
        assert str(caught.value) == "Function on-upload is still being changed after 122 s: slow"
        assert caught.value.remedy == "Run again: it is found and waited for."

    def test_what_would_go_round_for_ever_is_refused(self) -> None:
        error = refusal(source="b/in/", output="s3://b/in/{name}")
        assert str(error) == (
            "The jobs would write to s3://b/in/{name}, and every file there starts another job (function-source b/in/)."
        )
        assert error.remedy == "Let function-source and function-output be different folders or buckets."

    def test_its_source_is_fed_and_counts_as_a_change(self, monkeypatch: pytest.MonkeyPatch) -> None:
        there = look(shown(tags={}))
        asked: list[Any] = []
        for is_new in (True, False):
            monkeypatch.setattr(function, "ensure_source", lambda _, *given, new=is_new: asked.append(given[:3]) or new)
            assert ensured(there, there, source="b/in/")[0].changed is is_new
        assert asked == [("on-upload", ARN, "b/in/")] * 2

    def test_its_code_is_packed_in_one_file_that_everybody_may_read(self) -> None:
        with zipfile.ZipFile(io.BytesIO(archive())) as packed:
            (entry,) = packed.infolist()
            assert packed.read(entry) == Path(lambda_function.__file__).read_bytes()
        found = entry.filename, entry.date_time, entry.external_attr >> 16, entry.create_system
        assert found == ("lambda_function.py", (1980, 1, 1, 0, 0, 0), 0o644, 3)


def group(*names: str) -> Call:
    asked = {"logGroupNamePrefix": "/aws/lambda/on-upload"}
    return "logs:describe_log_groups", asked, [{"logGroups": [{"logGroupName": name} for name in names]}]


class TestEnd:
    LOG = group("/aws/lambda/on-upload")
    NO_LOG = group("/aws/lambda/on-upload-2")
    OTHERS = role({**THERE, "Tags": []})

    @pytest.mark.parametrize(
        ("calls", "things"),
        [
            (
                [look(shown()), role(THERE), LOG],
                ["function on-upload", "log group /aws/lambda/on-upload", f"role {ROLE}"],
            ),
            ([look(shown()), OTHERS, NO_LOG], ["function on-upload"]),
            ([look(shown()), role(NO_ROLE), NO_LOG], ["function on-upload"]),
            ([look(shown(tags={})), role(THERE)], []),
            ([look(GONE), role(THERE), LOG], ["log group /aws/lambda/on-upload", f"role {ROLE}"]),
            ([look(GONE), role(THERE), NO_LOG], [f"role {ROLE}"]),
            ([look(GONE), OTHERS], []),
            ([look(GONE), role(NO_ROLE)], []),
        ],
    )
    def test_what_is_ours_goes(self, calls: list[Call], things: list[str]) -> None:
        with Script(*calls) as script:
            assert list(map(str, function_things(script.aws, "on-upload"))) == things

    def test_without_a_name_nothing_is_asked(self) -> None:
        with Script() as script:
            assert list(function_things(script.aws, "")) == []

    def test_where_its_tags_cannot_be_read_nothing_goes(self) -> None:
        hidden = look({**shown(), "TagsError": {"Message": "denied"}})
        with Script(hidden) as script, pytest.raises(AwsAccessError) as caught:
            list(function_things(script.aws, "on-upload"))
        assert str(caught.value) == (
            f"function on-upload: lambda:ListTags on {ARN} is not allowed for these credentials, so it cannot be seen "
            "whose the function is."
        )
        assert caught.value.remedy == (
            "Allow lambda:ListTags in a policy of the role or user that runs this; nothing was removed."
        )
        assert caught.value.details == ("denied",)

    @pytest.mark.parametrize("policy", [{}, NO_ROLE])
    def test_each_ends_by_its_own_calls(self, policy: Any) -> None:
        calls = [
            *(look(shown()), role(THERE), self.LOG),
            ("lambda:get_policy", {"FunctionName": "on-upload"}, GONE),
            ("lambda:delete_function", {"FunctionName": "on-upload"}, {}),
            ("logs:delete_log_group", {"logGroupName": "/aws/lambda/on-upload"}, {}),
            ("iam:delete_role_policy", INLINE, policy),
            ("iam:delete_role", {"RoleName": ROLE}, {}),
        ]
        with Script(*calls) as script:
            for thing in list(function_things(script.aws, "on-upload")):
                thing.remove()


OWNER = {"ExpectedBucketOwner": "123456789012"}


def allowing(bucket: str, sid: str = "model-dockerize-s3") -> dict[str, Any]:
    return {"Sid": sid, "Condition": {"ArnLike": {"AWS:SourceArn": f"arn:aws:s3:::{bucket}"}}}


def policy(*statements: dict[str, Any]) -> Call:
    return "lambda:get_policy", {"FunctionName": "on-upload"}, {"Policy": json.dumps({"Statement": list(statements)})}


def held(answer: Any) -> Call:
    return "s3:get_bucket_notification_configuration", {"Bucket": "b", **OWNER}, answer


def put(*functions: Any, answer: Any = None, **others: Any) -> Call:
    whole = {**others, "LambdaFunctionConfigurations": list(functions)}
    asked = {"Bucket": "b", "NotificationConfiguration": whole, **OWNER}
    return "s3:put_bucket_notification_configuration", asked, answer or {}


ALLOW = (
    "lambda:add_permission",
    {
        "FunctionName": "on-upload",
        "StatementId": "model-dockerize-s3",
        "Action": "lambda:InvokeFunction",
        "Principal": "s3.amazonaws.com",
        "SourceArn": "arn:aws:s3:::b",
        "SourceAccount": "123456789012",
    },
    {},
)
REMOVE = "lambda:remove_permission", {"FunctionName": "on-upload", "StatementId": "model-dockerize-s3"}


def entry(**changes: Any) -> dict[str, Any]:
    rules = [{"Name": "prefix", "Value": "in/"}]
    return {
        "Id": "model-dockerize-on-upload",
        "LambdaFunctionArn": ARN,
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": rules}},
        **changes,
    }


THEIRS = {"Id": "theirs", "LambdaFunctionArn": "arn:other", "Events": ["s3:ObjectRemoved:*"]}
QUEUES = {"QueueConfigurations": [{"Id": "x"}]}


class TestNotification:
    def fed(self, *calls: Call, source: str = "b/in/") -> tuple[bool, list[str]]:
        with Script(*calls) as script:
            is_new = notification.ensure_source(script.aws, "on-upload", ARN, source, script.said)
        return is_new, list(map(str, script.aws.changes))

    def test_a_new_one_stands_beside_others(self) -> None:
        there = held({**QUEUES, "LambdaFunctionConfigurations": [THEIRS], "ResponseMetadata": {"x": 1}})
        no_policy = "lambda:get_policy", {"FunctionName": "on-upload"}, GONE
        calls = there, no_policy, ALLOW, put(THEIRS, entry(), **QUEUES)
        assert self.fed(*calls) == (True, ["+ notification b/in/"])
        whole = entry()
        del whole["Filter"]
        assert self.fed(held({}), policy(), ALLOW, put(whole), source="b") == (True, ["+ notification b"])

    def test_one_that_suits_is_left(self) -> None:
        written = entry(Filter={"Key": {"FilterRules": [{"Name": "Prefix", "Value": "in/"}]}})
        there = held({"LambdaFunctionConfigurations": [THEIRS, written]})
        allowed = policy(allowing("x", "other"), allowing("b"))
        assert self.fed(there, allowed) == (False, ["= notification b/in/"])
        assert self.fed(there, policy(), ALLOW) == (True, ["~ notification b/in/"])

    @pytest.mark.parametrize(
        "changes",
        [
            {"Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "out/"}]}}},
            {"Filter": {}},
            {"Events": ["s3:ObjectRemoved:*"]},
            {"LambdaFunctionArn": "arn:old"},
        ],
    )
    def test_one_that_differs_is_put_anew(self, changes: dict[str, Any]) -> None:
        there = held({"LambdaFunctionConfigurations": [entry(**changes), THEIRS]})
        assert self.fed(there, policy(allowing("b")), put(THEIRS, entry())) == (True, ["~ notification b/in/"])

    def test_the_right_of_another_bucket_is_taken_back(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("time.sleep", lambda _: None)
        for answer in ({}, GONE):
            calls = held({}), policy(allowing("old")), (*REMOVE, answer), ALLOW
            late = put(entry(), answer=refused("InvalidArgument", "Unable to validate the following destination"))
            assert self.fed(*calls, late, put(entry()))[0]

    def test_a_bucket_that_is_not_there_is_to_be_corrected(self) -> None:
        with Script(held(refused("NoSuchBucket"))) as script, pytest.raises(InputError) as caught:
            notification.ensure_source(script.aws, "on-upload", ARN, "b/in/", script.said)
        assert str(caught.value) == "There is no bucket b (function-source)."
        assert caught.value.remedy == "Correct the name, or make it."
        denied = refused("AccessDenied")
        with Script(held(denied)) as script, pytest.raises(type(denied)):
            notification.ensure_source(script.aws, "on-upload", ARN, "b/in/", script.said)

    def test_its_end_leaves_what_others_wrote(self) -> None:
        mine = {"LambdaFunctionConfigurations": [entry(), THEIRS], **QUEUES}
        for calls in (
            [policy(allowing("x", "other"), allowing("b")), held(mine), put(THEIRS, **QUEUES)],
            [policy(allowing("b")), held({"LambdaFunctionConfigurations": [THEIRS]})],
            [policy(allowing("b")), held({})],
            [policy(allowing("b")), held(refused("NoSuchBucket"))],
            [("lambda:get_policy", {"FunctionName": "on-upload"}, {})],
        ):
            with Script(*calls) as script:
                notification.end_source(script.aws, "on-upload", ARN)


def record(key: str, **more: str) -> dict[str, Any]:
    return {"s3": {"bucket": {"name": "b"}, "object": {"key": key, **more}}}


class TestHandler:
    DEFINITIONS = (
        "batch:describe_job_definitions",
        {"jobDefinitionName": "iris", "status": "ACTIVE"},
        [
            {"jobDefinitions": [{"revision": 9, "jobDefinitionArn": "arn:9"}]},
            {
                "jobDefinitions": [
                    {"revision": 10, "jobDefinitionArn": "arn:10"},
                    {"revision": 2, "jobDefinitionArn": "x"},
                ]
            },
        ],
    )

    def handle(self, monkeypatch: pytest.MonkeyPatch, event: Any, *calls: Call, output: str = "") -> Any:
        for name, value in {**VARIABLES, **({"JOB_OUTPUT": output} if output else {})}.items():
            monkeypatch.setenv(name, value)
        with Script(*calls) as script:
            monkeypatch.setattr(boto3, "client", script.client)
            return lambda_function.lambda_handler(event, None)

    def submitted(self, name: str, **parameters: str) -> Call:
        told = {"jobName": name, "jobQueue": "q", "jobDefinition": "arn:10", "parameters": parameters}
        return "batch:submit_job", told, {"jobId": f"id-{name}"}

    def listed(self, name: str, *pages: list[str]) -> Call:
        asked = {
            "jobQueue": "q",
            "filters": [{"name": "JOB_NAME", "values": [name]}],
            "PaginationConfig": {"PageSize": 100},
        }
        return "batch:list_jobs", asked, [{"jobSummaryList": [{"jobId": each} for each in page]} for page in pages]

    @pytest.mark.parametrize(
        ("key", "name", "file", "path", "place"),
        [
            ("in/my+data%C3%A4.x.csv", "my-data", "my dataä.x.csv", "in/my dataä.x.csv", "my dataä.x"),
            ("plain", "plain", "plain", "plain", "plain"),
            ("a/.hidden", "hidden", ".hidden", "a/.hidden", ".hidden"),
            ("--.csv", "job", "--.csv", "--.csv", "--"),
            (f"{'n' * 200}.csv", "n" * 128, f"{'n' * 200}.csv", f"{'n' * 200}.csv", "n" * 200),
        ],
    )
    def test_a_file_becomes_a_job(
        self, monkeypatch: pytest.MonkeyPatch, key: str, name: str, file: str, path: str, place: str
    ) -> None:
        told = {"infile": file, "input": f"s3://b/{path}", "output": f"s3://o/{place}.out", "arrival": ""}
        found = self.handle(
            monkeypatch,
            {"Records": [record(key)]},
            *(self.DEFINITIONS, self.submitted(name, **told)),
            output="s3://o/{name}.out",
        )
        assert found == {"jobs": [f"id-{name}"]}

    def test_an_event_that_comes_twice_sends_one_job(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        same = {"input": "s3://b/a.csv", "arrival": "7"}
        jobs = [
            {"jobId": "1"},
            {"jobId": "2", "parameters": {**same, "arrival": "6"}},
            {"jobId": "3", "parameters": {**same, "input": "s3://b/b.csv"}},
        ]
        look = "batch:describe_jobs", {"jobs": ["1", "2", "3"]}, {"jobs": jobs}
        there = "batch:describe_jobs", {"jobs": ["4"]}, {"jobs": [{"jobId": "4", "parameters": {**same, "x": "y"}}]}
        event = {"Records": [{}, record("a.csv", sequencer="7")]}
        found = self.handle(
            monkeypatch, event, self.DEFINITIONS, self.listed("a", ["1", "2", "3"], [], ["4"]), look, there
        )
        assert found == {"jobs": ["4"]}
        new = self.submitted("a", infile="a.csv", output="-", **same)
        found = self.handle(monkeypatch, event, self.DEFINITIONS, self.listed("a", ["1", "2", "3"]), look, new)
        assert found == {"jobs": ["id-a"]}
        assert capsys.readouterr().out.splitlines() == [
            "s3://b/a.csv: job 4 is there already",
            "s3://b/a.csv: job id-a of arn:10 in q",
        ]

    def test_an_event_without_files_sends_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for event in ({}, {"Records": [{}]}):
            assert self.handle(monkeypatch, event) == {"jobs": []}

    def test_without_a_definition_it_fails_and_is_tried_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        none = (*self.DEFINITIONS[:2], [{"jobDefinitions": []}])
        with pytest.raises(RuntimeError) as caught:
            self.handle(monkeypatch, {"Records": [record("a")]}, none)
        assert str(caught.value) == "There is no ACTIVE job definition iris."
