"""The runner reads our lines rightly by its own grammars, and obeys nobody else's."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_dockerize.errors import BuildError, InputError
from model_dockerize.outcome import Outcome
from model_dockerize.report import Failure, Recorder, Report, StageResult
from model_dockerize.report.github import GitHubDisplay, annotations, outputs, printable
from tests.action.grammar import FileCommandError, Log, parse_file

# Texts that mean something to the runner, among anything else.
HOSTILE = st.lists(
    st.sampled_from(
        ["::set-output name=url::", "##[error]", "::", "\n", "\r", "%0A", "%", "]", ",", ":", "\x1b[0m", "\u2028"]
    )
    | st.text(max_size=8)
).map("".join)


def read(stream: io.StringIO) -> Log:
    log = Log()
    # As .NET's StreamReader does: at \n, \r and \r\n.
    for line in stream.getvalue().replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        log.feed(line)
    return log


def test_a_run_reads_well() -> None:
    stream = io.StringIO()
    with GitHubDisplay(stream) as display:
        recorder = Recorder(display)
        with recorder.stage("build") as stage:
            stage.info("found it")
            stage.output("\x1b[31mpip says\x1b[0m hello\r50 %")
        display.finish(Report(Outcome.BUILT, image="iris:latest"))
    lines = read(stream).lines
    assert lines[1:5] == [
        "▸ build",
        "  build          found it",
        "  build          | pip says hello",
        "  build          | 50 %",
    ]
    assert lines[5].startswith("✓ build (")
    assert lines[6] == "built: iris:latest"


@given(st.lists(st.tuples(st.sampled_from(["info", "output"]), HOSTILE), max_size=5), HOSTILE)
def test_nothing_that_others_say_is_obeyed(said: list[tuple[str, str]], other: str) -> None:
    stream = io.StringIO()
    with GitHubDisplay(stream) as display:
        recorder = Recorder(display)
        with recorder.stage("build") as stage:
            for level, text in said:
                (stage.info if level == "info" else stage.output)(text)
            # A library that prints by itself, past every display.
            stream.write(other + "\n")
        display.finish(Report(Outcome.BUILT, image="iris:latest"))
    log = read(stream)
    assert log.commands == []
    assert log.problems == []


@given(HOSTILE, HOSTILE, st.integers(1, 99))
def test_a_warning_is_one_annotation_with_its_own_text(text: str, name: str, line: int) -> None:
    stream = io.StringIO()
    file = Path("/github/workspace", name.replace("\0", "") or "x")
    with GitHubDisplay(stream) as display:
        display.line("program", "warning", text, file, line)
    (warning,) = read(stream).commands
    assert warning.name == "warning"
    assert warning.data == text
    assert warning.properties == {"title": "model-dockerize: program", "file": str(file), "line": str(line)}


def test_of_many_warnings_none_is_lost() -> None:
    stream = io.StringIO()
    with GitHubDisplay(stream) as display:
        for number in range(25):
            display.line("program", "warning", f"warning number {number}.")
    shown = read(stream).annotations("warning")
    assert len(shown) == 10
    for number in range(25):
        assert any(f"warning number {number}." in one.data for one in shown)


@given(HOSTILE.filter(str.strip))
def test_a_secret_is_masked_once_and_whole(value: str) -> None:
    stream = io.StringIO()
    with GitHubDisplay(stream) as display:
        display.secret(value)
        display.secret(value)
    log = read(stream)
    assert [command.name for command in log.commands] == ["add-mask"]
    assert log.commands[0].data == value


def test_a_masked_secret_is_not_shown_afterwards() -> None:
    stream = io.StringIO()
    with GitHubDisplay(stream) as display:
        recorder = Recorder(display)
        with recorder.stage("push") as stage:
            stage.secret("hunter2hunter2")
            stage.output("the password is hunter2hunter2")
    assert stream.getvalue().count("hunter2hunter2") == 1
    assert "hunter2" not in "\n".join(read(stream).lines)


def test_every_stop_has_a_token_of_its_own() -> None:
    stream = io.StringIO()
    with GitHubDisplay(stream) as display:
        for _ in range(3):
            display.line("program", "warning", "x")
    tokens = [line.split("::")[2] for line in stream.getvalue().splitlines() if line.startswith("::stop-commands::")]
    assert len(set(tokens)) == len(tokens) == 4
    assert all(len(token) == 32 for token in tokens)


def test_wrong_inputs_are_annotated_one_by_one_where_they_stand() -> None:
    details = ("/w/model-dockerize.yml, line 3: cpu: many", "input vpc: no such thing", "odd, line 3: relative")
    found = annotations(Failure.of(InputError("3 inputs are wrong.", "Correct them.", details)))
    assert [(one.file, one.line, one.message) for one in found] == [
        ("/w/model-dockerize.yml", 3, "cpu: many"),
        ("", None, "input vpc: no such thing"),
        ("", None, "odd, line 3: relative"),
    ]


@pytest.mark.parametrize("count", [1, 10, 11, 60])
def test_at_most_ten_annotations_hold_all_problems(count: int) -> None:
    details = tuple(f"/w/m.yml, line {number}: problem {number}." for number in range(1, count + 1))
    found = annotations(Failure.of(InputError("wrong", "", details)))
    assert len(found) == min(count, 10)
    for number in range(1, count + 1):
        assert any(f"problem {number}." in one.message for one in found)
    last = f"/w/m.yml:{count}: problem {count}." in found[-1].message if count > 10 else found[-1].line == count
    assert last, found[-1]


def test_another_failure_is_one_annotation_that_fits() -> None:
    (one,) = annotations(Failure.of(BuildError("It broke.", "Mend it.", tuple("x" * 400 for _ in range(30)))))
    assert one.message.startswith("It broke.\nMend it.\nxxx")
    assert len(one.command()) <= 4096 + 100


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9-]{0,10}", fullmatch=True), HOSTILE))
def test_outputs_come_back_as_they_were(values: dict[str, str]) -> None:
    assert dict(parse_file(outputs(values))) == values


@pytest.mark.parametrize("name", ["", "a b", "a=b", "a<<b", "a\nb", "1a"])
def test_names_that_the_grammar_cannot_carry(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name"):
        outputs({name: "x"})


def test_a_value_that_holds_its_delimiter_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.token_hex", lambda size: "a" * 2 * size)
    with pytest.raises(ValueError, match="its own delimiter"):
        outputs({"url": f"x\nghadelimiter_{'a' * 32}\nurl=evil"})


def test_the_grammar_would_notice_an_unfinished_value() -> None:
    with pytest.raises(FileCommandError):
        parse_file(outputs({"url": "x"}).rstrip("\n") + "y")


def test_printable_keeps_words_and_tabs() -> None:
    assert printable("a\tb\x1b]8;;http://x\x07c\x00\x08") == "a\tbc"


def test_the_end_of_a_stage_names_its_result() -> None:
    stream = io.StringIO()
    with GitHubDisplay(stream) as display:
        display.end(StageResult("push", "unchanged", 1.25))
    assert "= push unchanged (1.2 s)" in stream.getvalue()


def test_the_last_words_say_what_is_not_proved_and_the_exit_code() -> None:
    stream = io.StringIO()
    with GitHubDisplay(stream) as display:
        display.finish(Report(Outcome.DEPLOYED, image="iris:1", untested=("service",)))
        display.finish(Report(failure=Failure("build", 5, "It did not build.", "Correct it.", ())))
    lines = read(stream).lines
    assert "not proved: nobody has seen the service answer (smoke-test)" in lines
    assert lines[lines.index("Next: Correct it.") + 1] == "exit code 5 (build)"


def test_a_silent_stage_says_that_it_runs() -> None:
    now, stream = [0.0], io.StringIO()
    display = GitHubDisplay(stream, lambda: now[0])
    display.begin("build")
    display.line("build", "info", "exporting")
    now[0] = 16.0
    display.tick()
    assert read(stream).lines[-2].split() == ["build", "exporting", "(16", "s)"]


def test_a_long_log_is_whole_though_an_annotation_cannot_hold_it() -> None:
    stream = io.StringIO()
    details = ("a.csv: KeyError\n" + "\n".join(f"line {n}" for n in range(21)),)
    with GitHubDisplay(stream) as display:
        display.finish(Report(failure=Failure("batch", 10, "1 of 1 jobs failed.", "Correct it.", details)))
    assert [f"  line {n}" in stream.getvalue().splitlines() for n in range(21)] == [True] * 21
