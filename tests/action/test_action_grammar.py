"""The runner's grammars, rule by rule: what our own writers are tested against must itself be right."""

import pytest

from tests.action.grammar import (
    LARGEST_SUMMARY,
    Command,
    FileCommandError,
    Log,
    container_path,
    input_variable,
    parse_command,
    parse_file,
    shown_summary,
)


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", []),
        ("\n\n", []),
        ("a=b", [("a", "b")]),
        ("a=b\n\nc=d\n", [("a", "b"), ("c", "d")]),
        ("a=", [("a", "")]),
        ("a=b=c", [("a", "b=c")]),
        ("a=b<<c", [("a", "b<<c")]),
        ("a = b ", [("a ", " b ")]),
        ("a<<E\nE\n", [("a", "")]),
        ("a<<E\nE", [("a", "")]),
        ("a<<E\none\ntwo\nE\n", [("a", "one\ntwo")]),
        ("a<<E\n\n\nE\n", [("a", "\n")]),
        ("a<<E=F\nx\nE=F\n", [("a", "x")]),
        ("a<<E\nx E\nE x\n E\nE\n", [("a", "x E\nE x\n E")]),
        ("a<<E\nb=c\nE\nd=e\n", [("a", "b=c"), ("d", "e")]),
        ("a<<E\nx\r\nE\n", [("a", "x\r")]),
        ("a=1\na=2\n", [("a", "1"), ("a", "2")]),
        ("\ufeffa=b\n", [("a", "b")]),
        ("a<<<b\n<b\n", [("a", "")]),
        ("a<<E F\nx\nE F\n", [("a", "x")]),
        ("a<<E\nx<<y\nE\n", [("a", "x<<y")]),
        ("a<<E\n1\nE\nb<<E\n2\nE\n", [("a", "1"), ("b", "2")]),
        ("a<<E\n\nE\n", [("a", "")]),
        ("a=x\u2028y\n", [("a", "x\u2028y")]),
        ("a=\U0001f600\n", [("a", "\U0001f600")]),
    ],
)
def test_command_files(text: str, pairs: list[tuple[str, str]]) -> None:
    assert parse_file(text) == pairs


@pytest.mark.parametrize("text", ["a", "=b", "<<E\nE\n", "a<<\nx\n\n", "a<<E\nx", "a<<E\nx\n", "a<<E\nxE\n", "a<<E"])
def test_command_files_that_fail_the_step(text: str) -> None:
    with pytest.raises(FileCommandError):
        parse_file(text)


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("::error::boom", Command("error", {}, "boom")),
        ("  ::error::boom", Command("error", {}, "boom")),
        ("x ::error::boom", None),
        ("::unknown::boom", None),
        ("::error boom", None),
        ("::error file=a.py,line=3::b::c", Command("error", {"file": "a.py", "line": "3"}, "b::c")),
        ("::error file=a%3Ab%2Cc::%25 %0A%0D", Command("error", {"file": "a:b,c"}, "% \n\r")),
        ("::error file=,line=3::x", Command("error", {"line": "3"}, "x")),
        ("anywhere ##[error]boom", Command("error", {}, "boom")),
        ("##[error file=a;line=3]b%5D%3B", Command("error", {"file": "a", "line": "3"}, "b];")),
        ("##[command]x", None),
        ("::ERROR::boom", Command("ERROR", {}, "boom")),
        ("::error::", Command("error", {}, "")),
        ("::::x", None),
        ("::", None),
        (":: error::x", None),
        ("::error  file=a::x", Command("error", {"file": "a"}, "x")),
        ("::error file::x", Command("error", {}, "x")),
        ("::error =a,file=b::x", Command("error", {"file": "b"}, "x")),
        ("::error file=a=b::x", Command("error", {"file": "a=b"}, "x")),
        ("::error FILE=a::x", Command("error", {"file": "a"}, "x")),
        ("::error::%250A", Command("error", {}, "%0A")),
        ("::error::%3A%2C", Command("error", {}, "%3A%2C")),
        ("::error title=%250A%253A::x", Command("error", {"title": "%0A%3A"}, "x")),
        ("##[error", None),
        ("]##[error]x", Command("error", {}, "x")),
        ("\x1b[31m::error::x", None),
        ("\x1b[31m##[error]x", Command("error", {}, "x")),
        ("", None),
    ],
)
def test_workflow_commands(line: str, command: Command | None) -> None:
    assert parse_command(line) == command


def read(*lines: str) -> Log:
    log = Log()
    for line in lines:
        log.feed(line)
    return log


def test_nothing_is_obeyed_between_stop_and_its_token() -> None:
    log = read("::stop-commands::abcdefgh", "::error::no", "x ##[error]no", "::other::", "::abcdefgh::", "::error::yes")
    assert [command.data for command in log.commands] == ["yes"]
    assert "::stop-commands::***" in log.lines
    assert "::error::no" in log.lines


@pytest.mark.parametrize("token", ["", "error", "stop-commands"])
def test_tokens_that_are_refused(token: str) -> None:
    log = read(f"::stop-commands::{token}", "::error::obeyed")
    assert log.problems
    assert [command.data for command in log.commands] == ["obeyed"]


def test_a_second_stop_is_not_obeyed_and_the_token_is_asked_for_in_any_case() -> None:
    log = read("::stop-commands::abcdefgh", "::stop-commands::mine", "::mine::", "::error::no", "::ABCDEFGH::")
    assert log.commands == []
    log.feed("::error::yes")
    assert [command.data for command in log.commands] == ["yes"]


def test_only_a_long_token_is_masked() -> None:
    assert read("::stop-commands::abcdef").masks == []
    assert read("::stop-commands::abcdefg").masks == ["abcdefg"]


def test_masks_cover_each_line_from_then_on() -> None:
    log = read("early hunter2", "::add-mask::hunter2%0Asecond", "late hunter2 second", "::add-mask:: ")
    assert log.lines[:2] == ["early hunter2", "late *** ***"]
    assert log.problems == ["add-mask without a value"]


def test_ten_annotations_of_a_kind_are_kept() -> None:
    log = read(*(f"::error::{number}" for number in range(12)), f"::warning::{'x' * 5000}")
    assert [command.data for command in log.annotations("error")] == [str(number) for number in range(10)]
    assert len(log.annotations("warning")[0].data) == 4096


def test_inputs_and_paths() -> None:
    assert input_variable("image-name") == "INPUT_IMAGE-NAME"
    assert input_variable("my name") == "INPUT_MY_NAME"
    mappings = [("/w/_temp", "/github/runner_temp"), ("/w/_temp/_github_home", "/github/home")]
    assert container_path("/w/_temp/_github_home/x", mappings) == "/github/home/x"
    assert container_path("/w/_temp", mappings) == "/github/runner_temp"
    assert container_path("/w/_temporary", mappings) == "/w/_temporary"
    assert container_path("see /w/_temp", mappings) == "see /w/_temp"


def test_a_summary_that_is_too_large_is_dropped() -> None:
    assert shown_summary("x" * LARGEST_SUMMARY)
    assert shown_summary("x" * LARGEST_SUMMARY + "x") is None
    # Bytes count, not characters.
    assert shown_summary("ü" * (LARGEST_SUMMARY // 2))
    assert shown_summary("ü" * (LARGEST_SUMMARY // 2) + "x") is None
