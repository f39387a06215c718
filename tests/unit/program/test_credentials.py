"""Keys never go into an image, however their file is spelt and whatever it is called."""

from pathlib import Path

import pytest

from model_dockerize.errors import ProgramError
from model_dockerize.program import render_dockerfile, write_dockerfile
from model_dockerize.program.credentials import MOST_SEARCHED
from model_dockerize.program.dockerignore import DockerIgnore, patterns_of
from model_dockerize.program.ignore import CREDENTIAL

from .folder import SERVER, Heard, fill, left_out, look, paths

# Put together here, so that this file holds none.
KEY_ID = "AKIA" + "QWERTYUIOPASDFGH"
SECRET = "k7MDENGbPxRfiCYzzz/K7MDENG+bPxRfiCYzzzK7a"[:40]
PRIVATE = "-----BEGIN {}PRIVATE KEY-----\nMIIEvQIBADANBgkq\n"


@pytest.mark.parametrize(
    "name",
    [
        "AWSConfig.ini",
        "AwsConfig.ini",
        "awsconfig.INI",
        "sub/AWSCONFIG.ini",
        "aws_config.ini",
        ".ENV",
        ".Env.Production",
        "ID_RSA",
        "Server.PEM",
        "server.Key",
        "PIP.CONF",
        "Credentials",
        ".AWS/config",
        ".ssh/known",
        ".Docker/Config.json",
        "me_accessKeys.csv",
        "X.gai_KEY",
    ],
)
def test_names_in_any_spelling(tmp_path: Path, name: str) -> None:
    program = look(fill(tmp_path, {"main.py": "", name: ""}))
    assert paths(program) == ["main.py"]
    written = write_dockerfile(program, render_dockerfile(program, SERVER)).with_name("Dockerfile.dockerignore")
    # The patterns alone: a file that comes later is left out of a build by hand as well.
    lines = patterns_of(written.read_text(encoding="utf-8"))
    assert DockerIgnore(tuple(line for line in lines if name not in line)).ignores(name)


HOLDS = {
    "AwsConfig": f"[aws]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n",
    "id alone": f"key: {KEY_ID}\n",
    "temporary id": "ASIA" + KEY_ID[4:],
    "secret alone": f"AWS_SECRET_ACCESS_KEY={SECRET}",
    "exported": f"export AWS_SECRET_ACCESS_KEY='{SECRET}'\n",
    "JSON of the command line": f'{{"AccessKeyId": "x", "SecretAccessKey": "{SECRET}"}}',
    "YAML": f"aws-secret-access-key: {SECRET}\n",
    "CSV of the console": f"Access key ID,Secret access key\n{KEY_ID},{SECRET}\n",
    "private key": PRIVATE.format(""),
    "OpenSSH": PRIVATE.format("OPENSSH "),
    "RSA": PRIVATE.format("RSA "),
    "token": "token: ghp_" + "a1B2" * 9,
}


@pytest.mark.parametrize("what", HOLDS)
@pytest.mark.parametrize("name", ["keys.ini", "notes.txt", "data/copy of AwsConfig.ini.bak", "no-suffix", "x.json"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig"])
def test_contents_whatever_the_name(tmp_path: Path, what: str, name: str, encoding: str) -> None:
    heard = Heard()
    program = look(fill(tmp_path, {"main.py": "", name: HOLDS[what].encode(encoding)}), heard)
    assert (paths(program), left_out(program)) == (["main.py"], {name: CREDENTIAL})
    (warning,) = heard.warnings
    assert name in warning
    assert SECRET not in warning
    assert KEY_ID not in warning


@pytest.mark.parametrize(
    "text",
    [
        "AKIAIOSFODNN7EXAMPLE and wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY, as AWS's documentation has them",
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "boto3.client('s3', aws_secret_access_key=os.environ['AWS_SECRET_ACCESS_KEY'])",
        "aws_access_key_id =\naws_secret_access_key =\n",
        "aws_secret_access_key = ${{ secrets.AWS_SECRET_ACCESS_KEY }}",
        "if '-----BEGIN PRIVATE KEY-----' in text:",
        "MAKIAQWERTYUIOPASDFGH QAKIAQWERTYUIOPASDFGH0",
        "-----BEGIN PUBLIC KEY-----\nMIIEvQIBADANBgkq\n",
        '{"private_key": 1}',
    ],
)
@pytest.mark.parametrize("name", ["readme.md", "main.py", "x.json"])
def test_what_only_speaks_of_keys_is_shipped(tmp_path: Path, text: str, name: str) -> None:
    assert name in paths(look(fill(tmp_path, {"main.py": "", name: text})))


@pytest.mark.parametrize("name", ["main.py", "lib/helper.py", "init.sh"])
def test_a_key_in_the_program_is_refused_with_its_line(tmp_path: Path, name: str) -> None:
    fill(tmp_path, {"main.py": "", name: f"import boto3\n\nKEY = '{KEY_ID}'\n"})
    with pytest.raises(ProgramError) as caught:
        look(tmp_path)
    problem = str(caught.value).partition(" cannot be turned into an image: ")[2]
    assert problem.startswith(f"{name} line 3 holds an AWS access key")
    assert KEY_ID not in problem
    (tmp_path / ".dockerignore").write_text(f"!{name}\n", encoding="utf-8")
    assert name in paths(look(tmp_path))


def test_large_files_are_shipped_unsearched_and_whole(tmp_path: Path) -> None:
    size = MOST_SEARCHED + 1
    program = look(fill(tmp_path, {"main.py": "", "weights.bin": bytes(size)}))
    assert {file.path: file.size for file in program.files} == {"main.py": 0, "weights.bin": size}
