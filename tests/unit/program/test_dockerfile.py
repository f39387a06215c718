"""The rendered Dockerfile: known texts, and inputs that try to break out of their place."""

import dataclasses
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_dockerize.errors import InputError
from model_dockerize.program import Program, render_dockerfile
from model_dockerize.program.types import MARKER, Packages

from .folder import ROOT, SERVER, fill, look

GOLDEN = Path(__file__).parent / "golden"
EXAMPLES = ("iris-classifier", "is-prime", "sentiment")
PLAIN = Program(
    name="plain",
    version="1",
    path=Path("/somewhere"),
    entry="main.py",
    command=("python", "main.py", "{input}", "{output}"),
    python_version="3.13",
    base_image="python:3.13-slim-trixie",
    packages=Packages("requirements.txt"),
    init_file="init.sh",
    init_shell="sh",
    init_lacks_lists=False,
    system_packages=(),
    input_types=("text/plain",),
    output_types=("text/plain",),
    sample=None,
    files=(),
    excluded=(),
    ignore_patterns=(),
)


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """Return (keyword, arguments) as Docker's reference reads a file: comment lines, then `\\` at a line's end."""
    found, pending = [], ""
    for line in dockerfile.split("\n"):
        if line.lstrip().startswith("#") or not line.strip():
            continue
        pending += line
        if re.search(r"\\[ \t]*$", pending):
            pending = re.sub(r"\\[ \t]*$", "", pending)
            continue
        keyword, _, rest = pending.strip().partition(" ")
        found.append((keyword, rest))
        pending = ""
    assert not pending
    return found


def expand(word: str, variables: dict[str, str]) -> str:
    """Return a word after BuildKit's expansion: quotes, backslashes, variables."""
    result, index = "", 0
    while index < len(word):
        char = word[index]
        if char == "\\":
            result, index = result + word[index + 1], index + 2
        elif char == "$":
            match = re.match(r"\$\{(\w+)\}|\$(\w+)", word[index:])
            assert match, f"a lone $ in {word!r}"
            result, index = result + variables[match[1] or match[2]], index + match.end()
        else:
            assert char not in "\"'", f"an open quote in {word!r}"
            result, index = result + char, index + 1
    return result


def copied(arguments: str) -> tuple[list[str], str]:
    """Return sources and target of a COPY in JSON form, as Docker finds them on disk."""
    *sources, target = (expand(word, {"MODEL_CONTEXT": "."}) for word in json.loads(arguments))
    literal = [re.sub(r"\[(.)\]", r"\1", source) for source in sources]
    for source in sources:
        assert not re.search(r"[*?\[]", re.sub(r"\[(.)\]", "", source)), f"a pattern in {source!r}"
    return literal, target


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_as_known(name: str) -> None:
    """Written anew with: PYTHONPATH=lib python -m tests.unit.program.test_dockerfile"""
    assert render_dockerfile(look(ROOT / "examples" / name), SERVER) == (GOLDEN / f"{name}.Dockerfile").read_text()


def variants() -> list[Program]:
    return [
        *(look(ROOT / "examples" / name) for name in EXAMPLES),
        dataclasses.replace(
            PLAIN,
            system_packages=("libgomp1", "ffmpeg=7:5.1"),
            packages=Packages('deps/it\'s "mine".txt', ("base [1].txt", "deps/ü.txt")),
            init_file="my init.sh",
            init_shell="bash",
            command=("/opt/conda/bin/python3.12", "a b.py", "--x='$y'", "{input}", "{output}"),
        ),
        dataclasses.replace(PLAIN, packages=Packages("requirements.txt", need_code=True)),
        dataclasses.replace(PLAIN, init_lacks_lists=True),
        dataclasses.replace(PLAIN, is_notebook=True),
        dataclasses.replace(PLAIN, packages=Packages("pixi.lock", exact=True, conda=("--lock", "pixi.lock"))),
        dataclasses.replace(
            PLAIN, packages=Packages("environment.yml", text="six\n", conda=("--channel", "c", "numpy>=1", "it's"))
        ),
        dataclasses.replace(PLAIN, packages=Packages("renv.lock", exact=True, renv=("renv.lock", "CRAN=https://c"))),
        dataclasses.replace(
            PLAIN, packages=Packages(), init_file="", command=("Rscript", "x.R", "{input}", "{output}")
        ),
    ]


def test_nothing_that_an_old_engine_does_not_know() -> None:
    for program in variants():
        text = render_dockerfile(program, SERVER)
        assert text.startswith(MARKER)
        assert not re.search(r"^#\s*\w+\s*=", text, re.M), "a comment that is a parser directive"
        assert "--link" not in text
        assert "--chmod" not in text
        assert "<<" not in text


def test_apts_lists_are_there_for_an_init_script_that_counts_on_them() -> None:
    with_lists = render_dockerfile(dataclasses.replace(PLAIN, init_lacks_lists=True), SERVER)
    (run,) = [rest for keyword, rest in instructions(with_lists) if keyword == "RUN" and "init.sh" in rest]
    assert re.search(r"apt-get update && .*&& sh \./init\.sh && .* +&& rm -rf /var/lib/apt/lists", run)
    assert "apt-get" not in render_dockerfile(PLAIN, SERVER)


def test_the_init_script_has_the_home_that_the_program_sees_and_a_cache_of_pip_that_is_in_no_layer() -> None:
    text = render_dockerfile(PLAIN, SERVER)
    (run,) = [rest for keyword, rest in instructions(text) if keyword == "RUN" and "init.sh" in rest]
    assert "\nENV HOME=/home/model\n" in text
    assert "--mount=type=cache,target=/home/model/.cache/pip" in run
    assert "mkdir -p /home/model && sh ./init.sh && chmod -R a+rX /home/model" in run
    assert "HOME=" not in render_dockerfile(dataclasses.replace(PLAIN, init_file=""), SERVER)


def test_sudo_is_there_for_an_init_script_that_calls_it_and_in_no_layer() -> None:
    text = render_dockerfile(dataclasses.replace(PLAIN, init_calls_sudo=True), SERVER)
    (run,) = [rest for keyword, rest in instructions(text) if keyword == "RUN" and "init.sh" in rest]
    assert "command -v sudo" in run and run.endswith("&& rm -rf /tmp/sudo")
    assert "sudo" not in render_dockerfile(PLAIN, SERVER)


def test_order_keeps_caches() -> None:
    found = instructions(render_dockerfile(dataclasses.replace(PLAIN, system_packages=("git",)), SERVER))
    text = [f"{keyword} {rest}" for keyword, rest in found]
    order = ["apt-get install", "/requirements.txt", "model_installer -r", '"${MODEL_CONTEXT}/"', "init.sh"]
    order += ["COPY --from=", "prepare", "ARG MODEL_BUILD_ID", "manifest", "LABEL", "ENTRYPOINT"]
    places = [next(index for index, line in enumerate(text) if part in line) for part in order]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("changes", "is_below"),
    [
        ({"init_file": ""}, True),
        ({"init_reads": ()}, True),
        ({}, False),
        ({"init_file": "", "packages": Packages("requirements.txt", local=("./wheel.whl",))}, False),
        ({"init_file": "", "packages": Packages("requirements.txt", need_code=True)}, False),
    ],
)
def test_new_code_copies_no_server_and_a_new_server_repeats_no_installation(
    changes: dict[str, Any], is_below: bool
) -> None:
    text = render_dockerfile(dataclasses.replace(PLAIN, **changes), SERVER)
    server, code = text.index("COPY --from="), text.index('COPY ["${MODEL_CONTEXT}/", "/program/"]')
    assert (server < code) == is_below
    assert all(text.index(step) < server for step in ("model_installer -r", "init.sh", "wheel.whl") if step in text)


def test_requirements_that_need_the_code_come_after_it() -> None:
    text = render_dockerfile(dataclasses.replace(PLAIN, packages=Packages("requirements.txt", need_code=True)), SERVER)
    assert text.index('COPY ["${MODEL_CONTEXT}/", "/program/"]') < text.index("model_installer -r")
    assert text.count("COPY [") == 1


def test_what_a_base_image_may_carry_is_reset() -> None:
    found = dict(instructions(render_dockerfile(PLAIN, SERVER)))
    assert found["USER"] == "0:0"
    assert found["WORKDIR"] == "/program"
    assert json.loads(found["ENTRYPOINT"]) == ["/opt/model-server/tini", "--", "/opt/model-server/model-server"]
    assert found["CMD"] == "[]"
    assert found["STOPSIGNAL"] == "SIGTERM"
    assert found["EXPOSE"] == "80"
    assert found["HEALTHCHECK"].endswith('CMD ["/opt/model-server/model-server", "health"]')


def test_the_python_that_runs_the_program_gets_its_packages() -> None:
    text = render_dockerfile(dataclasses.replace(PLAIN, command=("python3", "main.py", "{input}", "{output}")), SERVER)
    assert "    python3 /run/install/model_installer -r" in text
    assert "RUN /opt/model-server/model-server prepare python3\n" in text
    text = render_dockerfile(dataclasses.replace(PLAIN, command=("pypy3", "main.py", "{input}", "{output}")), SERVER)
    assert "    pypy3 /run/install/model_installer -r" in text


def test_python3_stands_in_where_a_base_image_has_no_python() -> None:
    text = render_dockerfile(PLAIN, SERVER)
    assert '"$(command -v python || echo python3)" /run/install/model_installer -r' in text
    assert "RUN /opt/model-server/model-server prepare python\n" in text


def test_a_program_that_installs_nothing_needs_no_shell() -> None:
    text = render_dockerfile(dataclasses.replace(PLAIN, packages=Packages(), init_file=""), SERVER)
    runs = [rest for keyword, rest in instructions(text) if keyword == "RUN"]
    assert [json.loads(rest)[:2] for rest in runs] == [
        ["/opt/model-server/model-server", "prepare"],
        ["/opt/model-server/model-server", "manifest"],
    ]


@pytest.mark.parametrize("reference", ["a b", "a\nRUN x", "", "A", "a:1 --x"])
def test_server_image_is_checked(reference: str) -> None:
    with pytest.raises(InputError):
        render_dockerfile(PLAIN, reference)


def test_secrets_are_mounted_and_never_copied() -> None:
    for keyword, rest in instructions(render_dockerfile(PLAIN, SERVER)):
        if "/run/secrets/" in rest:
            assert keyword == "RUN"
            assert "--mount=type=secret,id=pip-config,required=false" in rest
            assert "--mount=type=secret,id=ca-bundle,required=false" in rest


# All that inspection lets through: no control characters, no line separators, no lone surrogates.
_anything = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=40)
_tricky = st.text("\"'$\\{}[]*?#!`;&|<>()~ -./=\tüab", min_size=1, max_size=20).filter(lambda text: "\t" not in text)
_text = _anything | _tricky
_name = _text.map(lambda text: text.replace("/", "_")).filter(lambda text: text not in (".", ".."))
_path = st.lists(_name, min_size=1, max_size=3).map("/".join)
_requirements = _path.filter(lambda text: "\\" not in text)
_EXPECTED = ["FROM", "USER", "ENV", "ENV", "WORKDIR", "ARG", "COPY", "RUN", "COPY", "ENV", "RUN", "COPY"]
_EXPECTED += ["ARG", "ENV", "ENV", "RUN", "ARG", "RUN", "ENV"]
_EXPECTED += ["LABEL", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"]


@settings(deadline=None, max_examples=120)
@given(requirements=_requirements, init=_path, called=_text, words=st.lists(_text, min_size=1, max_size=4), media=_text)
def test_nothing_breaks_out(requirements: str, init: str, called: str, words: list[str], media: str) -> None:
    program = dataclasses.replace(
        PLAIN,
        packages=Packages(requirements),
        init_file=init,
        command=(called, *words, "{input}", "{output}"),
        input_types=(media,),
    )
    text = render_dockerfile(program, SERVER)
    assert text == render_dockerfile(program, SERVER)
    found = instructions(text)
    assert [keyword for keyword, _ in found] == _EXPECTED
    folder = requirements.rpartition("/")[0]
    assert copied(found[6][1]) == ([f"./{requirements}"], f"/program/{folder}/" if folder else "/program/")
    assert copied(found[8][1]) == (["./"], "/program/")
    assert shlex.split(found[7][1])[-2:] == ["-r", f"./{requirements}"]
    assert found[9] == ("ENV", "HOME=/home/model")
    assert f"&& sh {shlex.quote(f'./{init}')} && chmod" in found[10][1]
    assert shlex.split(found[15][1]) == ["/opt/model-server/model-server", "prepare", called]
    server, verb, manifest = json.loads(found[17][1])
    assert (server, verb) == ("/opt/model-server/model-server", "manifest")
    assert json.loads(manifest)["command"] == list(program.command)
    assert json.loads(manifest)["input_types"] == [media]


def test_a_further_index_for_what_is_not_locked(tmp_path: Path) -> None:
    text = render_dockerfile(dataclasses.replace(PLAIN, torch_index="https://t.example/whl/cpu"), SERVER)
    assert "/model_installer --extra-index-url https://t.example/whl/cpu -r ./requirements.txt" in text


def test_labels() -> None:
    labels = dict(instructions(render_dockerfile(PLAIN, SERVER)))["LABEL"]
    assert dict(word.split("=", 1) for word in shlex.split(labels)) == {
        "org.opencontainers.image.title": "plain",
        "org.opencontainers.image.version": "1",
        "org.opencontainers.image.description": "Model plain behind the container API",
        "org.opencontainers.image.base.name": "python:3.13-slim-trixie",
        "io.model-dockerize.build-id": "$MODEL_BUILD_ID",
        "io.model-dockerize.server": SERVER,
    }


def test_a_backslash_in_the_name_of_the_requirements_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="backslash"):
        look(fill(tmp_path, {"main.py": "", "a\\b.txt": ""}), requirements_file="a\\b.txt")


def test_the_sample_of_the_image_proves_how_the_program_may_be_run(tmp_path: Path) -> None:
    files = {"main.py": "", "x.R": "", "smoke/input.txt": "x", "smoke/expected.txt": "y"}
    mapped, ignored = {**files, "smoke/mapping.json": "[]"}, {**files, ".dockerignore": "smoke"}
    (tmp_path / "input.txt").write_text("x")
    proved = look(fill(tmp_path / "a", files))
    programs = {
        "proved": proved,
        "mapped": look(fill(tmp_path / "b", mapped)),
        "ignored": look(fill(tmp_path / "c", ignored)),
        "elsewhere": look(fill(tmp_path / "d", {"main.py": ""}), smoke_input=tmp_path / "input.txt"),
        "R": look(fill(tmp_path / "e", files), command="Rscript-4 x.R {input} {output}"),
        "forced": dataclasses.replace(proved, runner_mode="warm"),
    }
    found = {}
    for name, program in programs.items():
        runs = [json.loads(line) for line in re.findall(r'^RUN (\["/opt.*server", "(?:manifest|selftest).*\])$',
                                                        render_dockerfile(program, SERVER), re.M)]  # fmt: skip
        manifest = json.loads(runs[0][2])
        found[name] = (manifest.get("sample"), manifest.get("runner_mode"), [run[1] for run in runs[1:]])
    assert found == {
        "proved": ("smoke/input.txt", None, ["selftest"]),
        "mapped": (None, None, []),
        "ignored": (None, None, []),
        "elsewhere": (None, None, []),
        "R": ("smoke/input.txt", None, []),
        "forced": ("smoke/input.txt", "warm", []),
    }


def test_batches_are_a_limit_of_the_manifest_where_they_are_asked_for(tmp_path: Path) -> None:
    files = {"main.py": "", "smoke/input.csv": "a\n1\n2\n", "smoke/expected.csv": "b\n1\n2\n"}
    fill(tmp_path, files)

    def limits(records: int) -> dict[str, int]:
        text = render_dockerfile(look(tmp_path, batch_records=records), SERVER)
        found = re.search(r'^RUN (\["/opt.*server", "manifest.*\])$', text, re.M)
        assert found
        return dict(json.loads(json.loads(found[1])[2])["limits"])

    assert limits(64) == {**limits(0), "batch_records": 64, "batch_wait_ms": 10}


if __name__ == "__main__":
    for example in EXAMPLES:
        text_now = render_dockerfile(look(ROOT / "examples" / example), SERVER)
        (GOLDEN / f"{example}.Dockerfile").write_text(text_now, encoding="utf-8")
