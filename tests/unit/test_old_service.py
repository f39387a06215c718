"""Commands that take a Config.ini: what needs neither an engine nor AWS."""

import importlib
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from docker_service.create_docker import create_docker_image, create_dockerfile
from model_dockerize.cli import cli
from model_dockerize.errors import InputError, ProgramError
from tests.rig.existing_files import AWS_CONFIG, BATCH_CONFIG, CONFIG, write

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return write(tmp_path)


def dockerfile(files: Path, *changes: tuple[str, str]) -> Result:
    text = CONFIG
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (files / "Config.ini").write_text(text, encoding="utf-8")
    return CliRunner().invoke(cli, ["dockerfile", str(files / "Config.ini")])


class TestDockerfile:
    def test_python_3_6_the_program_folder_and_a_warning_with_the_one_line_that_changes_it(self, files: Path) -> None:
        done = dockerfile(files)
        assert done.exit_code == 0, done.output
        file = files / "program" / "Dockerfile"
        text = file.read_text(encoding="utf-8")
        assert "\nFROM python:3.6\n" in text
        assert "\nWORKDIR /program\n" in text
        assert '\nCOPY ["${MODEL_CONTEXT}/", "/program/"]\n' in text
        assert f"Dockerfile {file}" in done.output
        assert "Python 3.6 has had no security fixes since 2021-12-23" in done.output
        assert "`base_image = python:3.13-slim-trixie` under [dockerfile] in Config.ini" in done.output

    def test_the_one_line_changes_it(self, files: Path) -> None:
        done = dockerfile(files, ("init_file =\n", "init_file =\nbase_image = python:3.13-slim-trixie\n"))
        assert "\nFROM python:3.13-slim-trixie\n" in (files / "program" / "Dockerfile").read_text(encoding="utf-8")
        assert "security fixes" not in done.output

    @pytest.mark.parametrize("requirements", ["", "requirements.txt", "needs.txt"])
    @pytest.mark.parametrize("init", ["", "init.sh", "install everything.sh"])
    def test_requirements_and_init_script_are_either_both_or_none_and_have_any_name(
        self, files: Path, requirements: str, init: str
    ) -> None:
        for name in ("init.sh", "install everything.sh"):
            (files / "program" / name).write_text("true\n", encoding="utf-8")
        (files / "program" / "needs.txt").write_text("six\n", encoding="utf-8")
        done = dockerfile(files, ("= requirements.txt", f"= {requirements}"), ("init_file =", f"init_file = {init}"))
        assert done.exit_code == 0, done.output
        text = (files / "program" / "Dockerfile").read_text(encoding="utf-8")
        assert ("model_installer" in text) == bool(requirements)
        assert (f"-r ./{requirements}\n" in text) == bool(requirements)
        scripts = [line for line in text.splitlines() if "&& sh " in line]
        assert len(scripts) == bool(init)
        assert not init or init in scripts[0]
        assert ("requirements.txt is not installed from" in done.output) == (not requirements)

    def test_the_same_inputs_give_the_same_dockerfile(self, files: Path, tmp_path: Path) -> None:
        dockerfile(files)
        first = (files / "program" / "Dockerfile").read_bytes()
        (files / "program" / "Dockerfile").unlink()
        dockerfile(files)
        assert (files / "program" / "Dockerfile").read_bytes() == first

    def test_the_path_may_be_the_dockerfiles(self, files: Path) -> None:
        assert dockerfile(files, ("program_path = program", "program_path = program/Dockerfile")).exit_code == 0

    def test_a_path_of_windows_is_told(self, files: Path) -> None:
        done = dockerfile(files, ("program_path = program", "program_path = .\\program"))
        assert (done.exit_code, "Paths are written with / and without quotes" in done.output) == (3, True)

    def test_a_file_in_utf_16_is_told(self, files: Path) -> None:
        (files / "Config.ini").write_text(CONFIG, encoding="utf-16")
        done = CliRunner().invoke(cli, ["dockerfile", str(files / "Config.ini")])
        assert (done.exit_code, "Save it as UTF-8." in done.output) == (2, True)

    @pytest.mark.parametrize(("path", "code"), [("", 2), ("nowhere", 3), ("Config.ini", 3)])
    def test_a_program_path_that_is_missing_or_no_folder_is_refused(self, files: Path, path: str, code: int) -> None:
        done = dockerfile(files, ("program_path = program", f"program_path = {path}"))
        assert done.exit_code == code, done.output
        assert not (files / "Dockerfile").exists()

    def test_an_empty_folder_is_refused(self, files: Path) -> None:
        (files / "empty").mkdir()
        done = dockerfile(files, ("program_path = program", "program_path = empty"))
        assert (done.exit_code, "there is nothing in it to ship" in done.output) == (3, True)


class TestLibrary:
    @pytest.mark.parametrize(
        "name",
        ["docker_service.create_docker", "docker_service.ecr_push", "batch_service.batch_util"],
    )
    def test_the_modules_have_the_names_of_the_old_service(self, name: str) -> None:
        assert importlib.import_module(name).__doc__

    def test_a_dockerfile_is_made_by_a_call(self, files: Path) -> None:
        (files / "program/first.sh").write_text("true\n", encoding="utf-8")
        made = create_dockerfile(
            f"{files}/program/Dockerfile", "first.sh", "requirements.txt", base_image="python:3.13-slim-trixie"
        )
        assert made.path == files / "program" / "Dockerfile"
        assert made.path.read_text(encoding="utf-8") == made.text
        assert made.base_image == "python:3.13-slim-trixie"
        assert "sh ./first.sh" in made.text and "-r ./requirements.txt" in made.text
        assert create_dockerfile(files / "program").base_image == "python:3.6"

    def test_errors_are_raised(self, files: Path) -> None:
        with pytest.raises(ProgramError):
            create_dockerfile(files / "nowhere")
        with pytest.raises(InputError):
            create_dockerfile(files / "program", inputs={"image-name": "NO"})
        with pytest.raises(InputError, match="One input is wrong"):
            create_docker_image(files / "program", "NO")


class TestDocumentation:
    @pytest.mark.parametrize("text", [CONFIG, AWS_CONFIG, BATCH_CONFIG])
    def test_every_key_of_the_three_files_is_described(self, text: str) -> None:
        page = (ROOT / "docs" / "existing-files.md").read_text(encoding="utf-8")
        keys = set(re.findall(r"^(?:    )?([a-z_]+)(?: =|:)", text, re.MULTILINE)) - {"infile"}
        assert len(keys) >= 4
        assert [key for key in sorted(keys) if f"`{key}`" not in page] == []
