"""Jobs of the definition that a deployment registered, sent by `submit` and run by the sandbox's Batch."""

import json
from typing import Any

from tests.integration.conftest import Cli


def test_batch_jobs_one_and_a_list(cli: Cli, example: Any) -> None:
    folder = example("is-prime", "batch-prime")
    done = cli.run(folder, "--deploy-service", "false")
    assert done.code == 0, done.verdict + done.log
    one = cli.run(folder, "--input", "/program/smoke/input.txt", command="submit")
    assert one.code == 0, one.verdict + one.log
    # What is in the log beside the runner's lines is the result.
    said = [line.partition("input.txt: ")[2] for line in one.log.splitlines() if "/program/smoke/input.txt: " in line]
    result = json.loads("".join(line for line in said if not line.startswith("20")))
    assert result == json.loads((folder / "smoke" / "expected.json").read_text(encoding="utf-8"))

    # A list is one array job, each child with its line; the one that fails is named with its log.
    listed = folder / "list.txt"
    listed.write_text(
        "/program/smoke/input.txt\n/program/nothing.txt\n/program/smoke/expected.json\n", encoding="utf-8"
    )
    many = cli.run(folder, "--inputs-from", listed, "--output", "/tmp/{name}.out", command="submit")
    assert many.code == 10, many.verdict + many.log
    assert "array job" in many.log
    assert many.report["failure"]["message"] == "2 of 3 jobs failed."
    assert [line.partition(":")[0] for line in many.report["failure"]["details"]] == [
        *("/program/nothing.txt", "/program/smoke/expected.json"),
    ]
    assert "model-server: cannot read the input /program/nothing.txt: No such file or directory" in many.log

    listed.write_text("/program/smoke/input.txt\n/program/smoke/../smoke/input.txt\n", encoding="utf-8")
    good = cli.run(folder, "--inputs-from", listed, command="submit")
    assert (good.code, good.report["outcome"]) == (0, "succeeded"), good.verdict + good.log
    same = cli.run(folder, "--inputs-from", listed, "--output", "/tmp/{name}.out", command="submit")
    assert same.code == 2
    assert "/tmp/input.out: the output of 2 inputs" in same.report["failure"]["details"]
