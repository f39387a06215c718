"""Attacks by what /proc shows of the Action's process."""

import json
import os
import subprocess
import sys
from pathlib import Path

from model_dockerize.image import build_argv, cache_variables
from model_dockerize.image.build import BuildRequest
from model_dockerize.image.cache import Cache
from model_dockerize.image.engine import Engine, _of_docker

ROOT = Path(__file__).resolve().parents[2]
LOOK = """\
import json, os, sys
sys.path.insert(0, {lib!r})
from model_dockerize.job_environment import take
job = take()
places = [f"/proc/self/fd/{{fd}}" for fd in os.listdir("/proc/self/fd")]
files = [os.readlink(place) for place in places if os.path.lexists(place)]
shown = open("/proc/self/environ", encoding="utf-8", errors="surrogateescape").read()
print(json.dumps({{"shown": shown, "job": job, "own": dict(os.environ), "files": files, "argv": sys.argv[1:]}}))
"""
JOB = {
    "HOME": "/github/home",
    "https_proxy": "http://proxy.example:3128",
    "AWS_SECRET_ACCESS_KEY": "planted-secret-key",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "planted-oidc",
    "ACTIONS_RUNTIME_TOKEN": "planted-runtime",
    "INPUT_LICENSE-KEY": "planted-licence",
    "DATABASE_PASSWORD": "planted-of-the-job",
    "NOT_UTF_8": os.fsdecode(b"\xff planted"),
    "EMPTY": "",
    "LINES": "a\nb='c' \"d\"",
}


def test_the_action_holds_no_credential_in_its_environment(tmp_path: Path) -> None:
    script = tmp_path / "look.py"
    script.write_text(LOOK.format(lib=str(ROOT / "lib")), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", script, "an argument"], env=JOB, capture_output=True, text=True, check=True, timeout=60
    )
    seen = json.loads(done.stdout)
    assert "planted" not in seen["shown"] + json.dumps(seen["own"])
    assert not any("memfd" in file for file in seen["files"])
    assert {name: text for name, text in seen["job"].items() if name in JOB} == JOB
    assert (seen["own"]["HOME"], seen["own"]["https_proxy"]) == (JOB["HOME"], JOB["https_proxy"])
    assert seen["argv"] == ["an argument"]


def test_docker_gets_no_credential_of_the_job() -> None:
    job = {**JOB, "PATH": "/usr/bin", "DOCKER_CONFIG": "/tmp/x", "GITHUB_WORKSPACE": "/github/workspace"}
    given = _of_docker(job)
    assert "planted" not in json.dumps(given)
    assert given.keys() == {"HOME", "https_proxy", "PATH", "DOCKER_CONFIG", "GITHUB_WORKSPACE"}
    # On a computer of one's own the credential helpers of docker need them.
    assert _of_docker(JOB) == JOB


def test_the_cache_of_github_gets_its_token_and_no_other_cache_does() -> None:
    assert cache_variables(Cache("gha"), JOB) == {"ACTIONS_RUNTIME_TOKEN": "planted-runtime"}
    assert [cache_variables(Cache(kind), JOB) for kind in ("registry", "inline", "none")] == [{}] * 3
    engine = Engine("28", "1.45", "linux/amd64", "0.13.1", True, Path("docker"), "unix:///x", "default", {})
    request = BuildRequest(("a:b",), variables=cache_variables(Cache("gha"), JOB))
    assert "planted" not in " ".join(build_argv(request, engine)) + repr(request)
