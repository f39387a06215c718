"""The job summary: outcome first, everything a reader wants, nothing that a model could smuggle in."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_dockerize import answer
from model_dockerize.errors import BuildError
from model_dockerize.outcome import Outcome
from model_dockerize.report import CheckReport, Failure, Report, SmokeReport, StageResult
from model_dockerize.report.summary import LARGEST, markdown, plain

GOOD = Report(
    outcome=Outcome.DEPLOYED,
    image="iris:v1",
    image_uri="1.dkr.ecr.eu-central-1.amazonaws.com/iris@sha256:abc",
    digest="sha256:abc",
    build_id="0123",
    url="http://203.0.113.5",
    job_definition_arn="arn:aws:batch:x:1:job-definition/iris:7",
    job_definition_revision=7,
    stages=(
        StageResult("build", "done", 30.0),
        StageResult("push", "unchanged", 3.0),
        StageResult("check", "done", 0.0),
    ),
    smoke_deployed=SmokeReport(True, (CheckReport("health", True, 0.1, "Health check is ok"),)),
    warnings=("No sample.",),
)


def read(text: str) -> str:
    """Return a text as a person sees it."""
    return html.unescape(text)


def test_the_outcome_comes_first_and_the_facts_follow() -> None:
    text = read(markdown(GOOD))
    assert text.startswith("## ✅ deployed · iris:v1\n")
    assert "](http://203.0.113.5)" in text
    assert "[swagger](http://203.0.113.5/swagger)" in text
    for fact in (
        "iris@sha256:abc",
        "(revision 7)",
        "- build\n",
        "1 of 1 passed",
        "No sample.",
    ):
        assert fact in text
    assert "| build | done | 30.0 | ████████████████████ |" in text


def test_it_says_who_can_reach_the_model() -> None:
    paragraphs = read(markdown(GOOD.with_(access="10.0.0.0/8, with an API key"))).split("\n\n")
    assert paragraphs[1].startswith("The model answers at ") and paragraphs[1].endswith("/AddJob)")
    assert paragraphs[2] == "Who can reach it: **10.0.0.0/8, with an API key**"
    assert "Who can reach it" not in markdown(GOOD.with_(url="", access="10.0.0.0/8"))


def test_what_was_done_in_aws_is_named_and_what_was_left_is_counted() -> None:
    changes = ("+ repository iris", "= cluster models", "~ service iris (desiredCount)", "= role *", "+ log group <b>")
    text = markdown(GOOD.with_(changes=changes))
    for line in ("- made: repository iris", "- changed: service iris (desiredCount)", "- as it was: 2 more"):
        assert line in text.splitlines()
    assert "- made: log group &#60;b&#62;" in text
    assert "cluster models" not in text
    unchanged = markdown(GOOD.with_(outcome=Outcome.UNCHANGED, changes=("= cluster models",)))
    assert "### What changed\n\n- as it was: 1 more" not in unchanged
    assert "Nothing changed" in unchanged


def test_what_passed_is_folded_and_what_failed_is_open() -> None:
    check = CheckReport("health", False, 0.1, "404")
    text = markdown(GOOD.with_(smoke_local=SmokeReport(False, (check,))))
    assert "<details open><summary><strong>Smoke test of the image: 0 of 1 passed" in text
    assert "<details><summary><strong>Smoke test of the service: 1 of 1 passed" in text


def test_a_green_run_that_proved_nothing_says_so() -> None:
    assert "Not proved: this run had no sample to send" in markdown(GOOD)
    check = CheckReport("result", True, 0.1, "as expected.csv")
    assert "Not proved" not in markdown(GOOD.with_(smoke_deployed=SmokeReport(True, (check,))))
    unproved = SmokeReport(True, (check,), ("it has no /health",))
    assert "Not proved: it has no /health" in markdown(GOOD.with_(smoke_deployed=unproved))
    assert "Not proved: nobody has seen the service answer" in markdown(GOOD.with_(untested=("service",)))


def test_a_failure_says_what_and_what_next_before_anything_else() -> None:
    failure = Failure.of(BuildError("pip failed.", "Mend requirements.txt.", ("line </pre><h1>one", "two")))
    text = markdown(GOOD.with_(outcome=Outcome.FAILED, failure=failure))
    assert text.index("pip failed") < text.index("Mend requirements") < text.index("<pre>") < text.index("| --- |")
    assert "line &lt;/pre&gt;&lt;h1&gt;one\ntwo" in text
    assert "Exit code 5 (build)." in text


@pytest.mark.parametrize("url", ["javascript:alert(1)", "http://x](http://evil)", "http://x y", "http://a@b", ""])
def test_only_a_plain_address_becomes_a_link(url: str) -> None:
    assert "](" not in markdown(GOOD.with_(url=url))


@given(st.text())
def test_texts_are_shown_and_never_obeyed(text: str) -> None:
    written = plain(text)
    assert "\n" not in written
    # All that could begin a tag, a link, a table's cell, code, emphasis, a heading, a mention or an address.
    assert not re.search(r"[\\`*_\[\]<>|~@:$]|www\.|&(?!#\d+;)|#(?!\d+;)", written, re.IGNORECASE)
    shown = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    assert html.unescape(written) == shown


@given(st.lists(st.text(), max_size=5))
def test_tables_keep_their_columns_whatever_stands_in_them(details: list[str]) -> None:
    smoke = SmokeReport(False, tuple(CheckReport(text, False, 0.0, text) for text in details))
    text = markdown(Report(smoke_local=smoke))
    rows = [line for line in text.splitlines() if line.startswith("| ❌")]
    assert len(rows) == len(details)
    assert all(row.count("|") == 5 for row in rows)


def test_it_stays_below_the_runners_limit() -> None:
    checks = tuple(CheckReport(f"c{number}", False, 0.0, "|" * 5000) for number in range(120))
    text = markdown(GOOD.with_(smoke_local=SmokeReport(False, checks), outcome=Outcome.FAILED))
    assert len(text.encode()) <= LARGEST + 200
    assert text.startswith("## ✅ failed")
    assert "too long for this page" in text


def test_the_answer_is_a_table_and_none_of_it_is_markdown() -> None:
    hostile = "[x](http://evil) | <img src=x> @org #1 `code`"
    content = "name,score\n" + "".join(f'"{hostile if n == 0 else n}",{n}.5\n' for n in range(20))
    text = markdown(GOOD.with_(smoke_deployed=SmokeReport(True, (), (), answer.read(content.encode(), "e.csv"))))
    section = text.partition("### The answer to the sample: CSV, 10 of 20 rows")[2].partition("\n\n| fact")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    assert rows[:2] == ["| name | score |", "| --- | ---: |"]
    assert len(rows) == 12
    assert not set("[]<>`@") & set("".join(rows))
    assert all(row.count("|") == 3 for row in rows)


def test_an_answer_that_is_text_or_a_file_is_named() -> None:
    picture = SmokeReport(True, (), (), answer.read(b"\xff\xd8\xff" + b"x" * 2000))
    assert "The answer to the sample: JPEG image, 2.0 kB" in markdown(GOOD.with_(smoke_deployed=picture))
    words = SmokeReport(True, (), (), answer.read(b"</pre><script>x"))
    assert "&lt;/pre&gt;&lt;script&gt;x" in markdown(GOOD.with_(smoke_deployed=words))


def test_an_address_that_will_change_says_so() -> None:
    assert "The address changes soon." in markdown(GOOD.with_(lasts="changes soon"))
