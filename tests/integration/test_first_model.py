"""docs/first-model.md, done from top to bottom as it stands, and with its model the library's example."""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

from tests.integration.conftest import ROOT, Cli

LIBRARY = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "first-model.md").read_text(encoding="utf-8")
NO_FOLDER = ("list", "status", "logs", "rollback", "destroy")
_BLOCKS = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str, page: str = PAGE) -> list[str]:
    return [text for kind, text in _BLOCKS.findall(page) if kind == language]


def expanded(word: str, folder: Path) -> list[str]:
    """Do as the shell."""
    return sorted(str(path.relative_to(folder)) for path in folder.glob(word))


def test_the_page_from_top_to_bottom(cli: Cli, tmp_path: Path) -> None:
    script, snippet = blocks("python")
    plain = blocks("")
    folder, elsewhere = tmp_path / "churn", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (folder / "main.py").write_text(script, encoding="utf-8")
    (folder / "requirements.txt").write_text("pandas\n", encoding="utf-8")
    (sample,) = [text for text in plain if text.startswith("age,tenure")]
    (tmp_path / "data").mkdir()
    for name in ("jan", "feb"):
        (tmp_path / "data" / f"{name}.csv").write_text(sample, encoding="utf-8")
    cli.images.add("churn:latest")
    ran, url = list[str](), ""
    for line in (line for text in plain for line in text.splitlines() if line.startswith(("model-dockerize", "curl"))):
        if line.startswith("curl"):
            asked = subprocess.run(
                ["sh", "-c", line],
                cwd=tmp_path,
                env={**os.environ, "URL": url},
                capture_output=True,
                text=True,
                check=True,
            )
            assert asked.stdout.startswith("age,tenure,score\n34,12,0.423\n")
            continue
        words = shlex.split(line)[1:]
        if words[-2:] == ["sandbox", "stop"]:  # that of all tests
            continue
        if words[0] == "submit":
            called = cli.python("-c", blocks("python", LIBRARY)[0], cwd=tmp_path)
            assert called.returncode == 0, called.stderr
            assert f"unchanged {url}" in called.stdout or "deployed http" in called.stdout, called.stdout
            assert "age,tenure,score\n34,12,0.42" in called.stdout
            assert called.stdout.count("RevisionRow(") >= 2
        words = [found for word in words for found in (expanded(word, tmp_path) if "*" in word else [word])]
        if words[0] == "rollback":  # to go back to: the page's reader has changed something by then
            (folder / "main.py").write_text(script.replace("round(3)", "round(2)"), encoding="utf-8")
            assert cli("run", "churn", "--sandbox", cwd=tmp_path).returncode == 0
        report = tmp_path / "report.json"
        more = ["--report", report] if words[0] == "run" else []
        # Who looks after it needs no folder, only the name.
        done = cli(*words, *more, cwd=elsewhere if words[0] in NO_FOLDER else tmp_path)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        ran.append(words[0])
        if words[0] == "init":
            assert (folder / "smoke" / "input.csv").read_text() == "age,tenure\n1,1\n"
            (folder / "smoke" / "input.csv").write_text(sample, encoding="utf-8")
        if words[0] == "run":
            url = json.loads(report.read_text())["url"]
        if words[0] == "ask":
            assert done.stdout.startswith("age,tenure,score\n34,12,0.423\n")
        if words[0] == "submit":
            assert {each.name for each in (tmp_path / "results").iterdir()} == {"jan.csv", "feb.csv"}
    assert ran == ["init", "build", "run", "ask", "list", "status", "logs", "rollback", "submit", "destroy"]
    compile(snippet, "first-model.md", "exec")
