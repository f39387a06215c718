#!/usr/bin/env python3
"""Refuses habits of language that stop a reader: `scripts/lint_words.py` checks docstrings, docs/*.md and README.md.

The rules: a function's docstring begins with an imperative verb; a module's or class's is no question; a sentence of
the docs has at most 35 words; the docs use the words of docs/glossary.md, in American spelling. Each finding is a line
`FILE:LINE: what to write instead`, and the exit code is 1 if there is any.
"""

import ast
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

# Code whose docstrings are still to be rewritten. Rewrite one, then take its line out; the list has to become empty.
TO_DO = (
    "lib/model_dockerize/aws",
    "lib/model_dockerize/image",
    "lib/model_dockerize/pipeline",
    "lib/model_dockerize/program",
    "lib/model_dockerize/settings",
    "lib/model_dockerize/inside.py",
    "lib/model_dockerize/library.py",
    "docs/inputs.md",  # made from lib/model_dockerize/settings
)

CODE = ("lib", "scripts", "tests/rig")
SCRIPTS = tuple(Path("scripts") / name for name in ("acceptance", "generate", "pictures"))
MOST_WORDS = 35
QUESTIONS = frozenset("How What Whatever When Where Whether Which Who Whoever Whom Whose Why".split())
NO_VERBS = QUESTIONS | frozenset(
    "A About After All Also An Any As At Because Before Behind Between Both By Each Every Everything For From If In Inside "
    "Into It Just Like Many Most Much Never No Nobody None Not Nothing Of On Once One Only Other Several So Some Somebody "
    "Something Straight Such That The Their Then There They Those Three To Two Under Until Up While With Without".split()
)

# What readers search for, instead of what they do not. A word is here only if the docs never need it in another sense.
WORDS = {
    r"golden file": "expected result",
    r"parent image": "base image",
    r"tarballs?": "archive",
    r"webhooks?": "callback",
    r"couriers?": "callback",
    r"dry[- ]runs?": "plan",
    r"judgements?": "verdict",
    r"licences?": "license",
    r"for ever": "forever",
    r"(behavi|col|fav|neighb)ours?": "the American -or",
    r"(organi|reali|recogni|normali|initiali|seriali)s(e|es|ed|ing|ation|ations)": "the American -iz-",
    r"grey": "gray",
    r"misspelt": "misspelled",
    r"labelled": "labeled",
}


def docstrings(path: Path) -> Iterator[str]:
    """Yield the findings in the docstrings of a Python file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        text = ast.get_docstring(node)
        if text is None:
            continue
        first = text.split()[0].rstrip(".,:;") if text.split() else ""
        line = node.body[0].lineno
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if not _is_imperative(first):
                yield f"{path}:{line}: begin with an imperative verb (Return, Read, Tell whether ...), not {first!r}"
        elif first in QUESTIONS:
            yield f"{path}:{line}: say what it is or does, not {first!r}"


def _is_imperative(word: str) -> bool:
    plain = re.fullmatch(r"[A-Z][a-z]+", word) is not None
    return plain and word not in NO_VERBS and (not word.endswith("s") or word.endswith("ss"))


def prose(text: str) -> Iterator[tuple[int, str]]:
    """Yield (line, text) of each paragraph, list item and table cell, without code and the targets of links."""
    text = re.sub(r"^```.*?^```$", lambda code: "\n" * code[0].count("\n"), text, flags=re.M | re.S)
    text = re.sub(r"<!--.*?-->", lambda note: "\n" * note[0].count("\n"), text, flags=re.S)
    block: list[str] = []
    begin = 0
    for number, line in enumerate([*text.split("\n"), ""], 1):
        is_code = not block and line.startswith("    ")
        if not line.strip() or re.match(r"\s*([-*+]|\d+\.|\||#)", line):
            yield from ((begin, item) for item in _items(" ".join(block)))
            block = []
        if line.startswith(("|", "#")):
            yield from ((number, item) for cell in re.split(r"(?<!\\)\|", line) for item in _items(cell))
        elif line.strip() and not is_code:
            begin = begin if block else number
            block.append(line)


def _items(block: str) -> list[str]:
    """Split a list item or table cell at semicolons and line breaks, which divide lists there, and leave prose whole."""
    is_prose = block.endswith((".", "?", "!", ":")) and not re.match(r"\s*([-*+]|\d+\.)\s", block)
    return [block] if is_prose else re.split(r";|<br>", block)


def sentences(text: str) -> list[str]:
    """Split prose into sentences, with each run of code as one word."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", re.sub(r"(`[^`]*`[\s,·]*)+", "`code` ", text))
    return re.split(r"(?<=[.?!])['\")*]*\s+", text)


def page(path: Path) -> Iterator[str]:
    """Yield the findings in a Markdown file."""
    for line, block in prose(path.read_text(encoding="utf-8")):
        for sentence in sentences(block):
            words = [word for word in sentence.split() if re.search(r"\w", word)]
            if len(words) > MOST_WORDS:
                yield f"{path}:{line}: {len(words)} words, at most {MOST_WORDS}: split '{' '.join(words[:6])} ...'"
            for wrong, right in WORDS.items():
                for found in re.finditer(rf"\b{wrong}\b", sentence, re.I):
                    yield f"{path}:{line}: write {right}, not {found[0]!r}"


def main() -> int:
    """Print the findings; return 1 if there are any."""
    code = [path for room in CODE for path in Path(room).rglob("*") if path.suffix == ".py" or path in SCRIPTS]
    pages = [Path("README.md"), *Path("docs").glob("*.md")]
    findings = []
    for path in sorted(code + pages):
        if not path.as_posix().startswith(TO_DO) and path.name != "glossary.md":
            findings += page(path) if path.suffix == ".md" else docstrings(path)
    for found in findings:
        print(found)
    return 1 if findings else 0


if __name__ == "__main__":
    os.chdir(Path(__file__).parent.parent)
    sys.exit(main())
