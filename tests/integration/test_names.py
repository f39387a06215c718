"""Two models whose folders have one name: the second does not take the first one's place without a word."""

from pathlib import Path

from tests.integration.conftest import Cli

PROGRAM = "import sys\nopen(sys.argv[2], 'w').write('{}')\n"


def model(root: Path, name: str) -> Path:
    folder = root / name / "same-last-folder"
    folder.mkdir(parents=True)
    (folder / "main.py").write_text(PROGRAM.format(name), encoding="utf-8")
    (folder / "smoke").mkdir()
    (folder / "smoke/input.txt").write_text("x", encoding="utf-8")
    (folder / "smoke/expected.txt").write_text(name, encoding="utf-8")
    return folder


def test_the_second_of_two_folders_of_one_name_is_refused_before_anything_is_built(cli: Cli, tmp_path: Path) -> None:
    price, demand = model(tmp_path, "price"), model(tmp_path, "demand")
    first = cli.run(price)
    assert first.code == 0, first.log
    second = cli.run(demand)
    assert second.code == 2, second.log
    told = "Service same-last-folder runs another program: price/same-last-folder. This one is demand/same-last-folder."
    assert told in second.verdict
    assert "build" not in second.stages
    again = cli.run(price)
    assert (again.code, again.report["outcome"]) == (0, "unchanged"), again.log
    meant = cli.run(demand, "--adopt", "true")
    assert (meant.code, meant.report["outcome"]) == (0, "deployed"), meant.log
    assert cli.run(price).code == 2
    cli.run(demand, "--yes", command="destroy")
