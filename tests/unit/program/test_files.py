"""All that a program needs is shipped; tools, credentials and special files are not."""

import json
import os
from pathlib import Path

import pytest

from model_dockerize.errors import InputError, ProgramError
from model_dockerize.program import is_pointer
from model_dockerize.program.dockerignore import DockerIgnore, patterns_of
from model_dockerize.program.ignore import CREDENTIAL

from .folder import Heard, fill, left_out, look, paths

SERVICE_ACCOUNT = json.dumps({"type": "service_account", "private_key": "x"})


def test_tools_and_credentials_stay_out(tmp_path: Path) -> None:
    out = {
        ".git/config": "",
        "a/.hg/x": "",
        "my env/pyvenv.cfg": "",
        "my env/lib/x.py": "",
        "a/__pycache__/x.pyc": "",
        ".ipynb_checkpoints/x": "",
        ".pytest_cache/x": "",
        "a/node_modules/x": "",
        ".DS_Store": "",
        "model_123abc.docker.tar.gz": "",
        "Dockerfile": "",
        ".dockerignore": "",
        "model-dockerize.yml": "",
    }
    secret = {
        ".env": "",
        "a/.env.local": "",
        "a/server.pem": "",
        "tls.key": "",
        "id_rsa": "",
        "id_rsa.pub": "",
        ".aws/credentials": "",
        "AwsConfig.ini": "",
        "credentials": "",
        ".netrc": "",
        ".pypirc": "",
        ".docker/config.json": "{}",
        "x.gai_key": "",
        "a/pip.conf": "",
        "a/robot.json": SERVICE_ACCOUNT,
    }
    shipped = {
        "main.py": "",
        "a/data.json": '{"type": "x"}',
        "a/Dockerfile": "",
        "environment/x.py": "",
        "a/broken.json": "{",
        "keys.txt": "",
        ".github/x.yml": "",
    }
    heard = Heard()
    program = look(fill(tmp_path, {**out, **secret, **shipped}), heard)
    assert paths(program) == sorted(shipped)
    warned = {item.path for item in program.excluded if item.reason == CREDENTIAL}
    assert warned == {*secret, ".aws"} - {".aws/credentials"}
    assert all(any(warning.startswith(f"{path} ") for warning in heard.warnings) for path in warned)
    assert len(heard.warnings) == len(warned) + 1  # and the Dockerfile that is not ours
    assert left_out(program)["my env"] == "a virtual environment"
    (told,) = [text for text in heard.infos if text.startswith("Left out: ")]
    assert "my env (a virtual environment)" in told
    assert "Dockerfile" not in told  # that the files of the image itself stay out of it surprises nobody


def test_pip_configuration_of_any_name_stays_out(tmp_path: Path) -> None:
    folder = fill(tmp_path, {"main.py": "", "private/index.ini": "password"})
    assert paths(look(folder, pip_config=folder / "private" / "index.ini")) == ["main.py"]


def test_credentials_can_be_wanted(tmp_path: Path) -> None:
    folder = fill(tmp_path, {"main.py": "", "ca.pem": "", "b/c.pem": "", ".env": "", ".dockerignore": "!ca.pem\n!b\n"})
    program = look(folder)
    assert paths(program) == ["ca.pem", "main.py"]


# Each: patterns, path, and whether Docker leaves it out (semantics of moby's patternmatcher).
@pytest.mark.parametrize(
    ("patterns", "path", "ignored"),
    [
        ("data", "data/a/b.csv", True),
        ("data/", "data/b.csv", True),
        ("/data", "data/b.csv", True),
        ("data", "x/data", False),
        ("*/data", "x/data/y", True),
        ("*.csv", "a.csv", True),
        ("*.csv", "x/a.csv", False),
        ("**/*.csv", "a.csv", True),
        ("**/*.csv", "x/y/a.csv", True),
        ("**/data", "x/y/data/z", True),
        ("x/**", "x/y/z", True),
        ("x/**/z", "x/z", True),
        ("x/../y", "y", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[ab].txt", "b.txt", True),
        ("*|!main.py", "main.py", False),
        ("*|!main.py", "other.py", True),
        ("*|!src", "src/deep/x.py", False),
        ("**/data|!x/data/keep", "x/data/keep", False),
        ("**/data|!x/data/keep", "x/data/other", True),
        ("!main.py|*", "main.py", True),
        ("*.md|!README.md|README*", "README.md", True),
    ],
)
def test_dockerignore(patterns: str, path: str, ignored: bool) -> None:
    assert DockerIgnore(patterns_of(patterns.replace("|", "\n"))).ignores(path) is ignored


def test_dockerignore_of_the_folder(tmp_path: Path) -> None:
    lines = "# data\n\n  **/data  \n!x/data/keep.csv\n*.log\n"
    folder = fill(
        tmp_path,
        {
            ".dockerignore": lines,
            "main.py": "",
            "x/data/keep.csv": "",
            "x/data/big.csv": "",
            "a.log": "",
            "x/b.log": "",
        },
    )
    assert paths(look(folder)) == ["main.py", "x/b.log", "x/data/keep.csv"]


def test_a_needed_file_that_is_ignored(tmp_path: Path) -> None:
    folder = fill(tmp_path, {".dockerignore": "*.txt", "main.py": "", "deps.txt": ""})
    with pytest.raises(InputError, match=r"'deps\.txt' is left out \(\.dockerignore\)"):
        look(folder, requirements_file="deps.txt")


def test_symbolic_links(tmp_path: Path) -> None:
    folder = fill(tmp_path / "p", {"main.py": "", "a/b/x": ""})
    (folder / "a" / "up").symlink_to("../main.py")
    (folder / "dir").symlink_to("a/b")
    (folder / "loop").symlink_to("loop")
    (folder / "nothing").symlink_to("not/there")
    links = {file.path: file.link_target for file in look(folder).files if file.link_target}
    assert links == {"a/up": "../main.py", "dir": "a/b", "loop": "loop", "nothing": "not/there"}


@pytest.mark.parametrize("target", ["/etc/passwd", "../secret", "a/../../secret", "."])
def test_symbolic_links_that_leave(tmp_path: Path, target: str) -> None:
    folder = fill(tmp_path / "p", {"main.py": "", "a/x": ""})
    (folder / "link").symlink_to(target)
    if target == ".":
        assert "link" in paths(look(folder))
        return
    with pytest.raises(ProgramError, match=f"'link' leaves the folder .it points to '{target}'"):
        look(folder)


def test_a_chain_of_links_that_leaves(tmp_path: Path) -> None:
    folder = fill(tmp_path / "p", {"main.py": "", "a/b/x": ""})
    (folder / "down").symlink_to("a/b")
    (folder / "out").symlink_to("down/../../../x")
    with pytest.raises(ProgramError, match="'out' leaves"):
        look(folder)


@pytest.mark.parametrize("name", [b"a\nRUN x", b"a\tb", b"\x7f", b"caf\xe9", "a\u2028b".encode()])
def test_names_that_cannot_be_shipped(tmp_path: Path, name: bytes) -> None:
    fill(tmp_path, {"main.py": ""})
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).touch()
    with pytest.raises(ProgramError, match="in its name; rename it"):
        look(tmp_path)


def test_names_that_can(tmp_path: Path) -> None:
    names = ["größe n.txt", "it's", 'say "x"', "$HOME", "a#b", "back\\slash", "[x]*?", "-rf", "a\u00a0b", "模型"]
    fill(tmp_path, {"main.py": "", **dict.fromkeys(names, "")})
    assert paths(look(tmp_path)) == sorted(["main.py", *names])


def test_special_files_are_left_out(tmp_path: Path) -> None:
    fill(tmp_path, {"main.py": ""})
    os.mkfifo(tmp_path / "pipe")
    program = look(tmp_path)
    assert left_out(program) == {"pipe": "neither a file nor a folder"}
    assert paths(program) == ["main.py"]


def test_what_is_known_of_a_file(tmp_path: Path) -> None:
    fill(tmp_path, {"main.py": "abc"})
    (tmp_path / "main.py").chmod(0o700)
    (file,) = look(tmp_path).files
    assert (file.size, file.executable) == (3, True)
    assert file.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:abab\nsize 104857600\n"


def test_git_lfs_pointers_are_told_all_at_once(tmp_path: Path) -> None:
    many = {f"weights/{number:02}.bin": POINTER for number in range(24)}
    with pytest.raises(ProgramError) as caught:
        look(fill(tmp_path, {"main.py": "", "model.pkl": POINTER, **many}))
    told = str(caught.value).partition(" cannot be turned into an image: ")[2]
    assert told.startswith("25 files are Git LFS pointers, not the content: model.pkl, weights/00.bin, ")
    assert told.endswith("weights/18.bin and 5 more. Set `lfs: true` in actions/checkout, or run `git lfs pull`.")


def test_what_is_no_pointer_or_is_not_shipped_is_not_told(tmp_path: Path) -> None:
    files = {
        ".dockerignore": "archive/\n",
        "archive/old.bin": POINTER,
        "main.py": "",
        "about-lfs.md": f"{POINTER}{'About this format. ' * 60}",
        "quoted.txt": f"It begins with {POINTER}",
        "v2.bin": "version https://git-lfs.github.com/spec/v",
    }
    assert "about-lfs.md" in paths(look(fill(tmp_path, files)))


def test_a_link_to_a_pointer_is_not_told_besides(tmp_path: Path) -> None:
    fill(tmp_path, {"main.py": "", "model.pkl": POINTER})
    (tmp_path / "link.pkl").symlink_to("model.pkl")
    with pytest.raises(ProgramError) as caught:
        look(tmp_path)
    assert "image: 1 file is a Git LFS pointer, not the content: model.pkl." in str(caught.value)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert not is_pointer(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    assert paths(look(fill(tmp_path, {"main.py": ""}))) == ["link", "main.py"]


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_sample_that_is_a_pointer_proves_nothing(tmp_path: Path, elsewhere: bool) -> None:
    folder = fill(tmp_path / "model", {"main.py": "", ".dockerignore": "smoke\n", "smoke/input.csv": "a\n1\n"})
    sample = tmp_path / "data.csv" if elsewhere else folder / "smoke/input.csv"
    sample.write_text(POINTER)
    with pytest.raises(ProgramError, match=r"1 file is a Git LFS pointer, not the content: .*csv") as caught:
        look(folder, smoke_input=sample if elsewhere else None)
    assert len(caught.value.details) == 1


def test_bytes_are_told_while_a_large_file_is_read(tmp_path: Path) -> None:
    heard = Heard()
    look(fill(tmp_path, {"main.py": "1", "weights.bin": b"w" * (2 << 20), "z.txt": "z"}), heard)
    mebibyte = 1 << 20
    told = [1, 1 + mebibyte, 1 + 2 * mebibyte, 2 + 2 * mebibyte]
    assert heard.transfers == [*(("reading the folder", done, 0) for done in told), ("", 0, 0)]
