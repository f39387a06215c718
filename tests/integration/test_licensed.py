"""A model that wants a license key, proved with one, on data that needs a mapping; and the platform it is made for."""

from pathlib import Path

import pytest

from model_dockerize import image, licenses
from tests.integration.conftest import Cli

FILES = {
    "main.py": """
import csv, sys
with open(sys.argv[1], newline="") as file:
    rows = list(csv.DictReader(file))
with open(sys.argv[2], "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["double"])
    writer.writerows([2 * int(row["number"])] for row in rows)
""",
    "smoke/input.csv": "nr\n3\n4\n",
    "smoke/mapping.json": '[{"source": "nr", "destination": "number"}]',
    "smoke/expected.csv": "double\n6\n8\n",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a program, its publisher's keys, and a license key for it and for another model."""
    made = tmp_path_factory.mktemp("licensed")
    for name, text in FILES.items():
        path = made / "doubler" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (made / "publisher.pub").write_text(licenses.make_pair(made / "publisher.pem"))
    for model in ("doubler", "other"):
        key = licenses.issue(made / "publisher.pem", model, "Ann Example", "ann@example.com", 30)
        (made / f"{model}.gai_key").write_text(key)
    return made / "doubler"


def test_a_licensed_model_is_proved_with_a_key_that_nobody_sees(cli: Cli, folder: Path) -> None:
    keys = folder.parent
    flags = ("--license-public-key", keys / "publisher.pub", "--license-key", keys / "doubler.gai_key")

    without = cli.run(folder, *flags[:2])
    assert without.code == 2, without.verdict
    assert "license-key" in without.verdict
    assert "build" not in without.stages

    first = cli.run(folder, *flags)
    assert (first.code, first.report["outcome"]) == (0, "deployed"), first.verdict + first.log
    for test in first.report["smoke"].values():
        found = {check["name"]: check["detail"] for check in test["checks"]}
        assert found["license"] == "the key was applied"
        assert found["result"].endswith("as expected.csv")
    assert "mapped by mapping.json" in first.log

    second = cli.run(folder, *flags)
    assert (second.code, second.report["outcome"]) == (0, "unchanged"), second.verdict + second.log
    details = [check["detail"] for check in second.report["smoke"]["deployed"]["checks"]]
    assert "a good key is there already" in details

    other = cli.run(
        folder, "--license-public-key", keys / "publisher.pub", "--license-key", keys / "other.gai_key", command="build"
    )
    assert other.code == 6, other.verdict + other.log
    assert "license: the key was refused: the license key is for the model 'other', this is 'doubler'" in other.verdict

    for key in keys.glob("*.gai_key"):
        for run in (first, second, other):
            assert key.read_text() not in f"{run.log}{run.verdict}{run.report}"
            assert "ann@example.com" not in f"{run.log}{run.verdict}{run.report}"


def test_the_platform_of_this_engine_is_made_and_another_is_refused_before_the_build(cli: Cli, folder: Path) -> None:
    flags = ("--license-public-key", folder.parent / "publisher.pub", "--smoke-test", "false")
    own = cli.run(folder, "--platforms", "linux/amd64", *flags, command="build")
    assert (own.code, own.report["outcome"]) == (0, "built"), own.verdict + own.log
    # Chosen or not, it is the same image.
    assert cli.run(folder, *flags, command="build").stages["build"] == "unchanged"

    if image.runs(image.probe(cli.environment), "linux/arm64"):
        pytest.skip("this computer emulates arm64")
    foreign = cli.run(folder, "--platforms", "linux/arm64", *flags, command="build")
    assert foreign.code == 4, foreign.verdict + foreign.log
    assert "this Docker Engine is linux/amd64 and runs nothing that is built for linux/arm64" in foreign.verdict
    assert "build" not in foreign.stages
    assert foreign.report["build_id"] != own.report["build_id"]
