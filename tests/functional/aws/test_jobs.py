"""Jobs: what is sent for a list, what is told of an array, what is ended. moto's jobs end at once and run nothing."""

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError
from hypothesis import given
from hypothesis import strategies as st

from model_dockerize.aws import batch, ground
from model_dockerize.aws.batch import array_jobs as job_list
from model_dockerize.aws.batch import jobs
from model_dockerize.aws.batch.jobs import Job, end_jobs, follow_jobs, follow_to_end, send_jobs, underway
from model_dockerize.aws.batch.one_job import submit_one
from model_dockerize.aws.client.retries import AnswerLostError
from model_dockerize.aws.ground import Names
from model_dockerize.aws.iam import Where
from model_dockerize.aws.permissions import run_policy
from model_dockerize.errors import AwsAccessError, AwsError
from model_dockerize.settings import JobConfig
from model_server.array import pick
from tests.rig.iris import batch_settings, settings
from tests.rig.quick_moto import ACCOUNT

from .conftest import Account
from .test_policy import actions, configured


def prepare(account: Account) -> str:
    network = ground.ensure_job_network(account.aws, settings(), account.said)
    batch.ensure_queue(account.aws, batch_settings(), "q", network, "linux/amd64", account.said, lambda _: None)
    made = account.aws.batch.register_job_definition(
        jobDefinitionName="iris",
        type="container",
        containerProperties={"image": "i", "vcpus": 1, "memory": 64, "command": ["run", "Ref::input", "Ref::output"]},
    )
    account.calls.clear()
    return made["jobDefinitionArn"]


def send(account: Account, inputs: list[str], output: str = "-") -> tuple[Job, ...]:
    definition = account.aws.batch.describe_job_definitions(status="ACTIVE")["jobDefinitions"][0]["jobDefinitionArn"]
    return tuple(send_jobs(account.aws, "q", definition, "iris", inputs, output, account.said))


class TestSending:
    def test_one_input_is_a_plain_job(self, account: Account) -> None:
        prepare(account)
        (job,) = send(account, ["/data/a.csv"], "/data/{name}.out")
        (there,) = account.aws.batch.describe_jobs(jobs=[job.id])["jobs"]
        assert there["parameters"] == {"input": "/data/a.csv", "output": "/data/a.out"}
        assert "arrayProperties" not in there or "size" not in there["arrayProperties"]

    def test_a_list_is_one_array_job(self, account: Account) -> None:
        prepare(account)
        inputs = [f"/data/part-{i:05}.csv" for i in range(50)]
        (job,) = send(account, inputs, "/data/{name}.out")
        assert account.calls.count("batch:SubmitJob") == 1
        (there,) = account.aws.batch.describe_jobs(jobs=[job.id])["jobs"]
        assert there["arrayProperties"]["size"] == 50
        told = there["parameters"]
        assert [pick(told["input"], told["output"], index(i))[0] for i in range(50)] == inputs

    def test_every_call_of_submit_is_allowed(self, account: Account) -> None:
        prepare(account)
        sent = send(account, ["/a.csv", "/b.csv"])
        assert list(follow_jobs(account.aws, "q", sent, account.said, lambda _: None)) == []
        end_jobs(account.aws, sent, "over")
        document = run_policy(configured(job_queue="q"), NAMES, Where(ACCOUNT, "us-east-1"))
        assert set(account.calls) - actions(document) == set()

    def test_when_the_answer_is_lost_nothing_is_sent_twice(
        self, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("time.sleep", lambda _: None)
        prepare(account)
        lost: list[str] = []

        def lose(model: Any, **_: Any) -> None:
            if model.name == "SubmitJob" and not lost:
                lost.append(model.name)
                raise AnswerLostError("nobody knows")

        account.hooks.add(lose, "after-call")
        (job,) = send(account, ["/a.csv", "/b.csv"])
        found: Any = account.aws.batch.list_jobs(jobQueue="q", filters=[{"name": "JOB_NAME", "values": ["iris*"]}])
        assert lost
        assert [j["jobId"] for j in found["jobSummaryList"] if ":" not in j["jobId"]] == [job.id]

    def test_what_a_killed_run_sent_and_did_not_note_is_taken_while_it_is_under_way(self, account: Account) -> None:
        prepare(account)
        status = "RUNNABLE"

        def stay(model: Any, parsed: Any, **_: Any) -> None:  # moto ends each job at once
            if model.name == "ListJobs":
                for job in parsed["jobSummaryList"]:
                    job["status"] = status

        def again(inputs: list[str], *, once: bool = True) -> str:
            (job,) = send_jobs(account.aws, "q", "iris", "iris", inputs, "s3://b/{name}", account.said, once=once)
            return job.id

        account.hooks.add(stay, "after-call")
        first = again(["s3://b/a", "s3://b/b"])
        other = again(["s3://b/a"])
        assert again(["s3://b/a", "s3://b/b"]) == first
        assert again(["s3://b/a", "s3://b/b"], once=False) not in (first, other)
        status = "FAILED"
        assert again(["s3://b/a", "s3://b/b"]) not in (first, other)


class TestOneJob:
    """Of a BatchConfig.yml: its name is given, so others of the name may be there."""

    JOB = JobConfig("nightly", "q", "iris")

    def test_needs_no_look_at_other_jobs(self, account: Account) -> None:
        prepare(account)
        submit_one(account.aws, self.JOB, account.said)
        assert "batch:ListJobs" not in account.calls

    @pytest.mark.parametrize("carried_out", [True, False])
    def test_when_the_answer_is_lost_it_is_sent_once(
        self, account: Account, monkeypatch: pytest.MonkeyPatch, carried_out: bool
    ) -> None:
        monkeypatch.setattr("time.sleep", lambda _: None)
        prepare(account)
        former = submit_one(account.aws, self.JOB, account.said)
        lost: list[str] = []

        def lose(model: Any, **_: Any) -> None:
            if model.name == "SubmitJob" and not lost:
                lost.append(model.name)
                raise AnswerLostError("nobody knows")

        account.hooks.add(lose, "after-call" if carried_out else "before-call")
        sent = submit_one(account.aws, self.JOB, account.said)
        assert lost
        found: Any = account.aws.batch.list_jobs(jobQueue="q", filters=[{"name": "JOB_NAME", "values": ["nightly"]}])
        assert {j["jobId"] for j in found["jobSummaryList"]} == {former.id, sent.id}
        assert len(found["jobSummaryList"]) == 2


class TestParts:
    def test_ten_thousand_numbered_files_are_one_array(self) -> None:
        inputs = [f"/data/in/part-{i:05}.csv" for i in range(10_000)]
        assert [len(part) for part in job_list.parts(inputs, "/data/out/{name}.csv")] == [10_000]
        assert [len(part) for part in job_list.parts([*inputs, "/x", "/y"], "-")] == [10_000, 2]

    def test_what_does_not_fit_is_split_and_nothing_is_lost(self) -> None:
        names = random.Random(1)  # noqa: S311 - names
        inputs = [f"/data/{names.getrandbits(128):032x}.csv" for _ in range(700)]
        found = list(job_list.parts(inputs, "-"))
        assert [path for part in found for path in part] == inputs
        assert 1 < len(found) < 6
        assert all(len(job_list.packed(part)) <= 6_000 for part in found)

    @given(
        st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), min_size=1), min_size=2),
        st.data(),
    )
    def test_every_child_reads_its_own_line(self, inputs: list[str], data: st.DataObject) -> None:
        which = data.draw(st.integers(0, len(inputs) - 1))
        source, target = pick(job_list.packed(inputs), "/out/{name}.csv", index(which))
        assert source == inputs[which]
        assert target == job_list.place("/out/{name}.csv", inputs[which])


def index(number: int) -> dict[str, str]:
    return {"AWS_BATCH_JOB_ARRAY_INDEX": str(number)}


class TestFollowing:
    """The answers of DescribeJobs and ListJobs are scripted: moto's arrays have neither logs nor failures."""

    @pytest.fixture
    def story(self, account: Account) -> Iterator[list[dict[str, int]]]:
        prepare(account)
        told: list[dict[str, int]] = []

        def describe(parsed: Any, model: Any, **_: Any) -> None:
            if model.name == "DescribeJobs" and parsed["jobs"]:
                if ":" in parsed["jobs"][0]["jobId"]:
                    reason = {"exitCode": 3, "reason": "", "logStreamName": "s"}
                    parsed["jobs"] = [j | {"statusReason": "Essential", "container": reason} for j in parsed["jobs"]]
                    return
                now = told.pop(0) if len(told) > 1 else told[0]
                over = set(now) <= {"SUCCEEDED", "FAILED"}
                status = ("FAILED" if "FAILED" in now else "SUCCEEDED") if over else "PENDING"
                parsed["jobs"][0] |= {"status": status, "arrayProperties": {"size": 3, "statusSummary": now}}

        def listed(parsed: Any, model: Any, params: Any = None, **_: Any) -> None:
            if model.name == "ListJobs" and told:
                for child in parsed["jobSummaryList"]:
                    child["arrayProperties"] = {"index": int(child["jobId"].rpartition(":")[2])}
                parsed["jobSummaryList"] = [c for c in parsed["jobSummaryList"] if c["jobId"].endswith(":1")]

        account.hooks.add(describe, "after-call")
        account.hooks.add(listed, "after-call")
        # moto's children have succeeded: asked for the failed ones, it must give them all.
        account.hooks.add(ask_for_all, "provide-client-params")
        yield told

    def test_counts_are_told_and_failed_children_with_their_reason(
        self, account: Account, story: list[dict[str, int]]
    ) -> None:
        sent = send(account, ["/a.csv", "/b.csv", "/c.csv"])
        story += [{"RUNNABLE": 3}, {"RUNNING": 2, "FAILED": 1}, {"SUCCEEDED": 2, "FAILED": 1}]
        over = list(follow_jobs(account.aws, "q", sent, account.said, lambda _: None))
        assert [(job.inputs, job.reason, job.exit_code, job.stream) for job in over] == [
            (("/b.csv",), "Essential", 3, "s"),
        ]
        said = "\n".join(account.said.infos)
        assert said.splitlines()[-3:] == [
            "0/3 done, 3 waiting",
            "0/3 done, 1 failed, 2 running",
            "2/3 done, 1 failed",
        ]

    def test_an_array_that_waits_is_explained_once(self, account: Account, story: list[dict[str, int]]) -> None:
        sent = send(account, ["/a.csv", "/b.csv", "/c.csv"])
        story += [{"RUNNABLE": 3}] * 20 + [{"SUCCEEDED": 3}]
        now = [0.0]

        def sleep(seconds: float) -> None:
            now[0] += seconds * 20

        over = list(follow_jobs(account.aws, "q", sent, account.said, sleep, lambda: now[0]))
        assert over == []
        assert len([line for line in account.said.warnings if "waits for capacity" in line]) == 1


class TestNewRoles:
    """A role that was made moments ago cannot be assumed: the jobs that met that are sent again, for a minute."""

    SAID = "ECS was unable to assume the role 'arn:aws:iam::1:role/new' that was provided for this task."

    @pytest.mark.parametrize(("refusals", "ends"), [(1, "SUCCEEDED"), (2, "SUCCEEDED"), (1000, "FAILED")])
    def test_they_are_sent_again_for_a_while(self, account: Account, refusals: int, ends: str) -> None:
        prepare(account)
        left, now = iter(range(refusals)), [0.0]

        def describe(parsed: Any, model: Any, **_: Any) -> None:
            if model.name == "DescribeJobs":
                is_refused = next(left, None) is not None
                status = {"status": "FAILED", "statusReason": self.SAID} if is_refused else {"status": "SUCCEEDED"}
                parsed["jobs"] = [each | status | {"container": {}} for each in parsed["jobs"]]

        def sleep(seconds: float) -> None:
            now[0] += seconds

        def again(inputs: list[str]) -> Iterator[Job]:
            definition = account.aws.batch.describe_job_definitions(status="ACTIVE")["jobDefinitions"][0]
            return send_jobs(account.aws, "q", definition["jobDefinitionArn"], "iris", inputs, "-", account.said)

        account.hooks.add(describe, "after-call")
        sent = list(send(account, ["/a.csv"]))
        over = list(follow_to_end(account.aws, "q", sent, again, account.said, sleep, lambda: now[0]))
        assert [(job.inputs, job.status) for job in over] == [(("/a.csv",), ends)]
        assert over[0].id == sent[-1].id  # whoever ends the run ends the right one
        assert len({job.id for job in sent}) == len(sent) == account.calls.count("batch:SubmitJob")
        assert len(sent) == (refusals + 1 if ends == "SUCCEEDED" else 13)

    def test_a_job_that_ran_is_not_sent_again(self) -> None:
        failed = Job("1", ("/a",), "FAILED", self.SAID)
        assert failed.lacks_role
        assert not replace(failed, exit_code=1).lacks_role
        assert not replace(failed, reason="OutOfMemoryError").lacks_role
        assert not replace(failed, status="RUNNING").lacks_role


def ask_for_all(params: dict[str, Any], **_: Any) -> None:
    params.pop("jobStatus", None)


class TestEnding:
    def test_those_that_cannot_be_ended_are_named(self, account: Account) -> None:
        prepare(account)
        sent = send(account, ["/a.csv", "/b.csv"]) + send(account, ["/c.csv"])

        def refuse(params: Any, model: Any, **_: Any) -> None:
            if model.name == "TerminateJob" and params["jobId"] == sent[1].id:
                raise ConnectionClosedError(endpoint_url="https://batch")

        account.hooks.add(refuse, "provide-client-params")
        assert end_jobs(account.aws, sent, "cancelled") == (sent[1],)

    def test_where_aws_cannot_be_asked_all_count_as_under_way(
        self, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sent = (Job("1", ("/a",), "RUNNING"), replace(Job("2", ("/b",), "RUNNING"), reason="r"))
        for error in (AwsError("no"), AwsAccessError("no")):
            monkeypatch.setattr(jobs, "_look", raising(error))
            assert underway(account.aws, sent) == sent


def raising(error: Exception) -> Any:
    def look(*_: Any) -> Any:
        raise error

    return look


NAMES = Names(*["iris"] * 5, "model-dockerize")
