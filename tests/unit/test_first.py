"""The first ten minutes: a folder to begin with, a file through a model, a file above the folder, the TAB key."""

import http.server
import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from model_dockerize import pipeline, program
from model_dockerize.cli import cli, first
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import Question
from model_dockerize.progress import Silent
from model_dockerize.settings import to_settings
from model_dockerize.settings.load import file_above
from model_dockerize.settings.own_file import from_file
from tests.rig.listening import listening


def call(*words: object) -> Result:
    return CliRunner().invoke(cli, list(map(str, words)))


class TestInit:
    def test_the_sample_is_the_beginning_of_the_data(self, tmp_path: Path) -> None:
        (tmp_path / "main.py").write_text("import sys\n")
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "train.csv").write_text("id,age\n" + "".join(f"{n},{n}\n" for n in range(100)))
        (tmp_path / "requirements.txt").write_text("pandas\n")
        result = call("init", tmp_path)
        assert result.exit_code == 0
        assert (tmp_path / "smoke" / "input.csv").read_text() == "id,age\n0,0\n1,1\n2,2\n3,3\n4,4\n"
        said = " ".join(result.stderr.split())
        assert "made smoke/input.csv (the beginning of data/train.csv), model-dockerize.yml (three" in said

    def test_else_a_stub_of_the_columns_that_the_program_names_which_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "main.py").write_text("frame['score'] = frame['age'] + frame['tenure']\n")
        result = call("init", tmp_path)
        assert (tmp_path / "smoke" / "input.csv").read_text() == "age,tenure\n1,1\n"
        assert "smoke/input.csv is a stub" in result.stderr

    def test_the_yml_has_three_comments_and_says_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "main.py").write_text("print()\n")
        assert call("init", tmp_path).exit_code == 0
        lines = (tmp_path / "model-dockerize.yml").read_text().splitlines()
        assert len(lines) == 4
        assert all(line.startswith("#") for line in lines)
        assert call("dockerfile", tmp_path).exit_code == 0

    def test_the_yml_names_what_is_found_and_nothing_that_only_a_checkout_has(self, tmp_path: Path) -> None:
        (tmp_path / "predict.py").write_text("print()\n")
        (tmp_path / ".python-version").write_text("3.11\n")
        assert call("init", tmp_path).exit_code == 0
        text = (tmp_path / "model-dockerize.yml").read_text()
        assert "# command: python predict.py {input} {output}\n" in text
        assert '# python-version: "3.11"\n' in text
        assert "model-dockerize run --help-all" in text
        assert "docs/" not in text

    def test_what_run_would_stop_at_is_told(self, tmp_path: Path) -> None:
        for name in ("one.py", "two.py"):
            (tmp_path / name).write_text("print()\n")
        result = call("init", tmp_path)
        assert result.exit_code == 0
        assert "several scripts could be it" in " ".join(result.stderr.split())
        assert "Next: put that right, then model-dockerize run" in result.stdout

    def test_a_table_that_the_first_program_cannot_read_is_not_its_sample(self, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("id,text\n1," + 132_000 * "x" + "\n")
        (tmp_path / "b.csv").write_text("id,age\n1,30\n")
        assert call("init", tmp_path).exit_code == 0
        assert (tmp_path / "smoke" / "expected.csv").read_text() == "id,age,prediction\n1,30,2\n"
        alone = tmp_path / "alone"
        alone.mkdir()
        (tmp_path / "a.csv").rename(alone / "a.csv")
        assert call("init", alone).exit_code == 0
        assert (alone / "smoke" / "input.csv").read_text().startswith("name,age,city\n")

    def test_bytes_that_are_read_are_shown_and_no_more(self, tmp_path: Path) -> None:
        (tmp_path / "main.py").write_text("print()\n")
        (tmp_path / ".env").write_text("KEY=1\n")  # left out of the image, which only `run` says
        shown: list[str] = []

        class Stage(Silent):
            def transfer(self, what: str, done: int, total: int) -> None:
                shown.append(what)

            def warning(self, text: str, file: Path | None = None, line: int | None = None) -> None:
                shown.append(text)

        program.start(tmp_path, Stage())
        assert "reading the folder" in shown
        assert shown[-1] == ""
        assert not [text for text in shown if ".env" in text]

    @pytest.mark.parametrize("name", ["my model.py", "it's.py", "a #1.py", "a: b.py", "a$b.py"])
    def test_the_command_without_its_comment_is_the_one_that_was_found(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_text("print()\n")
        assert call("init", tmp_path).exit_code == 0
        file = tmp_path / "model-dockerize.yml"
        assert "{input} {output}" in file.read_text()
        assert "'{input}'" not in file.read_text()
        file.write_text(file.read_text().replace("# command:", "command:"))
        settings = to_settings([from_file(file)])
        found = program.inspect(settings.program, settings.image, settings.smoke, Silent())
        assert found.command == ("python", name, "{input}", "{output}")

    def test_in_a_folder_called_smoke_files_have_their_names(self, tmp_path: Path) -> None:
        said = " ".join(call("init", tmp_path / "smoke").stderr.split())
        assert "made main.py (" in said
        assert "smoke/input.csv (" in said

    def test_a_sample_without_a_program_gets_one(self, tmp_path: Path) -> None:
        (tmp_path / "smoke").mkdir()
        sample = tmp_path / "smoke" / "input.csv"
        sample.write_text("id\n1\n")
        assert call("init", tmp_path).exit_code == 0
        assert (tmp_path / "main.py").exists()
        assert [path.name for path in sample.parent.iterdir()] == ["input.csv"]
        assert sample.read_text() == "id\n1\n"

    @pytest.mark.parametrize(
        "name",
        [
            *("score.py", "model.ipynb", "run.sh", "score.R", "src/index.js", "Config.ini", "model-dockerize.yml"),
            *("a.cpp", "a.cc", "a.cs", "a.php", "a.lua", "a.kt", "a.scala", "a.swift", "a.m", "a.f90"),
        ],
    )
    def test_a_folder_with_a_program_gets_none(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
        call("init", tmp_path)
        assert not (tmp_path / "main.py").exists()
        assert (tmp_path / "smoke" / "input.txt").exists()

    def test_a_folder_with_an_executable_gets_no_program(self, tmp_path: Path) -> None:
        (tmp_path / "score").touch(mode=0o755)
        call("init", tmp_path)
        assert not (tmp_path / "main.py").exists()

    def test_nothing_is_overwritten(self, tmp_path: Path) -> None:
        (tmp_path / "smoke").mkdir()
        there = {tmp_path / "smoke" / "input.json": "{}", tmp_path / "model-dockerize.yml": "memory: 1024\n"}
        for path, text in there.items():
            path.write_text(text)
        assert "Everything is there." in call("init", tmp_path).stderr
        assert {path: path.read_text() for path in tmp_path.rglob("*.*")} == there

    def test_what_is_cut_off_is_no_sample(self, tmp_path: Path) -> None:
        (tmp_path / "main.py").write_text("print()\n")
        (tmp_path / "data.json").write_text(json.dumps(["row"] * 60_000, indent=1))
        (tmp_path / "notes.csv").write_text("id,note\n" + "".join(f'{n},"a\nb"\n' for n in range(9)))
        (tmp_path / "long.csv").write_text("name\n" + "é\n" * 200_000)
        sample = tmp_path / "smoke" / "input.csv"
        call("init", tmp_path)
        assert sample.read_text() == "name\n" + 5 * "é\n"
        for path in (tmp_path / "long.csv", sample):
            path.unlink()
        call("init", tmp_path)
        assert sample.read_text() == "id,note\n" + "".join(f'{n},"a\nb"\n' for n in range(5))
        for path in (tmp_path / "notes.csv", sample):
            path.unlink()
        assert "smoke/input.txt is a stub" in call("init", tmp_path).stderr

    def test_nothing_is_written_outside_of_the_folder(self, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "model").mkdir()
        (tmp_path / "model" / "smoke").symlink_to(tmp_path / "elsewhere")
        result = call("init", tmp_path / "model")
        assert (result.exit_code, "leads out of" in result.stdout) == (2, True), result.output
        assert list((tmp_path / "elsewhere").iterdir()) == []

    def test_no_file_outside_of_the_folder_becomes_the_sample(self, tmp_path: Path) -> None:
        (tmp_path / "secret.csv").write_text("key\nhidden\n")
        folder = tmp_path / "model"
        folder.mkdir()
        (folder / "data.csv").symlink_to(tmp_path / "secret.csv")
        call("init", folder)
        assert "hidden" not in "".join(path.read_text() for path in (folder / "smoke").iterdir())


STATUS = {b"refuse": 400, b"dies": 400, b"fail": 500, b"closed": 401, b"garble": 500, b"moved": 308}
KILLED = "The program was killed by SIGKILL (often: out of memory)."
FAILED = "Traceback (most recent call last):\n  File \"/program/main.py\", line 3\n    row['age']\nKeyError: 'age'"


class Model(http.server.BaseHTTPRequestHandler):
    """Answers run-job with what came in; by the file's first word with a refusal or a failure."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        content = body.partition(b"\r\n\r\n")[2].rpartition(b"\r\n--")[0]
        word = content.partition(b",")[0]
        status = STATUS.get(word, 202 if word.startswith(b"late") else 200)
        time.sleep(0.3 if word == b"slow" else 0)
        is_json = "json" in self.headers["Accept"]
        answer = json.dumps([content.decode()]).encode() if is_json else content
        if self.path != "/data/run-job":
            status = 404
        if status != 200:
            answer = json.dumps({"data": None, "errorMessage": "Traceback\nValueError: no such column"}).encode()
        if word == b"dies":
            error = KILLED if content.endswith(b"killed") else FAILED
            answer = json.dumps({"data": {"id": "1", "status": "Error", "errorMessage": error}, "errorMessage": error})
            answer = answer.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if is_json or status != 200 else "text/csv")
        self.send_header("Content-Length", str(len(answer)))
        if status == 308:
            self.send_header("Location", f"https://model.example{self.path}")
        if content.startswith(b"garble"):
            self.send_header("Content-Encoding", "gzip")
        if status == 202:
            self.send_header("X-Job-Id", word.decode())
        self.send_header("X-Key", self.headers.get("x-api-key", ""))
        self.end_headers()
        self.wfile.write(answer)

    looks = 0

    def do_GET(self) -> None:
        """Tell of the jobs late-Complete, late-Error and late-Vanished, which go on for one look."""
        Model.looks += 1
        place, _, job = self.path.partition("?")[0].rpartition("/")
        state = "InProgress" if Model.looks % 2 else job.partition("-")[2]
        answer = json.dumps({"data": {"status": state}, "errorMessage": KILLED if state == "Error" else None}).encode()
        if place == "/data/result":
            answer = b"in the end\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/csv" if place == "/data/result" else "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    # By `from`, smoke.ask is the function.
    monkeypatch.setattr(importlib.import_module("model_dockerize.smoke.ask"), "_PAUSE_SECONDS", 0.02)
    with listening(Model) as server:
        yield f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / 'a"b\r.csv'
    path.write_text("id,age\n1,30\n")
    return path


class TestAsk:
    def test_the_result_is_all_of_standard_output(self, url: str, data: Path) -> None:
        result = call("ask", url, data)
        assert (result.exit_code, result.stdout) == (0, "id,age\n1,30\n"), result.stderr

    def test_a_terminal_gets_no_control_characters(
        self, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "in").write_bytes("a\x1b]0;owned\x07\tü\r\n".encode() + b"\xff")
        monkeypatch.setattr(first, "_is_terminal", lambda: True)
        assert call("ask", url, tmp_path / "in").stdout == "a]0;owned\tü\n\ufffd\n"

    def test_json_is_asked_for(self, url: str, data: Path) -> None:
        assert json.loads(call("ask", url, data, "--json").stdout) == ["id,age\n1,30\n"]

    def test_a_large_file_goes_and_comes_in_parts(self, url: str, tmp_path: Path) -> None:
        content, output = os.urandom(3 << 20), tmp_path / "result"
        (tmp_path / "large").write_bytes(content)
        assert call("ask", url, tmp_path / "large", "--output", output).exit_code == 0
        assert output.read_bytes() == content

    @pytest.mark.parametrize(
        ("content", "code", "says"),
        [
            ("refuse,1", 2, "refuses the file"),
            ("fail,1", 12, "The model failed: ValueError: no such column"),
            ("dies,1", 12, "The model's program failed: KeyError: 'age'"),
            ("dies,killed", 12, f"The model's program failed: {KILLED}"),
            ("late-Error,1", 12, f"The model's program failed (job late-Error): {KILLED}"),
            ("late-Vanished,1", 12, "does not say what became of the job late-Vanished"),
            ("closed,1", 2, "--smoke-api-key"),
            ("garble,1", 12, "does not answer"),
            ("moved,1", 2, "leads to 'https://model.example'"),
        ],
    )
    def test_what_goes_wrong_is_told(self, url: str, tmp_path: Path, content: str, code: int, says: str) -> None:
        (tmp_path / "in").write_text(content)
        result = call("ask", url, tmp_path / "in", "--output", tmp_path / "out")
        assert (result.exit_code, says in result.stderr) == (code, True), result.stderr
        assert not (tmp_path / "out").exists()
        assert [path.name for path in tmp_path.iterdir()] == ["in"]

    def test_the_words_of_a_program_that_failed_are_told_line_by_line(self, url: str, tmp_path: Path) -> None:
        (tmp_path / "in").write_text("dies,1")
        said = [line.strip() for line in call("ask", url, tmp_path / "in").stderr.splitlines()]
        assert "Next: Look into its log, where it runs." in said
        assert said[-5:-1] == [line.strip() for line in FAILED.splitlines()]

    def test_of_a_killed_program_memory_is_the_remedy(self, url: str, tmp_path: Path) -> None:
        (tmp_path / "in").write_text("dies,killed")
        said = call("ask", url, tmp_path / "in").stderr
        assert "Next: Most likely its memory was too small: give it more, by model-dockerize deploy" in said
        assert said.count(KILLED) == 1

    def test_a_job_that_takes_longer_than_the_server_waits_is_waited_for(self, url: str, tmp_path: Path) -> None:
        (tmp_path / "in").write_text("late-Complete,1")
        assert call("ask", url, tmp_path / "in").stdout == "in the end\n"

    def test_a_file_that_is_written_is_named_with_its_size(self, url: str, data: Path, tmp_path: Path) -> None:
        result = call("ask", url, data, "--output", tmp_path / "o.csv")
        assert (result.stdout, (tmp_path / "o.csv").read_text()) == ("", data.read_text())
        assert f"answers {url}: {tmp_path / 'o.csv'} is written, 12 bytes" in result.stderr

    @pytest.mark.parametrize(
        ("place", "code"), [("http://127.0.0.1:9", 12), ("ftp://x", 2), ("http://", 2), ("http://[", 2)]
    )
    def test_what_is_no_model_is_told(self, data: Path, place: str, code: int) -> None:
        assert call("ask", place, data).exit_code == code

    def test_a_place_that_cannot_be_is_told(self, url: str, data: Path) -> None:
        result = call("ask", url, data, "--output", data / "out.csv")
        assert (result.exit_code, "cannot be written" in result.stderr) == (2, True), result.stderr

    def test_an_address_within_a_model_is_none_of_a_model(self, url: str, data: Path) -> None:
        assert call("ask", f"{url}/data", data).exit_code == 2


def test_a_current_folder_that_is_gone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    result = call("build")
    assert (result.exit_code, "not there any more" in result.output) == (2, True), result.output


@pytest.mark.parametrize("words", [("submit", "a" * 300), ("batch", "x/" * 3000), ("destroy", "x/" * 3000)])
def test_a_name_that_no_file_can_have_is_told(words: tuple[str, ...]) -> None:
    result = call(*words)
    assert result.exit_code in (2, 3), result.output
    assert isinstance(result.exception, SystemExit)


def test_destroy_asks_nobody_where_there_is_no_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(_run: object, agreed: Callable[[Question], bool], **_: object) -> Outcome:
        monkeypatch.setattr(sys, "stdin", None)
        return Outcome.DESTROYED if agreed(Question((), ("stack iris",), ())) else Outcome.UNCHANGED

    monkeypatch.setattr(pipeline, "destroy", found)
    result = call("destroy", "--service", "iris")
    assert (result.exit_code, "add --yes" in result.stdout) == (2, True), result.output


class TestFileAbove:
    @pytest.fixture
    def repository(self, tmp_path: Path) -> Path:
        root = tmp_path / "repository"
        (root / ".git").mkdir(parents=True)
        (root / "src" / "deep").mkdir(parents=True)
        (tmp_path / "model-dockerize.yml").write_text("memory: 1\n")
        return root

    def test_is_found_up_to_the_root_and_not_beyond(self, repository: Path) -> None:
        assert file_above(repository / "src" / "deep") is None
        (repository / "model-dockerize.yml").write_text("memory: 1024\n")
        assert file_above(repository / "src" / "deep") == repository / "model-dockerize.yml"
        assert file_above(repository) is None

    def test_is_not_of_a_program_of_its_own(self, repository: Path) -> None:
        (repository / "model-dockerize.yml").write_text("memory: 1024\n")
        (repository / "src" / "main.py").write_text("print()\n")
        assert file_above(repository / "src") is None

    def test_is_none_where_there_is_no_repository(self, tmp_path: Path) -> None:
        (tmp_path / "a" / "b").mkdir(parents=True)
        (tmp_path / "a" / "model-dockerize.yml").write_text("memory: 1024\n")
        assert file_above(tmp_path / "a" / "b") is None

    def test_a_run_says_which(self, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (repository / "model-dockerize.yml").write_text("image-name: above\n")
        (repository / "main.py").write_text("print()\n")
        monkeypatch.chdir(repository / "src" / "deep")
        result = call("dockerfile")
        assert result.exit_code == 0, result.output
        assert f"Using {repository}/model-dockerize.yml" in result.stderr
        assert "above:latest" in result.stdout
