"""One end for every command: an outcome, the facts found before it, and an exit code that the page documents."""

import re
from pathlib import Path

import pytest

from model_dockerize import errors
from model_dockerize.cancel import Cancelled
from model_dockerize.errors import ModelDockerizeError
from model_dockerize.outcome import Outcome
from model_dockerize.report import Ending, Recorder, SmokeReport
from model_dockerize.report.facts import Address, Identity, NoAddress, Planned, SmokeTested, Untested
from tests.rig.deployer import Quiet

KINDS = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, ModelDockerizeError)]


def ending_of(*facts: object, error: BaseException | None = None, outcome: Outcome = Outcome.BUILT) -> Ending:
    recorder = Recorder(Quiet())
    with Ending(recorder, {}) as ending:
        for fact in facts:
            recorder.found(fact)  # type: ignore[arg-type]
        if error:
            raise error
        ending.outcome = outcome
    return ending


def codes(outcome: Outcome) -> set[int]:
    """Return the exit codes that the page names beside an outcome: "2 - 9, 14"."""
    found: set[int] = set()
    for first, last in re.findall(r"(\d+)(?: - (\d+))?", outcome.codes):
        found |= set(range(int(first), int(last or first) + 1))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_ends_a_command_as_its_class_says(kind: type[ModelDockerizeError]) -> None:
    report = ending_of(Identity("iris:1", "b"), error=kind("what", "do", ("line",))).report
    assert report.failure
    assert (report.outcome, report.exit_code, report.image) == (kind.outcome, kind.exit_code, "iris:1")
    assert kind.exit_code in codes(kind.outcome)


def test_kinds_and_codes_are_unique() -> None:
    assert len({kind.exit_code for kind in KINDS}) == len({kind.kind for kind in KINDS}) == len(KINDS) == 16


def test_an_error_may_know_its_outcome_better_than_its_class() -> None:
    error = errors.RolloutError("It failed.", outcome=Outcome.ROLLED_BACK)
    assert ending_of(error=error).report.outcome is Outcome.ROLLED_BACK
    assert errors.RolloutError("It failed.").outcome is Outcome.FAILED


def test_a_signal_and_a_defect_are_ends_too() -> None:
    cancelled, defect = ending_of(error=Cancelled(15)).report, ending_of(error=KeyError("x")).report
    assert (cancelled.outcome, cancelled.exit_code) == (Outcome.CANCELLED, 143)
    assert (defect.outcome, defect.exit_code) == (Outcome.FAILED, 1)
    with pytest.raises(SystemExit):
        ending_of(error=SystemExit(3))


def test_a_command_that_says_no_outcome_is_not_green() -> None:
    recorder = Recorder(Quiet())
    with Ending(recorder, {}) as ending:
        pass
    assert ending.report.outcome is Outcome.FAILED


def test_the_report_is_made_of_what_was_found_the_last_word_counts() -> None:
    test = SmokeReport(True, ())
    report = ending_of(
        Identity("iris:1", "a"),
        Identity("iris:2", "b"),
        Address("http://a", "anyone"),
        NoAddress(),
        SmokeTested("service", test),
        Untested("image"),
        Untested("service"),
        Planned(("+ x",)),
    ).report
    assert (report.outcome, report.image, report.build_id) == (Outcome.BUILT, "iris:2", "b")
    assert (report.url, report.access) == ("", "")
    assert (report.smoke_deployed, report.smoke_local) == (test, None)
    assert report.untested == ("image", "service")
    assert report.plan == ("+ x",)


def test_a_secret_that_was_found_is_masked() -> None:
    recorder = Recorder(Quiet())
    with Ending(recorder, {}) as ending:
        recorder.secret("s3cr3t-value")
        recorder.found(Address("http://s3cr3t-value", "s3cr3t-value"))
        ending.outcome = Outcome.RUNNING
    assert (ending.report.url, ending.report.access) == ("http://***", "***")


def test_every_outcome_stands_on_the_page() -> None:
    page = (Path(__file__).parents[3] / "docs" / "exit-codes.md").read_text(encoding="utf-8")
    assert [one for one in Outcome if f"| `{one}` | {one.codes} |" not in page] == []


def test_a_traceback_says_what_is_wrong() -> None:
    error = errors.InputError("2 inputs are wrong.", "Correct them.", ("memmory: no input", "name: not valid"))
    assert error.__notes__ == ["memmory: no input", "name: not valid", "Next: Correct them."]
