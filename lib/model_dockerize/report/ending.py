"""The end of a run in its report: an expected failure, a signal, or a defect of ours."""

import traceback
from collections.abc import Mapping
from dataclasses import replace

from model_dockerize.cancel import Cancelled
from model_dockerize.errors import ModelDockerizeError
from model_dockerize.report.debug import wanted
from model_dockerize.report.model import CheckReport, Failure, Report, SmokeReport
from model_dockerize.report.recorder import Recorder

# Kinds of failure that are outcomes of their own: nobody may take them for a plain "failed".
_OUTCOMES = ("timed-out", "superseded", "paused")


def ended(report: Report, error: Exception | Cancelled) -> Report:
    """Return `report` as failed by `error`; keep an outcome that says more than "failed"."""
    if isinstance(error, ModelDockerizeError):
        outcome = error.kind if error.kind in _OUTCOMES else report.outcome
        return replace(report, outcome=outcome, failure=Failure.of(error))
    if isinstance(error, Cancelled):
        return replace(report, outcome="cancelled", failure=_cancelled(error))
    return replace(report, outcome="failed", failure=_defect(error))


def concluded(
    report: Report, recorder: Recorder, environment: Mapping[str, str], error: Exception | Cancelled
) -> Report:
    """Return `ended` with what the recorder knows, masked; with debug logging, log the traceback."""
    if wanted(environment):
        recorder.line("error", "debug", "".join(traceback.format_exception(error)))
    report = ended(report, error)
    return masked(report.with_(stages=recorder.stages, warnings=recorder.warnings), recorder)


def masked(report: Report, recorder: Recorder) -> Report:
    """Mask secrets in the whole report: errors may quote others."""

    def smoke(test: SmokeReport | None) -> SmokeReport | None:
        return test and replace(
            test, checks=tuple(map(check, test.checks)), unproved=tuple(map(recorder.masked, test.unproved))
        )

    def check(one: CheckReport) -> CheckReport:
        return replace(one, detail=recorder.masked(one.detail))

    failure = report.failure
    if failure:
        failure = replace(
            failure,
            message=recorder.masked(failure.message),
            remedy=recorder.masked(failure.remedy),
            details=tuple(map(recorder.masked, failure.details)),
        )
    facts = {name: recorder.masked(fact) for name, fact in vars(report).items() if isinstance(fact, str)}
    lists = {name: tuple(map(recorder.masked, vars(report)[name])) for name in ("plan", "changes", "warnings")}
    tests = {"smoke_local": smoke(report.smoke_local), "smoke_deployed": smoke(report.smoke_deployed)}
    findings = tuple(
        replace(one, text=recorder.masked(one.text), remedy=recorder.masked(one.remedy)) for one in report.findings
    )
    return report.with_(**facts, **lists, **tests, findings=findings, failure=failure)


def _cancelled(cancelled: Cancelled) -> Failure:
    return Failure(
        "cancelled",
        cancelled.exit_code,
        f"The run was cancelled ({cancelled.signal.name}).",
        "Run it again to finish. Builds and containers of this run were stopped; what goes on in AWS is told above.",
        (),
    )


def _defect(error: Exception) -> Failure:
    return Failure(
        "internal",
        1,
        f"This is a defect of model-dockerize: {type(error).__name__}: {error}",
        "Please report it, with the log of the same run with MODEL_DOCKERIZE_DEBUG=1 in the environment.",
        (),
    )
