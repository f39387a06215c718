"""The report file is an interface: its keys, and what a red run says."""

import json
from typing import Any

import pytest

from model_dockerize.errors import BuildError
from model_dockerize.outcome import Outcome
from model_dockerize.report import CheckReport, Failure, Report, SmokeReport, StageResult
from model_dockerize.report.listing import ModelRow
from model_dockerize.report.model import to_json


def test_the_report_has_the_documented_keys() -> None:
    report = Report(
        outcome=Outcome.DEPLOYED,
        stages=(StageResult("build", "done", 1.23456),),
        smoke_local=SmokeReport(True, (CheckReport("health", True, 0.1, ""),)),
        job_definition_arn="arn:aws:batch:::job-definition/iris:3",
        job_definition_revision=3,
    )
    document = json.loads(to_json(report))
    assert set(document) == {
        *("outcome", "build_id", "image", "image_uri", "digest", "dockerfile", "archive", "url", "access", "lasts"),
        *("batch", "service", "plan", "changes", "findings", "stages", "smoke", "untested", "warnings", "error"),
        *("headline", "models", "revisions", "rollout"),
    }
    assert document["batch"] == {"job_definition_arn": "arn:aws:batch:::job-definition/iris:3", "revision": 3}
    assert document["stages"] == [{"name": "build", "status": "done", "seconds": 1.235}]
    assert document["smoke"] == {
        "local": {
            "passed": True,
            "checks": [{"name": "health", "passed": True, "seconds": 0.1, "detail": ""}],
            "unproved": [],
            "answer": None,
        }
    }
    assert document["error"] is None
    assert report.exit_code == 0


def test_a_failure_carries_kind_code_and_evidence() -> None:
    error = BuildError("Step 4 failed.", "Correct requirements.txt.", ("no matching distribution",))
    report = Report(failure=Failure.of(error))
    assert report.exit_code == 5
    assert json.loads(to_json(report))["error"] == {
        "kind": "build",
        "exit_code": 5,
        "message": "Step 4 failed.",
        "remedy": "Correct requirements.txt.",
        "details": ["no matching distribution"],
    }


def test_smoke_is_passed_only_when_every_test_that_ran_passed_and_ran_the_model() -> None:
    result = CheckReport("result", True, 0.1, "")
    good, bad = SmokeReport(True, (result,)), SmokeReport(False, (result,))
    without = SmokeReport(True, (CheckReport("health", True, 0.1, ""),))
    assert Report().smoke == "skipped"
    assert Report(smoke_local=good).smoke == "passed"
    assert Report(smoke_local=good, smoke_deployed=bad).smoke == "failed"
    assert Report(smoke_local=without).smoke == "no-sample"


GOOD = SmokeReport(True, (CheckReport("result", True, 0.1, ""),))


@pytest.mark.parametrize(
    ("report", "smoke", "doubts"),
    [
        (Report(smoke_local=GOOD, smoke_deployed=GOOD), "passed", []),
        (Report(untested=("image",)), "skipped", ["nobody has seen the image answer (smoke-test)"]),
        (
            Report(untested=("image", "service")),
            "skipped",
            ["nobody has seen the image answer (smoke-test)", "nobody has seen the service answer (smoke-test)"],
        ),
        (
            Report(untested=("image",), smoke_deployed=GOOD),
            "passed",
            ["the image was pushed before anybody saw it answer (smoke-test); the service is its only proof"],
        ),
        (
            Report(untested=("service",), smoke_local=GOOD),
            "unproved",
            ["nobody has seen the service answer (smoke-test)"],
        ),
        (Report(smoke_local=SmokeReport(True, GOOD.checks, ("no /health",))), "unproved", ["no /health"]),
        (Report(smoke_deployed=SmokeReport(True, ()), is_sampled=True), "no-sample", []),
        (
            Report(smoke_local=SmokeReport(True, ())),
            "no-sample",
            [
                "this run had no sample to send: "
                "add one real input as smoke/input.csv (or .json, .txt, ...), or name one with smoke-input"
            ],
        ),
    ],
)
def test_what_a_green_run_has_not_proved_is_said(report: Report, smoke: str, doubts: list[str]) -> None:
    assert report.smoke == smoke
    assert list(report.doubts) == doubts
    assert json.loads(to_json(report))["untested"] == list(report.untested)


def test_a_name_that_is_no_utf_8_is_written_as_json_escapes_it() -> None:
    text = to_json(Report(warnings=("\udcff",)))
    assert text.encode()
    assert json.loads(text)["warnings"] == ["\udcff"]


def test_a_list_tells_what_answers_from_what_its_sample_proved() -> None:
    known: Any = {"since": None, "tasks": "1 of 1", "service": "arn", "cluster": "c", "job_definition": "", "url": ""}
    shown = [
        ModelRow("iris", version="1", proved=proved, by_sample=by_sample, **known).cells()[3]
        for proved, by_sample in ((True, True), (True, False), (False, False), (None, None))
    ]
    assert shown == ["by its sample", "answers, no sample", "no", "-"]
    models = (ModelRow("iris", version="1", proved=True, by_sample=False, **known),)
    (told,) = json.loads(to_json(Report(models=models)))["models"]
    assert (told["proved"], told["by_sample"]) == (True, False)
