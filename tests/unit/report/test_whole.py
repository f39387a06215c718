"""Whole reports, as each face of the program shows them: the texts in whole/, which this file as a program writes."""

import io
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from model_dockerize.answer import read
from model_dockerize.outcome import Outcome
from model_dockerize.report import CheckReport, Failure, Finding, Report, SmokeReport, StageResult, to_json
from model_dockerize.report.console import ConsoleDisplay
from model_dockerize.report.github import GitHubDisplay
from model_dockerize.report.listing import ModelRow, RevisionRow
from model_dockerize.report.summary import markdown

PLACE = Path(__file__).parent / "whole"
DIGEST = "sha256:" + "ab" * 32
ROWS = b"name,score\na|b,0.5\nc,-1\n"
WHEN = datetime(2026, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=1)))
GREEN = Report(
    Outcome.DEPLOYED,
    build_id="b" * 32,
    image="iris:2",
    image_uri=f"r.example/iris@{DIGEST}",
    digest=DIGEST,
    dockerfile="/m/Dockerfile",
    archive="/m/iris.tar.gz",
    url="http://m.example:80/x",
    access="10.0.0.0/8",
    lasts="changes with the next deployment",
    job_definition_arn="arn:aws:batch:r:1:job-definition/iris:3",
    job_definition_revision=3,
    task_definition_arn="arn:aws:ecs:r:1:task-definition/iris:7",
    service_arn="arn:aws:ecs:r:1:service/c/iris",
    rollout="canary",
    bake_minutes=5,
    is_baking=True,
    changes=("+ stack a", "~ service iris (image)", "- role old", "= cluster c", "= bucket b"),
    stages=(
        StageResult("build", "done", 20.0004),
        StageResult("push", "done", 5.0),
        StageResult("batch", "unchanged", 0.0),
    ),
    smoke_local=SmokeReport(
        True, (CheckReport("health", True, 0.51234, "Healthy"), CheckReport("result", True, 1.0, "24 bytes"))
    ),
    smoke_deployed=SmokeReport(
        True,
        (CheckReport("health", True, 0.5, "Healthy"), CheckReport("result", True, 1.0, "24 bytes")),
        ("its form",),
        read(ROWS),
        False,
    ),
    warnings=("Anyone *may* look.",),
)
RED = Report(
    Outcome.FAILED,
    build_id="b" * 32,
    image="iris:2",
    image_uri="r.example/iris:2",
    digest=DIGEST,
    url="http://m.example",
    service_arn="arn:s",
    stages=(
        StageResult("build", "done", 0.0),
        StageResult("foundations", "done", 0.0),
        StageResult("deploy", "failed", 0.0),
    ),
    smoke_deployed=SmokeReport(
        False, (CheckReport("health", True, 0.5, "Healthy"), CheckReport("result", False, 1.0, "it says <b>"))
    ),
    failure=Failure("smoke-deployed", 8, "It does not answer.", "Look <there>.", ("first\nsecond", "third")),
)
LEFT = Report(
    Outcome.UNCHANGED, image="iris:2", changes=("= a", "= b"), stages=(StageResult("build", "unchanged", 1.0),)
)
LISTED = Report(
    Outcome.LISTED,
    models=(
        ModelRow("iris", "http://m", "2", WHEN, True, True, "1 of 1", "arn:s", "c", "iris:3"),
        ModelRow("churn", "", "", None, None, None, "", "", "", "churn:1"),
        ModelRow("x", "", "1", WHEN, True, False, "0 of 1", "arn:x", "c", ""),
        ModelRow("y", "", "1", WHEN, False, False, "0 of 1", "arn:x", "c", ""),
    ),
    headline="4 models",
)
STATUS = Report(
    Outcome.RUNNING,
    revisions=(
        RevisionRow(7, "2", "b" * 32, WHEN, "proved", 1, True, False),
        RevisionRow(6, "", "", None, "failed", 0, False, True),
        RevisionRow(5, "1", "c" * 32, WHEN, "deployed", 0, False, False),
    ),
    headline="iris:7",
)
PLAN = Report(Outcome.PLANNED, plan=("+ stack a", "~ service iris (image)", "- role old", "= cluster c", "? odd"))
GONE = Report(Outcome.DESTROYED, plan=("- stack a", "- role b"))
DOCTOR = Report(
    Outcome.READY,
    findings=(
        Finding("folder", "ok", "iris"),
        Finding("disk", "warning", "2 GB", "Make room."),
        Finding("quotas", "unknown", "no answer"),
        Finding("region", "failed", "mars", "Correct it."),
    ),
)
BUILT = Report(
    Outcome.BUILT,
    image="iris:2",
    build_id="b" * 32,
    stages=(StageResult("build", "done", 1.0),),
    smoke_local=SmokeReport(True, (CheckReport("health", True, 0.1, "ok"),)),
    untested=(),
)
BATCH = Report(
    Outcome.REGISTERED,
    job_definition_arn="arn:aws:batch:r:1:job-definition/iris:3",
    job_definition_revision=3,
    untested=("image",),
    stages=(StageResult("load", "done", 1.0),),
    image="iris:2",
)
REPORTS = {
    "green": GREEN,
    "red": RED,
    "left": LEFT,
    "listed": LISTED,
    "status": STATUS,
    "plan": PLAN,
    "gone": GONE,
    "doctor": DOCTOR,
    "built": BUILT,
    "batch": BATCH,
}


def faces(report: Report) -> Iterator[str]:
    """Yield the report as it is shown here and there."""
    yield f"--- summary of a job\n{markdown(report)}"
    yield f"--- report file\n{to_json(report)}"
    for verbosity in ("normal", "verbose", "quiet"):
        out = io.StringIO()
        with ConsoleDisplay(out, out, verbosity) as display:  # type: ignore[arg-type]
            display.finish(report)
        yield f"--- terminal, {verbosity}\n{out.getvalue()}"
    log = io.StringIO()
    with GitHubDisplay(log) as shown:
        shown.finish(report)
    yield f"--- log of GitHub\n{re.sub('[0-9a-f]{32}(?=$|::$)', 'TOKEN', log.getvalue(), flags=re.MULTILINE)}"


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_is_shown_like_this(name: str) -> None:
    assert "\n".join(faces(REPORTS[name])) == (PLACE / f"{name}.txt").read_text(encoding="utf-8")


if __name__ == "__main__":
    for name, report in REPORTS.items():
        (PLACE / f"{name}.txt").write_text("\n".join(faces(report)), encoding="utf-8")
