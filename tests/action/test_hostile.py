"""Hundreds of hostile runs, thousands on request: whatever others say, the runner obeys us alone, learns no secret."""

import io
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from model_dockerize import action, pipeline
from model_dockerize.errors import BuildError
from model_dockerize.outcome import Outcome
from model_dockerize.report import CheckReport, Recorder, Report, SmokeReport
from model_dockerize.settings import INPUTS, OUTPUTS, Settings
from tests.action.grammar import LARGEST_SUMMARY, LONGEST_MESSAGE, Log, parse_file

EXAMPLES = 16 * settings.default.max_examples  # type: ignore[attr-defined]
SECRET = "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY"
MEANINGFUL = (
    *("::set-output name=url::evil", "::error::evil", "::add-mask::e", "::stop-commands::x", "::", "##[error]evil"),
    *("##[set-env name=PATH]/evil", "##[", "]", "%0A::error::evil", "%0D", "%25", "\n", "\r", "\r\n", "\0", "\x1b[31m"),
    *(
        "\u2028",
        "\u2029",
        "\x85",
        "\x0b",
        "\u202e",
        "\ud800",
        "ghadelimiter_",
        "url<<EOF",
        "EOF",
        "url=evil",
        "=",
        "<<",
    ),
    *(
        "<script>",
        "</pre>",
        "<!--",
        "-->",
        "<img src=x>",
        "![x](http://evil)",
        "[x](javascript:evil)",
        "|",
        "\n\n# evil",
    ),
    *("```", "~~~", "\n---\n", "@org/team", "#1", "http://evil.example", "www.evil.example", "&lt;", "$x$", SECRET),
)
MARKDOWN = MarkdownIt("gfm-like", {"html": True, "linkify": False})
TAGS = {"h2", "h3", "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "pre", "a", "code"} | {
    *("details", "summary"),
}
HOSTILE = st.lists(st.sampled_from(MEANINGFUL) | st.text(max_size=6), max_size=6).map("".join)


@dataclass(frozen=True)
class Said:
    """All that somebody else has a say in, in one run."""

    inputs: dict[str, str]
    child: list[str]
    ours: list[str]
    warnings: list[str]
    facts: list[str]
    failure: list[str]
    printed: str


SAID = st.builds(
    Said,
    st.dictionaries(st.sampled_from([option.name for option in INPUTS]) | HOSTILE, HOSTILE, max_size=3),
    *[st.lists(HOSTILE, max_size=3)] * 3,
    st.lists(HOSTILE, min_size=6, max_size=6),
    st.lists(HOSTILE, max_size=4),
    HOSTILE,
)


def run_of(said: Said, stream: io.StringIO) -> mock.Mock:
    """Make a pipeline that says all of it, by every way there is."""

    def run(_settings: Settings, _environment: Mapping[str, str], recorder: Recorder) -> Report:
        with recorder.stage("build") as stage:
            for text in said.child:
                stage.output(text)
            for text in said.ours:
                stage.info(text)
            for text in said.warnings:
                stage.warning(text, Path("/github/workspace", text.replace("\0", "") or "x"), 3)
            # A library that prints by itself, past every display. It knows no secret of ours.
            stream.write(said.printed.replace(SECRET, "") + "\n")
        facts = said.facts
        checks = tuple(CheckReport("sample", False, 0.1, text) for text in said.child)
        report = Report(Outcome.BUILT, facts[0], facts[1], facts[2], facts[3], url=facts[4], service_arn=facts[5])
        report = report.with_(smoke_local=SmokeReport(False, checks, tuple(said.child))) if checks else report
        report = report.with_(changes=tuple(f"+ {text}" for text in said.ours), warnings=tuple(said.warnings))
        if said.failure:
            return pipeline.failed(report, BuildError(said.failure[0], said.failure[-1], tuple(said.failure)))
        return report

    return mock.Mock(side_effect=run)


@settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(SAID)
@example(Said({"report": SECRET}, [], [], [], [""] * 6, [], ""))
@example(Said({"report": f"folder/{SECRET}.json"}, [], [], [], [""] * 6, [], ""))
def test_nothing_is_injected_and_nothing_leaks(said: Said) -> None:
    stream = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(pipeline, "run", run_of(said, stream)):
        workspace, output, summary = (Path(folder, name) for name in ("workspace", "output", "summary"))
        workspace.mkdir()
        environment = {
            **{f"INPUT_{name.upper()}": text for name, text in said.inputs.items()},
            "GITHUB_WORKSPACE": str(workspace),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(summary),
            "RUNNER_TEMP": folder,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }
        action.main(environment, stream, [])
        log = read(stream)
        pairs = parse_file(output.read_text(encoding="utf-8"))
        page = summary.read_text(encoding="utf-8")
        reports = "".join(path.read_text(encoding="utf-8") for path in Path(folder).rglob("report.json"))

    # The log: no command but ours, and the secret stands nowhere but in the order to mask it.
    assert log.problems == []
    assert log.masks.count(SECRET) >= 1
    for command in log.commands:
        if command.name == "add-mask":
            assert command.data == SECRET
        else:
            assert command.name in ("error", "warning")
            assert command.properties["title"].startswith("model-dockerize: ")
            assert set(command.properties) <= {"title", "file", "line"}
            assert len(command.data) <= LONGEST_MESSAGE
    # The outputs: each once, none invented.
    assert [name for name, _ in pairs] == [one.name for one in OUTPUTS]
    # The summary: our own tags only, and links only to the model.
    assert len(page.encode()) <= LARGEST_SUMMARY
    shown = MARKDOWN.render(page)
    tags = set(re.findall(r"<\s*[/!]?\s*([a-z0-9-]*)", shown, re.IGNORECASE))
    assert tags <= TAGS
    for target in re.findall(r'href="([^"]*)"', shown):
        assert target.startswith(("http://", "https://"))
        assert "/swagger" in target or "/AddJob" in target or target == said.facts[4]
    for text in ("\n".join(log.lines), page, shown, reports, *(value for _, value in pairs)):
        assert SECRET not in text


def read(stream: io.StringIO) -> Log:
    log = Log()
    # As .NET's StreamReader does: at \n, \r and \r\n.
    for line in stream.getvalue().replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        log.feed(line)
    return log
