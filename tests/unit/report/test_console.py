"""The console: verdict on its own stream, the reason first, nothing that could redraw the terminal."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from model_dockerize.answer import read
from model_dockerize.errors import SmokeError
from model_dockerize.outcome import Outcome
from model_dockerize.report import CheckReport, Failure, Finding, Recorder, Report, SmokeReport, StageResult
from model_dockerize.report.console import ConsoleDisplay, Verbosity


def shown(report: Report, verbosity: Verbosity = "normal") -> tuple[list[str], str]:
    log, verdict = io.StringIO(), io.StringIO()
    with ConsoleDisplay(log, verdict, verbosity) as display:
        recorder = Recorder(display)
        with recorder.stage("build") as stage:
            stage.output("\x1b[2Jcleared [bold]not markup[/bold]")
            stage.info("compiled in 3 s")
            stage.warning("mind the gap")
    display.finish(report)
    return verdict.getvalue().splitlines(), log.getvalue()


def test_the_reason_is_the_first_line_of_the_verdict() -> None:
    error = SmokeError(
        "The image answers wrongly.", "Compare result and smoke/expected.csv.", ("result: row 3 differs",)
    )
    verdict, _ = shown(Report(failure=Failure.of(error)))
    assert verdict[0] == "failed: The image answers wrongly."
    assert verdict[1] == "Next: Compare result and smoke/expected.csv."
    assert verdict[2].strip() == "result: row 3 differs"
    assert "exit code 6 (smoke)" in verdict[3]


def test_a_single_problem_is_told_once_and_several_each() -> None:
    failure = Failure("program", 3, "x is no image: no entry point.", "Correct it.", ("no entry point.",))
    assert "\n".join(shown(Report(failure=failure))[0]).count("no entry point.") == 1
    failure = replace(failure, details=("no entry point.", "no file."))
    assert "\n".join(shown(Report(failure=failure))[0]).count("no entry point.") == 2


def test_a_childs_line_is_shown_as_text_and_cannot_move_the_cursor() -> None:
    _, log = shown(Report(outcome=Outcome.BUILT, image="iris:1"), "verbose")
    assert "[2Jcleared [bold]not markup[/bold]" in log
    assert "\x1b" not in log
    assert "mind the gap" in log


@pytest.mark.parametrize("verbosity", ["quiet", "normal", "verbose"])
def test_debug_logging_is_shown_however_quiet_the_terminal_is(verbosity: Verbosity) -> None:
    log = io.StringIO()
    with ConsoleDisplay(log, io.StringIO(), verbosity) as display:
        display.line("build", "debug", "asked AWS")
    assert log.getvalue() == "  build: asked AWS\n"


def test_a_command_in_a_warning_can_be_typed_as_one_in_a_line_can() -> None:
    log = io.StringIO()
    with ConsoleDisplay(log, io.StringIO(), "verbose", typed=lambda text: text.replace("FOLDER", "iris")) as display:
        for level in ("info", "warning", "output"):
            display.line("build", level, f"{level} FOLDER")  # type: ignore[arg-type]
    assert [f"{level} iris" in log.getvalue() for level in ("info", "warning", "output")] == [True, True, False]


def test_a_green_run_tells_where_to_open_it() -> None:
    report = Report(outcome=Outcome.DEPLOYED, image="iris:1", url="http://127.0.0.9", build_id="abc")
    verdict, _ = shown(report)
    assert verdict[0] == "deployed iris:1"
    text = "\n".join(verdict)
    assert "/ (curl, Python), /AddJob (upload a file), /swagger (the API)" in text
    assert text.count("http://127.0.0.9") == 1


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
        text = "\n".join(shown(one, "verbose")[0])
        assert text.count("a[2J1Jb[red]c[/red]") >= 8
        assert not [char for char in text if not char.isprintable() and char != "\n"]


def test_lines_of_a_message_stay_apart() -> None:
    verdict, _ = shown(Report(failure=Failure("input", 2, "The file is refused:\nno age", "Look\nat it.", ())))
    assert verdict[:2] == ["failed: The file is refused: no age", "Next: Look at it."]


def test_stage_lines_have_their_seconds() -> None:
    log = io.StringIO()
    with ConsoleDisplay(log, io.StringIO()) as display:
        display.end(StageResult("push", "unchanged", 0.25))
    assert log.getvalue().split() == ["=", "push", "0.2", "s", "unchanged"]


def test_a_green_run_says_what_it_has_not_proved() -> None:
    verdict, _ = shown(Report(Outcome.BUILT, image="iris:1", untested=("image",)))
    assert "not proved: nobody has seen the image answer (smoke-test)" in verdict


GREEN = Report(Outcome.DEPLOYED, image="iris:1", url="http://127.0.0.9", access="anyone", lasts="changes soon")


def test_a_good_stage_is_one_line_with_its_last_words() -> None:
    _, log = shown(GREEN)
    lines = [line.split(maxsplit=4) for line in log.splitlines() if line.strip()]
    assert [line[:2] for line in lines] == [["!", "build"], ["✓", "build"]]
    assert lines[1][4] == "compiled in 3 s"


@pytest.mark.parametrize(("verbosity", "lines"), [("normal", []), ("verbose", ["✓ status", "✓ list"])])
def test_a_good_stage_without_words_is_told_with_v_only(verbosity: Verbosity, lines: list[str]) -> None:
    log = io.StringIO()
    with ConsoleDisplay(log, io.StringIO(), verbosity) as display:
        for name in ("status", "list"):
            display.begin(name)
            display.end(StageResult(name, "done", 0.2))
    assert [" ".join(line.split()[:2]) for line in log.getvalue().splitlines()] == lines


def test_a_failed_stage_without_words_is_told() -> None:
    log = io.StringIO()
    with ConsoleDisplay(log, io.StringIO()) as display:
        display.end(StageResult("ask", "failed", 0.2))
    assert log.getvalue().split() == ["✗", "ask", "0.2", "s", "failed"]


def test_with_v_every_line_is_shown() -> None:
    _, log = shown(GREEN, "verbose")
    assert "| [2Jcleared" in log and "compiled in 3 s" in log and "mind the gap" in log


def test_with_q_only_the_address_is_on_stdout() -> None:
    assert shown(GREEN, "quiet")[0] == ["http://127.0.0.9"]
    failed = Report(failure=Failure("build", 5, "It did not build.", "Correct it.", ()))
    verdict, log = shown(failed, "quiet")
    assert verdict == []
    assert "failed: It did not build." in log


def test_with_q_a_listing_is_all_of_stdout() -> None:
    verdict, log = shown(Report(Outcome.SUCCEEDED, headline="2 of 2 jobs"), "quiet")
    assert (verdict, log) == (["succeeded 2 of 2 jobs"], "")


def test_the_last_lines_are_the_address_who_reaches_it_and_whether_it_lasts() -> None:
    verdict, _ = shown(GREEN)
    assert [line.split(maxsplit=1)[0] for line in verdict[-3:]] == ["url", "reached", "address"]
    assert verdict[-3].split() == ["url", "http://127.0.0.9"]
    assert verdict[-1].endswith("changes soon")


def test_evidence_of_endless_lines_is_cut_but_with_v() -> None:
    failure = Failure("build", 5, "It did not build.", "", (f"ERROR: from versions {'1.0, ' * 500}", "short"))
    assert max(map(len, shown(Report(failure=failure))[0])) < 430
    assert "short" in " ".join(shown(Report(failure=failure))[0])
    assert max(map(len, shown(Report(failure=failure), "verbose")[0])) > 2000


def test_no_text_becomes_an_emoji() -> None:
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:nope-abcdef :100: :x:"
    verdict, _ = shown(Report(failure=Failure("aws", 9, arn, arn, (arn,))))
    assert "\n".join(verdict).count(arn) == 3


def test_a_plan_ends_with_its_counts() -> None:
    verdict, _ = shown(Report(Outcome.PLANNED, plan=("+ a", "+ b", "~ c", "= d")))
    assert verdict[-1].strip() == "2 to make, 1 to change, 1 as it is"


class Terminal(io.StringIO):
    """A terminal whose colors nobody sees."""

    def lines(self) -> list[str]:
        return re.sub(r"\x1b\[[0-9;]*m", "", self.getvalue()).splitlines()

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [80, 100])
def test_on_a_terminal_lines_end_between_words_and_hang(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    words = "The image does not answer as a model must because Dockerfile.d/ockerignore was left out of it; " * 3
    verdict = Terminal()
    display = ConsoleDisplay(io.StringIO(), verdict)
    display.finish(Report(failure=Failure("smoke", 6, words, words, (words,)), url=f"http://{'a' * 150}"))
    lines = verdict.lines()
    assert " ".join(" ".join(lines).split()).count(" ".join(words.split())) == 3
    assert all(len(line) <= columns for line in lines if "http" not in line)
    first = lines.index(next(line for line in lines if line.startswith("Next:")))
    assert all(line.startswith("  ") and line[2] != " " for line in lines[1:first])
    assert any(line.endswith("a" * 150) for line in lines), "an address stays whole"


def test_what_runs_long_says_so_every_15_seconds_without_a_terminal() -> None:
    now, log = [0.0], io.StringIO()
    display = ConsoleDisplay(log, io.StringIO(), clock=lambda: now[0])
    display.begin("push")
    for second in range(0, 41):
        now[0] = float(second)
        display.transfer("push", "sending layers", second * 10_000_000, 1_000_000_000)
        display.tick()
    assert [" ".join(line.split()) for line in log.getvalue().splitlines()] == [
        "push sending layers 15%, 150 of 1000 MB, 10.0 MB/s, 1 min 25 s left (15 s)",
        "push sending layers 30%, 300 of 1000 MB, 10.0 MB/s, 1 min 10 s left (30 s)",
    ]


def test_a_stage_without_a_transfer_says_what_it_is_at() -> None:
    now, log = [0.0], io.StringIO()
    display = ConsoleDisplay(log, io.StringIO(), clock=lambda: now[0])
    display.begin("deploy")
    display.line("deploy", "info", "iris:1: 0 of 1 running")
    now[0] = 80.0
    display.tick()
    assert log.getvalue().split(maxsplit=1)[1].strip() == "iris:1: 0 of 1 running (1 min 20 s)"


@pytest.mark.parametrize(
    ("words", "bar"),
    [
        ("13/20 done, 1 failed, 6 running", "━" * 13),
        ("20/20 done", "━" * 20),
        ("0/20 done, 20 waiting", ""),
        ("sent 13/20 done", None),
        ("1/0 done", None),
    ],
)
def test_jobs_that_are_counted_have_one_bar(words: str, bar: str | None) -> None:
    display = ConsoleDisplay(io.StringIO(), io.StringIO(), clock=lambda: 0.0)
    display.begin("jobs")
    display.line("jobs", "info", words)
    drawn = io.StringIO()
    Console(file=drawn, width=100, color_system=None, force_terminal=False).print(display._status())
    shown = " ".join(drawn.getvalue().split("jobs 0 s", 1)[1].split())
    assert shown == " ".join(filter(None, (bar, words)))


def test_a_stage_that_speaks_or_is_over_is_not_said_to_run() -> None:
    now, log = [0.0], io.StringIO()
    display = ConsoleDisplay(log, io.StringIO(), "verbose", lambda: now[0])
    display.begin("build")
    now[0] = 14.0
    display.line("build", "output", "a step")
    now[0] = 20.0
    display.tick()
    display.end(StageResult("build", "done", 20.0))
    now[0] = 60.0
    display.tick()
    assert "still running" not in log.getvalue()


def with_answer(content: bytes) -> Report:
    return GREEN.with_(smoke_local=SmokeReport(True, (CheckReport("result", True, 0.1, ""),), (), read(content)))


def test_the_answer_is_a_table_with_numbers_to_the_right() -> None:
    content = b"name,score\n" + b"".join(f"n{n},{10**n}\n".encode() for n in range(8))
    lines = shown(with_answer(content))[0]
    assert lines[1] == "answer CSV, 3 of 8 rows, 79 bytes"
    assert lines[2] == "  name  score"
    assert lines[3:6] == [f"  n{n}    {10**n:>5}" for n in range(3)]


@pytest.mark.parametrize(("outcome", "is_said"), [(Outcome.DEPLOYED, True), (Outcome.WRITTEN, False)])
def test_an_answer_that_nobody_compared_is_kept_by_a_command_until_it_is_kept(outcome: Outcome, is_said: bool) -> None:
    test = SmokeReport(True, (), (), read(b"a\n1\n"), is_compared=False)
    assert ("smoke FOLDER --keep" in "\n".join(shown(GREEN.with_(outcome=outcome, smoke_local=test))[0])) is is_said


def test_an_answer_wider_than_the_terminal_says_how_much_more_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    content = ",".join(f"column{n}" for n in range(30)) + "\n" + ",".join("1" for _ in range(30)) + "\n"
    verdict = Terminal()
    ConsoleDisplay(io.StringIO(), verdict).finish(with_answer(content.encode()))
    lines = verdict.lines()
    assert "  column0  column1  column2  column3" in lines
    assert "  and 26 more columns" in lines


def test_a_hostile_answer_cannot_redraw_the_terminal() -> None:
    lines = shown(with_answer(f"a,b\n{HOSTILE},\x1b]8;;http://x\x07link\n".encode()))[0]
    assert not [char for char in "".join(lines) if not char.isprintable()]
    assert "[red]c[/red]" in "".join(lines)


def test_counts_of_what_was_removed_are_in_the_past() -> None:
    plan = ("- service iris", "- cluster c", "= repository iris")
    assert "2 removed, 1 as it is" in "\n".join(shown(Report(Outcome.DESTROYED, plan=plan))[0])
    assert "2 to remove, 1 as it is" in "\n".join(shown(Report(Outcome.PLANNED, plan=plan))[0])


def test_a_failed_rollout_shows_no_answer_that_was_right() -> None:
    answered = SmokeReport(True, (CheckReport("result", True, 0.1, ""),), (), read(b"a,b\n1,2\n"))
    failed = Report(Outcome.ROLLED_BACK, failure=Failure("rollout", 11, "It died.", "", ()), smoke_local=answered)
    assert failed.answer is None
    assert replace(failed, failure=Failure("smoke-deployed", 12, "Wrong.", "", ())).answer is not None
