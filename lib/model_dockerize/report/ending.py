"""The end of a run: failure, signal, or our defect."""

import traceback
from collections.abc import Mapping
from dataclasses import replace
from functools import reduce

from model_dockerize.answer import Answer
from model_dockerize.cancel import Cancelled
from model_dockerize.errors import ModelDockerizeError
from model_dockerize.outcome import Outcome
from model_dockerize.report.debug import wanted
from model_dockerize.report.facts import with_fact
from model_dockerize.report.model import CheckReport, Failure, Report, SmokeReport
from model_dockerize.report.recorder import Recorder


class Ending:
    """Catches what ends a command; the block sets `outcome`. Only SystemExit and its like pass."""

    def __init__(self, recorder: Recorder, environment: Mapping[str, str]) -> None:
        self.outcome = Outcome.FAILED
        self._recorder, self._environment = recorder, environment
        self._failure: Failure | None = None

    def __enter__(self) -> "Ending":
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        if not isinstance(error, (Exception, Cancelled)):
            return False
        if wanted(self._environment):
            self._recorder.line("error", "debug", "".join(traceback.format_exception(error)))
        self.outcome, self._failure = _failure(error)
        return True

    @property
    def report(self) -> Report:
        """Return the masked report."""
        recorder = self._recorder
        report = reduce(with_fact, recorder.facts, Report(self.outcome, failure=self._failure))
        return masked(replace(report, stages=recorder.stages, warnings=recorder.warnings), recorder)


def masked(report: Report, recorder: Recorder) -> Report:
    """Mask secrets in the whole report: errors may quote others."""

    def smoke(test: SmokeReport | None) -> SmokeReport | None:
        return test and replace(
            test,
            checks=tuple(map(check, test.checks)),
            unproved=tuple(map(recorder.masked, test.unproved)),
            answer=test.answer and answer(test.answer),
        )

    def answer(one: Answer) -> Answer:
        rows = tuple(tuple(map(recorder.masked, row)) for row in one.rows)
        return replace(one, columns=tuple(map(recorder.masked, one.columns)), rows=rows)

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
    facts = {
        name: recorder.masked(fact)
        for name, fact in vars(report).items()
        if isinstance(fact, str) and name != "outcome"
    }
    lists = {name: tuple(map(recorder.masked, vars(report)[name])) for name in ("plan", "changes", "warnings")}
    tests = {"smoke_local": smoke(report.smoke_local), "smoke_deployed": smoke(report.smoke_deployed)}
    findings = tuple(
        replace(one, text=recorder.masked(one.text), remedy=recorder.masked(one.remedy)) for one in report.findings
    )
    return report.with_(**facts, **lists, **tests, findings=findings, failure=failure)


def _failure(error: Exception | Cancelled) -> tuple[Outcome, Failure]:
    if isinstance(error, ModelDockerizeError):
        return error.outcome, Failure.of(error)
    if isinstance(error, Cancelled):
        return Outcome.CANCELLED, _cancelled(error)
    return Outcome.FAILED, _defect(error)


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
