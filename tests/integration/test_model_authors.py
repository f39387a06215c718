"""docs/model-authors.md: where a program runs and what it may do, asked by a program itself."""

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.conftest import Cli

NAME = "model-authors-test"
PROGRAM = """
import json, os, sys
def may_write(folder):
    try:
        with open(os.path.join(folder, "written"), "w"):
            return True
    except OSError as error:
        return type(error).__name__
home = os.path.expanduser("~")
mask = os.umask(0)
os.umask(mask)
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
facts = {
    "words": [word.replace(os.path.dirname(sys.argv[-1]), "") for word in sys.argv[1:]],
    "absolute": all(os.path.isabs(word.partition("=")[2] or word) for word in sys.argv[1:]),
    "text": open(sys.argv[1].partition("=")[2]).read(),
    "folder": os.getcwd(), "stdin": sys.stdin.read(), "umask": mask, "is root": os.getuid() == 0,
    "rights": status["CapEff"].strip(), "no more": status["NoNewPrivs"].strip(),
    "corpus": open(home + "/corpus/words").read(), "hub": open(home + "/.cache/hub/model").read(),
    "writes": {place: may_write(place) for place in (
        os.path.dirname(sys.argv[-1]), home, home + "/.cache", "/tmp", "/var/tmp", "/dev/shm", "kept", "/program",
    )},
}
facts["writes"] = {name.replace(home, "~").replace(os.path.dirname(sys.argv[-1]), "OUT"): can
                   for name, can in facts["writes"].items()}
with open(sys.argv[-1], "w") as file:
    json.dump(facts, file)
"""
INIT = """
mkdir -p ~/corpus ~/.cache/hub
echo words > ~/corpus/words
echo weights > ~/.cache/hub/model
mkdir -m 777 kept
"""


@pytest.fixture(scope="module")
def image(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("authors")
    for name, text in (("main.py", PROGRAM), ("init.sh", INIT), ("smoke/input.csv", "a\n1\n")):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    command = "python main.py --in={input}.csv {output}.json"
    built = cli.run(folder, "--image-name", NAME, "--command", command, command="build")
    assert built.code == 0, built.log
    yield f"{NAME}:latest"
    subprocess.run(["docker", "image", "rm", "--force", f"{NAME}:latest"], capture_output=True, check=False)


@pytest.mark.parametrize("mode", ["command", "warm"])
def test_where_a_program_runs(image: str, mode: str) -> None:
    run = ["docker", "run", "--rm", "-i", f"--env=MODEL_RUNNER_MODE={mode}", image, "run", "-", "-"]
    done = subprocess.run(run, input="a,b\n", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    facts: dict[str, Any] = json.loads(done.stdout)
    assert facts.pop("writes") == {
        **dict.fromkeys(("OUT", "~", "~/.cache", "/tmp", "/var/tmp", "/dev/shm", "kept"), True),
        "/program": "PermissionError",
    }
    assert [re.search(r"\.\w+$", word)[0] for word in facts.pop("words")] == [".csv", ".json"]  # type: ignore[index]
    assert facts == {
        **{"absolute": True, "text": "a,b\n", "folder": "/program", "stdin": "", "umask": 0o77, "is root": False},
        **{"rights": "0000000000000000", "no more": "1", "corpus": "words\n", "hub": "weights\n"},
    }
