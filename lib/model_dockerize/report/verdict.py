"""The last lines of a run on a terminal."""

from collections.abc import Callable, Sequence

from rich.cells import cell_len

from model_dockerize.answer import Answer
from model_dockerize.log_lines import short
from model_dockerize.outcome import Outcome
from model_dockerize.report.listing import MODEL_TITLES, REVISION_TITLES, table
from model_dockerize.report.model import Failure, Report, SmokeReport
from model_dockerize.report.sheet import Sheet

_FOUND = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "red"), "unknown": ("?", "cyan")}
_KEEP = "`model-dockerize smoke FOLDER --keep` writes it as smoke/expected.*, which every later answer must equal"
_LONGEST = 400  # characters of a line of evidence
_ROWS = 3  # of an answer
_LOGS = ("build", "smoke", "rollout", "smoke-deployed")  # failures whose details are one log; others list each problem
_WIDEST = 100  # characters of a table where there is no terminal
_COPIED = ("image", "Dockerfile", "archive", "url")  # people copy them: they stay whole
_CHANGE = {"+": ("green", "to make"), "~": ("yellow", "to change"), "-": ("red", "to remove"), "=": ("dim", "as it is")}


def show(report: Report, sheet: Sheet, typed: Callable[[str], str], is_whole: bool) -> None:
    """Print the last lines, with all facts if `is_whole`, and commands as `typed` has them."""
    for finding in report.findings:
        symbol, color = _FOUND[finding.status]
        remedy = f" → {finding.remedy}" if finding.remedy else ""
        sheet.row(f"{symbol} {finding.name:<13}", typed(f"{finding.text}{remedy}"), color)
    if report.failure:
        _show_failure(report, report.failure, sheet, typed, is_whole)
    else:
        sheet.row(report.outcome, report.headline or report.image, "bold green", indent=2)
        for doubt in report.doubts:
            sheet.row("not proved:", typed(doubt), "yellow", indent=2)
    _show_plan(report, sheet)
    for titles, rows in ((MODEL_TITLES, report.models), (REVISION_TITLES, report.revisions)):
        for line in table(titles, [row.cells() for row in rows]) if rows else ():
            sheet.line(f"  {line}")
    if report.answer and report.outcome is Outcome.UNCHANGED and not is_whole:  # it is no news: as expected, as before
        sheet.row("answer    ", report.answer.first(0).title, "dim")
    elif report.answer:
        _show_answer(report.answer.first(_ROWS), sheet)
    compares = not report.smoke_local or report.smoke_local.is_compared or report.outcome is Outcome.WRITTEN
    if report.smoke_local and report.smoke_local.answer and not compares:
        sheet.row("  nobody compared it:", typed(_KEEP), "dim", "dim", indent=4)
    _show_facts(report, sheet, is_whole)


def _show_failure(report: Report, failure: Failure, sheet: Sheet, typed: Callable[[str], str], is_whole: bool) -> None:
    # Reason and remedy stand in the first lines of what is printed last: people read there.
    sheet.row(f"{report.outcome}:", typed(failure.message), "bold red", indent=2)
    if failure.remedy:
        sheet.row("Next:", typed(failure.remedy), "bold", indent=2)
    # A single problem often is the message already: told once is enough.
    told = len(failure.details) == 1 and failure.message.endswith(f": {failure.details[0]}")
    logs = [detail.splitlines() for detail in (() if told else failure.details)]
    if failure.kind in _LOGS:
        logs = [[line for log in logs for line in log]]
    for line in (line for log in logs for line in (log if is_whole else short(log))):
        sheet.row(" ", line if is_whole or len(line) <= _LONGEST else f"{line[:_LONGEST]} … (whole with -v)")
    sheet.line(f"exit code {failure.exit_code} ({failure.kind})", "dim")


def _show_answer(answer: Answer, sheet: Sheet) -> None:
    sheet.row("answer", answer.title, "bold", indent=2)
    if answer.kind == "text":
        for (line,) in answer.rows:
            sheet.line(f"  {line}")
        return
    widest = sheet.console.width if sheet.console.is_terminal else _WIDEST
    lines, shown = aligned((answer.columns, *answer.rows), answer.numeric, widest - 2)
    for number, line in enumerate(lines):
        sheet.line(f"  {line}", "dim" if number == 0 else "")
    if more := answer.column_count - shown:
        sheet.line(f"  and {more} more column{'s' if more > 1 else ''}", "dim")


def aligned(rows: Sequence[tuple[str, ...]], numeric: Sequence[bool], width: int) -> tuple[list[str], int]:
    """Return aligned lines, and how many columns fit."""
    sizes = [max(cell_len(row[n]) for row in rows) for n in range(len(numeric))]
    room = next((n for n in range(len(sizes), 1, -1) if sum(sizes[:n]) + 2 * (n - 1) <= width), min(1, len(sizes)))
    lines = []
    for row in rows:
        gaps = [" " * (size - cell_len(cell)) for cell, size in zip(row[:room], sizes, strict=False)]
        cells = [
            f"{gap}{cell}" if right else f"{cell}{gap}" for cell, gap, right in zip(row, gaps, numeric, strict=False)
        ]
        lines.append("  ".join(cells).rstrip())
    return lines, room


def _show_plan(report: Report, sheet: Sheet) -> None:
    counts = dict.fromkeys(_CHANGE, 0)
    for line in report.plan:
        kind = line[:1] if line[:1] in _CHANGE else "="
        counts[kind] += 1
        sheet.row(" ", line, "", _CHANGE[kind][0], indent=4)
    if len(report.plan) > 1:
        words = {kind: word for kind, (_, word) in _CHANGE.items()}
        if report.outcome is Outcome.DESTROYED:
            words["-"] = "removed"
        sheet.line("  " + ", ".join(f"{n} {words[kind]}" for kind, n in counts.items() if n), "dim")


def _show_facts(report: Report, sheet: Sheet, is_whole: bool) -> None:
    # The address comes last: there people look for it.
    revision = f":{report.job_definition_revision}" if report.job_definition_revision else ""
    made = [stage for stage in report.stages if stage.name in ("build", "load")]
    built = any(stage.status in ("done", "unchanged") for stage in made)
    answered = report.url and (report.smoke_deployed is None or report.smoke_deployed.checks[0].passed)
    is_news = is_whole or report.outcome is not Outcome.UNCHANGED
    # A model that answers is used by its address; what it was made of, the stages have told.
    is_asked = is_whole or not (answered or report.failure)
    facts = {
        "image": (report.image_uri or (report.image if built and is_whole else "")) if is_asked else "",
        "build id": report.build_id if is_whole else "",
        "Dockerfile": report.dockerfile if is_whole or report.outcome == Outcome.DOCKERFILE else "",
        "archive": report.archive,
        "batch": report.job_definition_arn.rsplit("/", 1)[-1].split(":")[0] + revision if revision and is_asked else "",
        "service": report.service_arn if is_whole else "",
        "smoke": _smoke_words(report) if is_whole else "",
        "pages": "/ (curl, Python), /AddJob (upload a file), /swagger (the API)" if answered and is_news else "",
        "url": report.url if answered else "",
        "reached by": report.access if answered else "",
        "address": report.lasts if answered else "",
    }
    for name, value in facts.items():
        if value and name in _COPIED:
            sheet.line(f"{name:<10} {value}")
        elif value:
            sheet.row(f"{name:<10}", value, "dim")


def _smoke_words(report: Report) -> str:
    words = []
    for name, test in (("image", report.smoke_local), ("service", report.smoke_deployed)):
        if isinstance(test, SmokeReport):
            passed = sum(check.passed for check in test.checks)
            words.append(f"{name} {passed}/{len(test.checks)} checks")
    return ", ".join(words)
