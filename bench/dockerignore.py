"""Compares our reading of .dockerignore with the engine's: random files, one tree. By hand, about ten minutes:

    PYTHONPATH=lib python bench/dockerignore.py [COUNT [SEED [FILE]]]

Every file becomes a named context of a build, a hundred at a time; what the engine lets through is listed in the build.
With FILE, its answers are written there: the cases of tests/unit/program/test_dockerignore.py.
"""

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from uuid import uuid4

from model_dockerize.program.dockerignore import DockerIgnore, PatternError, patterns_of

BASE = "python:3.13-slim-trixie"
BATCH = 100
FILES = """main.py README.md !bang.txt #hash.txt back\\slash.txt a[1].txt été/z.txt été/été foo bar/q.txt a.log x.tmp
d5 dd data/a.csv data/raw/a.csv data/raw/b.json data/.keep data/model.pkl src/app/main.py src/app/util.py
src/app/data/x.csv src/data/y.csv src/x.tmp logs/a.log docs/img/x.png deep/a/b/c/d.txt deep/a/x .hidden/x a-b a^b
a$b a+b a(b) a{b} a|b a.b"""
NAMES = [line.strip() for line in FILES.replace("foo bar/q.txt", "foo_bar/q.txt").split()]
NAMES[NAMES.index("foo_bar/q.txt")] = "foo bar/q.txt"
PARTS = sorted({part for name in NAMES for part in name.split("/")})
GLOBS = ["*", "**", "?", "??", "*.csv", "*.*", "a*", "**a", "a**", "**.csv", "***", "[a-d]*", "[^x]*", "[!x]*", "[]a]"]
GLOBS += [
    "[a-]",
    "[^]a]",
    "a[*]b",
    "a[?]b",
    "[[]a",
    "[\\]]",
    "\\a",
    "\\d",
    "\\.",
    "\\!*",
    "\\#*",
    "a\\[1\\].txt",
    "d?a",
    ".*",
]
GLOBS += [
    "",
    ".",
    "..",
    "a]",
    "[é]té",
    "[a-z]*",
    "**app",
    "src**",
    "*e*",
    "d*a",
    "[[:alpha:]]*",
    "a[^+]b",
    "^a",
    "a$b",
    "\\é*",
]
WRONG = ["!", "[", "[a", "[]", "a\\", "[z-a]", "[-a]", "\\y", "[^]", "\\é*"]


def text(rng: random.Random) -> bytes:
    """Return a random .dockerignore."""
    end = rng.choice(["\n"] * 8 + ["\r\n"])
    lines = [_line(rng) for _ in range(rng.randint(1, 6))]
    return (rng.choice([""] * 20 + ["\ufeff"]) + end.join(lines) + rng.choice(["", end])).encode()


def _line(rng: random.Random) -> str:
    if rng.random() < 0.0006:
        return rng.choice(WRONG)
    if rng.random() < 0.4:
        path = rng.choice(NAMES).split("/")
        pattern = "/".join(path[: rng.randint(1, len(path))])
    else:
        pattern = "/".join(rng.choice(GLOBS if rng.random() < 0.5 else PARTS) for _ in range(rng.randint(1, 4)))
    pattern = (
        rng.choice(["", "", "", "", "/", "./", "**/", "../"]) + pattern + rng.choice(["", "", "", "", "/", "/*", "/**"])
    )
    mark = rng.choice(["", "", "", "!", "!", "! ", " !"])
    return rng.choice(["", "", "", "", " ", "\t", "#"]) + mark + pattern + rng.choice(["", "", "", "", " ", "\xa0"])


def ours(content: bytes) -> set[str] | None:
    """Return the files that we would ship; None: we refuse the file."""
    try:
        ignore = DockerIgnore(patterns_of(content.decode()))
        return {name for name in NAMES if not ignore.ignores(name)}
    except PatternError:
        return None


def engines(root: Path, contents: list[bytes]) -> list[set[str]] | None:
    """Return the files that the engine lets through, for each of the files; None: it refuses one of them."""
    mounts = []
    options = []
    for number, content in enumerate(contents):
        folder = root / str(number)
        for name in NAMES:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
        (folder / ".dockerignore").write_bytes(content)
        mounts.append(f"--mount=type=bind,from=c{number},target=/c/{number}")
        options.append(f"--build-context=c{number}={folder}")
    main = root / "main"
    main.mkdir(exist_ok=True)
    find = f"RUN {' '.join(mounts)} cd /c && find . -type f ! -name .dockerignore -print0 > /list # {uuid4()}\n"
    (main / "Dockerfile").write_text(f"FROM {BASE} AS work\n{find}FROM scratch\nCOPY --from=work /list /\n")
    target = root / "out"
    command = ["docker", "buildx", "build", "--quiet", f"--output=type=local,dest={target}", *options, str(main)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        return None
    found: list[set[str]] = [set() for _ in contents]
    for entry in filter(None, (target / "list").read_bytes().decode().split("\0")):
        number, _, name = entry.removeprefix("./").partition("/")
        found[int(number)].add(name)
    return found


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    rng = random.Random(seed)  # noqa: S311 - cases, not secrets
    contents = [text(rng) for _ in range(count)]
    refused = [content for content in contents if ours(content) is None]
    accepted = [content for content in contents if ours(content) is not None]
    batches = [[content] for content in refused] + [accepted[at : at + BATCH] for at in range(0, len(accepted), BATCH)]
    answers: list[tuple[bytes, set[str] | None]] = []
    with tempfile.TemporaryDirectory() as name:
        for batch in batches:
            answers += zip(batch, _answers(Path(name), batch), strict=True)
    different = [(content, theirs) for content, theirs in answers if ours(content) != theirs]
    for content, theirs in different:
        print("DIFFERENT", content, "shipped by one only:", sorted((ours(content) or set()) ^ (theirs or set()))[:5])
    if len(sys.argv) > 3:
        _write(Path(sys.argv[3]), answers)
    print(f"{count} files, {len(refused)} of them refused by us, {len(different)} differences")
    return int(bool(different))


def _write(path: Path, answers: list[tuple[bytes, set[str] | None]]) -> None:
    """Write what each file leaves out; null: the engine refuses the file."""
    cases = [[content.decode(), None if theirs is None else sorted(set(NAMES) - theirs)] for content, theirs in answers]
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    path.write_text(
        f'{{"files": {json.dumps(NAMES, ensure_ascii=False)},\n"cases": [\n{lines}\n]}}\n', encoding="utf-8"
    )


def _answers(root: Path, contents: list[bytes]) -> list[set[str] | None]:
    """Ask the engine what it does with each file; one that it refuses fails the build, so halves are tried then."""
    found = engines(root, contents)
    if found is not None:
        return list(found)
    if len(contents) == 1:
        return [None]
    half = len(contents) // 2
    return _answers(root, contents[:half]) + _answers(root, contents[half:])


if __name__ == "__main__":
    sys.exit(main())
