"""Every command line that README, docs and examples show, run as it stands, in a folder that has what they name.

Nothing of the outside is there: no Docker Engine, no AWS, no sandbox. So each ends as its exit code says, and none by a
flag or a command that does not exist. tests/integration/test_first_model.py runs a whole page for real.
"""

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from model_dockerize.cli import cli

from .test_bare_commands import alone

__all__ = ["alone"]

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    *(ROOT / name for name in ("README.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
)
#: Done; inputs, program, engine, AWS that are not there; the sandbox that cannot start.
ENDS = {0, 2, 3, 4, 8, 9, 12, 16}
#: What stands for something in the pages.
MEANT = {
    **{"FOLDER": "models/iris", "FILE": "mine.csv", "FILES...": "mine.csv", "YOURS.csv": "mine.csv"},
    **{"NAME|URL": "http://127.0.0.1:9", "URL": "http://127.0.0.1:9", "NAME": "iris", "REVISION": "3", "N": "3"},
    **{
        "data/*.csv": "data/a.csv data/b.csv",
        '"$(cat publisher.pub)"': "k" * 43,
        "$A:role/ci": "arn:aws:iam::123456789012:role/ci",
    },
}
#: Exit code 1 is an answer: the sandbox does not run, the license does not hold.
ANSWERS_NO = ("sandbox status", "license inspect")
_BLOCK = re.compile(r"^\s*(?:\$ )?(model-dockerize .*)")


def shown(text: str) -> Iterator[str]:
    """Yield the command lines of a page: in blocks and in the text."""
    fenced = False
    for line in text.replace("\\\n", " ").splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            if found := _BLOCK.match(line):
                # What stands beside a command says what it does.
                yield re.split(r"\s{3,}(?![-\s])|\s+#\s|\s+[>|]\s+(?=policy|publisher|iam|jq)", found[1])[0].strip()
        else:
            yield from (each.strip() for each in re.findall(r"`(model-dockerize [^`]*)`", line))


def alternatives(line: str) -> Iterator[list[str]]:
    """Yield the words of each command of `status | logs FOLDER`, and with each `[--flag]` left out and taken."""
    words = line.removeprefix("model-dockerize ").split(" ")
    group = words[:1] if words[0] in ("license", "sandbox") else []
    rest = words[len(group) :]
    names = [rest.pop(0)] if rest else []
    while rest[:1] == ["|"]:
        names.append(rest[1])
        del rest[:2]
    text = " ".join(rest)
    optional = re.findall(r"\[([^\]]+)\]", text)
    plain = re.sub(r"\[[^\]]+\]", "", text)
    for name, more in itertools.product(names or [""], ([], optional) if optional else ([],)):
        arguments = " ".join((plain, *more))
        for word, meaning in sorted(MEANT.items(), key=lambda each: -len(each[0])):
            arguments = re.sub(rf"(?<![\w/.\-$]){re.escape(word)}(?![\w/.])", lambda _, m=meaning: m, arguments)  # type: ignore[misc]
        yield [*group, *([name] if name else []), *shlex.split(arguments)]


COMMANDS = sorted(
    {tuple(words) for page in PAGES for line in shown(page.read_text("utf-8")) for words in alternatives(line)}
)


@pytest.fixture
def place(alone: Path) -> Path:
    """Make what the pages name."""
    program = "import sys\nopen(sys.argv[2], 'w').write(open(sys.argv[1]).read())\n"
    for folder in (".", "models/iris", "churn", "iris"):
        (alone / folder).mkdir(parents=True, exist_ok=True)
        (alone / folder / "main.py").write_text(program)
    (alone / "churn" / "smoke").mkdir()
    (alone / "data").mkdir()
    for name in ("mine.csv", "data/a.csv", "data/b.csv", "list.txt", "churn/smoke/input.csv"):
        (alone / name).write_text("id,age\n1,30\n")
    return alone


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_documented_command_is_understood_and_ends_as_documented(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli, words)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    assert result.exit_code in ENDS | ({1} if " ".join(words[:2]) in ANSWERS_NO else set()), result.output
    assert "No such option" not in result.output
    assert "No such command" not in result.output
    assert "unexpected extra argument" not in result.output
    assert "is wrong" not in result.output or "Config.ini" in " ".join(words), result.output


def test_the_pages_show_commands_of_every_kind() -> None:
    named = {words[0] for words in COMMANDS if words}
    assert named >= set(cli.commands), set(cli.commands) - named
    assert len(COMMANDS) >= 80
