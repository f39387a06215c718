"""A model with 60 jobs: its pages in every state that a person may meet, for those who look at them."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from tests.rig.served_model import served
from tests.rig.waiting import eventually

JOBS = 60
ROWS = 10_000
PROGRAM = """
import csv, math, os, sys, time

text = open(sys.argv[1]).read()
if "slow" in text:
    for batch in range(1, 6):
        print(f"batch {batch}/40 is scored", flush=True)
    while not os.path.exists(os.path.join(os.path.dirname(__file__), "enough")):
        time.sleep(0.1)
if "," in text:
    rows = list(csv.DictReader(text.splitlines()))
    with open(sys.argv[2], "w") as file:
        answer = csv.writer(file)
        answer.writerow(["customer", "age", "income", "score"])
        for row in rows:
            age, income = float(row["age"]), float(row["income"])
            score = 1 / (1 + math.exp(5 - age / 20 - income / 20_000))
            answer.writerow([row["customer"], f"{age:g}", f"{income:g}", f"{score:.4f}"])
elif "tree" in text:
    open(sys.argv[2], "w").write('{"a": {"b": [1, {"c": null}]}, "d": "e"}')
else:
    open(sys.argv[2], "w").write("prose\\n" * 100)
"""
HEAD = "customer,age,income\n"
SAMPLE = f"{HEAD}c1,34,51000\nc2,51,38500\nc3,27,64000\n"


@contextmanager
def served_states(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Run a model server and yield its address, and by name the paths of its pages; nothing changes meanwhile."""
    folder.mkdir()
    (folder / "input.csv").write_text(SAMPLE)
    changes = {"name": "churn", "schema": {}, "output_types": ["application/octet-stream"], "sample": "input.csv"}
    with served(folder, program=PROGRAM, **changes) as url:

        def send(name: str, text: str) -> str:
            answer = requests.post(f"{url}/data/add-job", files={"File": (name, text.encode())}, timeout=20)
            return f"Job/{answer.json()['data']['id']}"

        jobs = {"tree": send("tree.json", "tree\n"), "prose": send("prose.txt", "prose\n")}
        for number in range(1, JOBS - 6):
            send(f"branch-{number}.csv", SAMPLE if number % 9 else f"{HEAD}c1,unknown,51000\n")
        jobs["table"] = send("customers.csv", customers())
        jobs["failed"] = send("customers-march.csv", f"{HEAD}c1,34,51000\nc2,n/a,38500\n")
        jobs["complete"] = send("three-customers.csv", SAMPLE)
        requests.get(f"{url}/data/status/{jobs['complete'].removeprefix('Job/')}?wait=50", timeout=60)
        jobs["running"] = send("customers-april.csv", f"{HEAD}slow,34,51000\n")
        jobs["waiting"] = send("customers-may.csv", SAMPLE)
        eventually(lambda: "batch 5/40" in requests.get(f"{url}/{jobs['running']}", timeout=10).text)
        try:
            yield (
                url,
                {
                    **{"dashboard": "", "add-job": "AddJob", "jobs": "Jobs", "failed-jobs": "Jobs?state=Error"},
                    **{"license": "License", "mapping": "Mapping", **jobs},
                    "sorted-table": f"{jobs['table']}?rows=3&sort=1&order=desc",
                    "plot": f"{jobs['table']}?x=1&y=3#plot",
                    "delete": f"{jobs['table']}/Delete",
                },
            )
        finally:
            (folder / "enough").touch()


def customers() -> str:
    """Return ROWS rows, the same each time."""
    chance = random.Random(0)  # noqa: S311 - nothing secret
    rows = (f"c{n},{chance.randint(18, 80)},{chance.lognormvariate(10.6, 0.4):.0f}\n" for n in range(ROWS))
    return HEAD + "".join(rows)
