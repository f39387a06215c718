#!/usr/bin/env python3
"""Refuses habits of language that stop a reader, in docstrings, docs/*.md and README.md: `scripts/lint_words.py`.

- A function's docstring begins with an imperative verb. A module's or class's does not begin with a question word.
- A sentence of the docs has at most 35 words; in list items and table cells, semicolons end one, too.
- Both use the terms of docs/glossary.md, in American spelling.

Each finding is a line `FILE:LINE: what to write instead`. The exit code is 1 if there is any.
"""

import ast
import contextlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

CODE = ("lib", "scripts", "tests", "bench")
USERS = ("tests/bases", "tests/projects", "tests/scenarios")  # files as users have them
PROGRAMS = frozenset({"acceptance", "generate", "pictures"})  # in scripts/, without .py
MOST_WORDS = 35

QUESTION = r"How|What(ever)?|When|Where|Whether|Which|Who(ever|m|se)?|Why"
NO_VERB = rf"""
    {QUESTION}
    |An?|The|This|That|These|Those|Its?|They|Their|There|Such|No|Not|Never|Just|Only|So|Also|Straight|Then|While|Until|Once
    |About|After|As|At|Because|Before|Behind|Between|By|For|From|If|In|Inside|Into|Of|On|To|Under|Up|With|Without
    |All|Any|Both|Each|Every|Everything|Like|Many|Most|Much|Nobody|None|Nothing|One|Other|Several|Some|Somebody|Something
    |Two|Three
"""

# Each word here is one that is never needed in another sense.
INSTEAD = {
    r"backlog": "queue",
    r"mock": "sandbox",
    r"golden file": "expected result",
    r"parent image": "base image",
    r"tarball": "archive",
    r"webhook": "callback",
    r"courier": "callback",
    r"dry[- ]run": "plan",
    r"judgement": "verdict",
    r"licence": "license",
    r"for ever": "forever",
    r"(behavi|col|fav|neighb)our": "the spelling with -or",
    r"(initial|normal|organ|real|recogn|serial)is(e|ed|ing|ation)": "the spelling with -iz-",
    r"grey": "gray",
    r"misspelt": "misspelled",
    r"labelled": "labeled",
}


def docstrings(text: str) -> Iterator[tuple[int, str]]:
    """Yield (line, what to write) of each finding in Python code."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        docstring = ast.get_docstring(node)
        if not docstring:
            continue
        first = docstring.split()[0].rstrip(".,:;")
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if not is_imperative(first):
                yield node.body[0].lineno, f"begin with a verb (Return, Read, Tell whether ...), not {first!r}"
        elif re.fullmatch(QUESTION, first):
            yield node.body[0].lineno, f"say what it is or does, not {first!r}"
        yield from ((node.body[0].lineno, instead) for instead in other_words(docstring))


def is_imperative(word: str) -> bool:
    """Tell whether a word may be an imperative verb: "Return", neither "Returns" nor "Whether"."""
    is_word = re.fullmatch(r"[A-Z][a-z]+", word) is not None
    return is_word and re.search(r"[^s]s$", word) is None and re.fullmatch(NO_VERB, word, re.VERBOSE) is None


def page(text: str) -> Iterator[tuple[int, str]]:
    """Yield (line, what to write) of each finding in Markdown."""
    for line, block in blocks(text):
        for sentence in re.split(r"(?<=[.?!])['\")*]*\s+", block):
            words = [word for word in sentence.split() if re.search(r"\w", word)]
            if len(words) > MOST_WORDS:
                yield line, f"{len(words)} words, at most {MOST_WORDS}: split '{' '.join(words[:6])} ...'"
            yield from ((line, instead) for instead in other_words(sentence))


def other_words(text: str) -> Iterator[str]:
    """Yield what to write instead of each word of INSTEAD."""
    for word, right in INSTEAD.items():
        for found in re.finditer(rf"\b{word}s?\b", text, re.IGNORECASE):
            yield f"write {right}, not {found[0]!r}"


def blocks(text: str) -> Iterator[tuple[int, str]]:
    """Yield (line, text) of each heading, paragraph and part of a list or table; a run of code is one word."""
    text = re.sub(r"^```.*?^```$|<!--.*?-->", lambda hidden: "\n" * hidden[0].count("\n"), text, flags=re.M | re.S)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"`[^`]*`(?:[ ,]*\n?`[^`]*`)*", lambda code: "code" + "\n" * code[0].count("\n"), text)
    block: list[str] = []
    begin = 0
    for number, line in enumerate([*text.split("\n"), ""], 1):
        if block and (not line.strip() or re.match(r"\s*([-*+]|\d+\.)\s|[|#]", line)):
            yield from ((begin, part) for part in parts(" ".join(block)))
            block = []
        if line.startswith(("|", "#")):
            yield from ((number, part) for cell in line.split("|") for part in parts(f"- {cell}"))
        elif line.strip() and (block or not line.startswith("    ")):
            begin = begin if block else number
            block.append(line)


def parts(block: str) -> list[str]:
    """Split a list item or list of terms at its separators, and leave other prose whole."""
    is_list = re.match(r"\s*([-*+]|\d+\.)\s", block) or " · " in block
    return re.split(r";| · |<br>", block) if is_list else [block]


def main() -> int:
    """Print the findings; return 1 if there are any."""
    with contextlib.chdir(Path(__file__).parent.parent):
        found = list(findings())
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


def findings() -> Iterator[str]:
    """Yield the findings in the checkout that is the working directory."""
    code = [path for room in CODE for path in Path(room).rglob("*") if path.suffix == ".py" or path.name in PROGRAMS]
    code = [path for path in code if not any(path.is_relative_to(room) for room in USERS)]
    pages = [Path("README.md"), *Path("docs").glob("*.md")]
    for path in sorted({*code, *pages} - {Path("docs/glossary.md")}):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            for line, instead in (page if path.suffix == ".md" else docstrings)(text):
                yield f"{path}:{line}: {instead}"


if __name__ == "__main__":
    sys.exit(main())
