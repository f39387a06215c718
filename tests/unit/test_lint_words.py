"""The lint of docstrings and docs: what it refuses, and what it must leave alone."""

import ast
import re
from pathlib import Path

import pytest

import lint_words
from tests.rig.command import ROOT


@pytest.mark.parametrize(
    ("code", "refused"),
    [
        ('def f():\n    """Return it."""', False),
        ('def f():\n    """Pass it on."""', False),
        ('def f():\n    """Returns it."""', True),
        ('def f():\n    """Bytes of it."""', True),
        ('def f():\n    """The job."""', True),
        ('async def f():\n    """Whether it is."""', True),
        ('class C:\n    def f(self):\n        """`name` of it."""', True),
        ('class C:\n    """What is done."""', True),
        ('class C:\n    """A job."""', False),
        ('"""How it works."""', True),
        ('"""The queue."""', False),
        ('def f():\n    return "The job."', False),
    ],
)
def test_a_docstring_begins_with_a_verb_or_names_a_thing(code: str, refused: bool) -> None:
    assert bool(list(lint_words.docstrings(code))) is refused


def test_a_finding_names_its_line_and_what_to_write() -> None:
    code = 'x = 1\n\n\ndef f():\n    """Whether it is."""'
    assert list(lint_words.docstrings(code)) == [
        (5, "begin with a verb (Return, Read, Tell whether ...), not 'Whether'")
    ]
    assert list(lint_words.page("# Keys\n\nA licence\nis here.\n")) == [(3, "write license, not 'licence'")]


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("word " * 35 + "end.", True),
        ("word " * 34 + "end.", False),
        ("word " * 20 + "end. " + "word " * 20 + "end.", False),
        ("word " * 20 + "one;\n" + "word " * 20 + "end.", True),
        ("- " + "word " * 20 + "one;\n  " + "word " * 20 + "end.", False),
        ("| " + "word " * 20 + "| " + "word " * 20 + "|", False),
        ("```\n" + "word " * 40 + "\n```", False),
        ("    " + "word " * 40, False),
        ("It needs " + "`a:B` " * 40 + "for that.", False),
        ("[one](" + "w " * 40 + ") is two.", False),
        ("## " + "word " * 20 + "\n" + "word " * 20, False),
    ],
)
def test_a_sentence_has_at_most_35_words(text: str, refused: bool) -> None:
    assert bool(list(lint_words.page(text))) is refused


@pytest.mark.parametrize("text", ["`licence` is a field", "<!-- licence -->", "[a](licence.md)", "the license"])
def test_code_and_targets_of_links_are_not_prose(text: str) -> None:
    assert list(lint_words.page(text)) == []


@pytest.mark.parametrize("word", ["Licences", "tarballs", "dry run", "organisation", "behaviour", "recognised"])
def test_a_word_of_another_language_is_refused(word: str) -> None:
    assert list(lint_words.page(f"It has a {word} of its own."))
    assert list(lint_words.docstrings(f'def f():\n    """Return the {word} of it."""'))


def test_our_code_and_pages_are_read_and_the_files_of_users_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    wrong = 'def f():\n    """The job."""'
    pages = {"README.md": "A licence.\n", "docs/jobs.md": "A tarball.\n", "docs/glossary.md": "A tarball.\n"}
    code = {
        "lib/model_server/a.py": wrong,
        "scripts/generate": wrong,
        "scripts/demo": "#!/bin/sh\n",
        "bench/load.py": wrong,
        "tests/conftest.py": wrong,
        "tests/unit/a.py": wrong,
        "tests/bases/a.py": wrong,
        "tests/projects/uv/rows/a.py": wrong,
        "tests/scenarios/shared/main.py": wrong,
    }
    for name, text in {**pages, **code}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = [line.partition(":")[0] for line in lint_words.findings()]
    ours = ["lib/model_server/a.py", "scripts/generate", "tests/conftest.py", "tests/unit/a.py"]
    assert found == ["README.md", "bench/load.py", "docs/jobs.md", *ours]


def test_what_the_programs_print_is_spelled_as_the_docs_are() -> None:
    spelling = [word for word, write in lint_words.INSTEAD.items() if "spelling" in write or write == "license"]
    names_files = "starter.py"  # of other people, who spell them as they like
    found = [
        f"{path.name}:{node.lineno}: {node.value}"
        for path in (ROOT / "lib").rglob("*.py")
        if path.name != names_files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if re.search(rf"\b({'|'.join(spelling)})\b", node.value, re.IGNORECASE)
    ]
    assert found == []
