"""The console: verdict on its own stream, the reason first, nothing that could redraw the terminal."""

import io

from model_dockerize.errors import SmokeError
from model_dockerize.outcome import Outcome
from model_dockerize.report import Failure, Finding, Recorder, Report, StageResult
from model_dockerize.report.console import ConsoleDisplay


def shown(report: Report) -> tuple[list[str], str]:
    log, verdict = io.StringIO(), io.StringIO()
    with ConsoleDisplay(log, verdict) as display:
        recorder = Recorder(display)
        with recorder.stage("build") as stage:
            stage.output("\x1b[2Jcleared [bold]not markup[/bold]")
            stage.warning("mind the gap")
    display.finish(report)
    return verdict.getvalue().splitlines(), log.getvalue()


def test_the_reason_is_the_first_line_of_the_verdict() -> None:
    error = SmokeError(
        "The image answers wrongly.", "Compare result and smoke/expected.csv.", ("result: row 3 differs",)
    )
    verdict, _ = shown(Report(failure=Failure.of(error)))
    assert verdict[0] == "failed: The image answers wrongly."
    assert verdict[1].strip() == "result: row 3 differs"
    assert verdict[2] == "Next: Compare result and smoke/expected.csv."
    assert "exit code 6 (smoke)" in verdict[3]


def test_a_childs_line_is_shown_as_text_and_cannot_move_the_cursor() -> None:
    _, log = shown(Report(outcome=Outcome.BUILT, image="iris:1"))
    assert "[2Jcleared [bold]not markup[/bold]" in log
    assert "\x1b" not in log
    assert "mind the gap" in log


def test_a_green_run_tells_where_to_open_it() -> None:
    report = Report(outcome=Outcome.DEPLOYED, image="iris:1", url="http://127.0.0.9", build_id="abc")
    verdict, _ = shown(report)
    assert verdict[0] == "deployed iris:1"
    text = "\n".join(verdict)
    assert "http://127.0.0.9/swagger" in text
    assert "http://127.0.0.9/AddJob" in text


def test_a_run_says_who_can_reach_the_model() -> None:
    report = Report(outcome=Outcome.DEPLOYED, url="http://127.0.0.9", access="10.0.0.0/8, with an API key")
    assert "reached by 10.0.0.0/8, with an API key" in shown(report)[0]


#: Moves the cursor, clears the screen, ends the line, and is markup.
HOSTILE = "a\x1b[2J\r\x9b1Jb\x08[red]c[/red]"


def test_no_text_of_the_last_words_can_redraw_the_terminal() -> None:
    failure = Failure("smoke", 6, HOSTILE, HOSTILE, (HOSTILE,))
    finding = Finding("engine", "failed", HOSTILE, HOSTILE)
    facts = dict.fromkeys(("image", "image_uri", "url", "access", "build_id", "archive", "service_arn"), HOSTILE)
    report = Report(Outcome.BUILT, **facts, plan=(HOSTILE,), findings=(finding,))  # type: ignore[arg-type]
    for one in (report, report.with_(failure=failure)):
        text = "\n".join(shown(one)[0])
        assert text.count("a[2J1Jb[red]c[/red]") >= 9
        assert not [char for char in text if not char.isprintable() and char != "\n"]


def test_stage_lines_have_their_seconds() -> None:
    log = io.StringIO()
    with ConsoleDisplay(log, io.StringIO()) as display:
        display.end(StageResult("push", "unchanged", 0.25))
    assert log.getvalue().strip() == "= push unchanged 0.2 s"


def test_a_green_run_says_what_it_has_not_proved() -> None:
    verdict, _ = shown(Report(Outcome.BUILT, image="iris:1", untested=("image",)))
    assert "not proved: nobody has seen the image answer (smoke-test)" in verdict
