"""The job summary: a report as Markdown.

Texts of models, logs and errors are untrusted: none can become Markdown, HTML, a link or a mention.
"""

import html
import re

from model_dockerize.answer import Answer
from model_dockerize.report.model import Failure, Report, SmokeReport

# The runner drops a summary of more than 1 MiB (CreateStepSummaryCommand); the rest is for other writers of the step.
LARGEST = 900 * 1024
_LONGEST_TEXT = 2000
_MOST_LINES = 100
# Written as character references, these have no meaning to Markdown, and the reader sees them as they are. The last one
# is for what means something only at the start of a line, or of a list's item: - + = 1. 1)
_MEANING = re.compile(r"[\\`*_\[\]<>#|~&@:$]|(?<=www)\.|^[-+=0-9]", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.\-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?")
# The stages that leave something behind; the others only look.
_CHANGING = ("build", "archive", "push", "foundations", "batch", "deploy")
_DONE = {"+": "made:", "~": "changed:", "-": "removed:"}
_BAR = 20  # characters of the longest bar in the table of seconds


def markdown(report: Report) -> str:
    """Return about `LARGEST` bytes at most, in whole paragraphs."""
    blocks = [
        _headline(report),
        _failure(report.failure) if report.failure else _success(report),
        _answer(report.answer) if report.answer else "",
        _facts(report),
        _changes(report),
        _smoke("Smoke test of the image", report.smoke_local),
        _smoke("Smoke test of the service", report.smoke_deployed),
        _seconds(report),
        _warnings(report.warnings),
    ]
    text = ""
    for block in filter(None, blocks):
        if len((text + block).encode()) > LARGEST:
            return text + "The rest is too long for this page: it is in the log and in the report.\n"
        text += block + "\n\n"
    return text


def plain(text: str) -> str:
    """Escape a text to one line of Markdown."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    if len(line) > _LONGEST_TEXT:
        line = line[:_LONGEST_TEXT] + " ..."
    return _MEANING.sub(lambda match: f"&#{ord(match[0])};", line)


def _headline(report: Report) -> str:
    sign = "❌" if report.failure else "✅"
    return f"## {sign} {plain(report.outcome)}{f' · {plain(report.image)}' if report.image else ''}"


def _failure(failure: Failure) -> str:
    parts = [f"**{plain(failure.message) or failure.kind}**"]
    if failure.remedy:
        parts.append(f"Next: {plain(failure.remedy)}")
    if failure.details:
        parts.append(_block([line for detail in failure.details for line in detail.splitlines()]))
    parts.append(f"Exit code {failure.exit_code} ({plain(failure.kind)}).")
    return "\n\n".join(parts)


def _success(report: Report) -> str:
    lines = [f"The model answers at {_links(report.url)}"] if report.url else []
    lines += [f"Who can reach it: **{plain(report.access)}**"] if report.url and report.access else []
    lines += [f"The address {plain(report.lasts)}."] if report.url and report.lasts else []
    lines += [f"⚠️ Not proved: {plain(doubt)}" for doubt in report.doubts]
    return "\n\n".join(lines)


def _answer(answer: Answer) -> str:
    title = f"### The answer to the sample: {plain(answer.title)}"
    if answer.kind == "text":
        return f"{title}\n\n{_block([line for (line,) in answer.rows])}"
    if answer.kind == "file":
        return title
    head = f"| {' | '.join(plain(name) or ' ' for name in answer.columns)} |"
    rule = "|" + "".join(" ---: |" if number else " --- |" for number in answer.numeric)
    rows = [f"| {' | '.join(map(plain, row))} |" for row in answer.rows]
    more = answer.column_count - len(answer.columns)
    rest = f"\n\nand {more} more columns" if more > 0 else ""
    return f"{title}\n\n" + "\n".join((head, rule, *rows)) + rest


def _links(url: str) -> str:
    if not _ADDRESS.fullmatch(url):
        return plain(url)
    base = url.rstrip("/")
    return f"**[{plain(url)}]({url})** · [swagger]({base}/swagger) · [AddJob]({base}/AddJob)"


def _facts(report: Report) -> str:
    revision = f" (revision {report.job_definition_revision})" if report.job_definition_revision else ""
    pinned = report.image_uri.endswith(f"@{report.digest}")
    facts = {
        "Address": _links(report.url) if report.failure and report.url else "",
        "Image in ECR": plain(report.image_uri),
        "Digest": "" if pinned else plain(report.digest),
        "Build id": plain(report.build_id),
        "Service": plain(report.service_arn),
        "Task definition": plain(report.task_definition_arn),
        "Rollout": plain(_rollout(report)),
        "Batch job definition": plain(report.job_definition_arn) + revision,
        "Archive": plain(report.archive),
    }
    rows = [f"| {name} | {value} |" for name, value in facts.items() if value]
    return _table("| fact | value |", rows)


def _rollout(report: Report) -> str:
    bakes = f", bakes for {report.bake_minutes} minutes" if report.bake_minutes else ""
    return f"{report.rollout}{bakes}" if report.rollout else ""


def _changes(report: Report) -> str:
    if report.changes:
        done = [f"- {words} {plain(line[2:])}" for line in report.changes if (words := _DONE.get(line[0]))]
        left = sum(line[0] == "=" for line in report.changes)
        lines = [*done, f"- as it was: {left} more"] if left and done else done or ["Nothing changed."]
    else:
        names = [plain(one.name) for one in report.stages if one.name in _CHANGING and one.status == "done"]
        lines = [f"- {', '.join(names)}"] if names else []
    return "\n".join(["### What changed", "", *lines]) if lines else ""


def _smoke(title: str, test: SmokeReport | None) -> str:
    if test is None:
        return ""
    rows = [
        f"| {'✅' if check.passed else '❌'} | {plain(check.name)} | {check.seconds:.2f} | {plain(check.detail)} |"
        for check in test.checks
    ]
    passed = sum(check.passed for check in test.checks)
    # What passed is folded away; what did not is what people came for.
    fold = "<details>" if test.passed else "<details open>"
    head = f"{fold}<summary><strong>{title}: {passed} of {len(test.checks)} passed</strong></summary>"
    return f"{head}\n\n{_table('| | check | seconds | evidence |', rows)}\n\n</details>"


def _seconds(report: Report) -> str:
    longest = max((stage.seconds for stage in report.stages), default=0.0)
    rows = [
        f"| {plain(stage.name)} | {plain(stage.status)} | {stage.seconds:.1f} | "
        f"{'█' * round(_BAR * stage.seconds / longest) if longest else ''} |"
        for stage in report.stages
    ]
    table = _table("| stage | result | seconds | |", rows)
    return f"### Where the seconds went\n\n{table}" if rows else ""


def _warnings(warnings: tuple[str, ...]) -> str:
    return "### Warnings\n\n" + "\n".join(f"- {plain(text)}" for text in warnings) if warnings else ""


def _table(head: str, rows: list[str]) -> str:
    # Numbers stand under each other.
    columns = (" ---: |" if name.strip() == "seconds" else " --- |" for name in head.strip("|").split("|"))
    return "\n".join([head, "|" + "".join(columns), *rows]) if rows else ""


def _block(lines: list[str]) -> str:
    # Inside <pre> only a closing tag has a meaning, and escaped text holds none.
    shown = [line[:_LONGEST_TEXT] for line in lines[-_MOST_LINES:]]
    clean = ("".join(char for char in line if char.isprintable() or char == "\t") for line in shown)
    return f"<pre>\n{html.escape(chr(10).join(clean))}\n</pre>"
