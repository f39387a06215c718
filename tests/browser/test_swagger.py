"""The first minute of a person: Swagger's own button on every operation, the sample by one click, no page astray."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.chromium import Page
from tests.rig.served_model import served

SAMPLE = "name,age\nann,7\nbob,8.5\n"
#: Where another status than 200 is right: no key is needed here, and none is at hand; this model has no tensors.
TENSORS = ("modelMetadata", "infer", "versionMetadata", "inferByVersion")
REFUSED = dict.fromkeys(("applyLicense", "uploadLicense", *TENSORS), "400")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("swagger") / "model"
    (folder / "smoke").mkdir(parents=True)
    (folder / "smoke" / "input.csv").write_text(SAMPLE)
    with served(folder, sample="smoke/input.csv") as address:
        yield address


def execute(page: Page, block: str) -> str:
    """Press Execute in an operation that is open; return the status of the answer."""
    page.value(f"document.activeElement.blur(), document.querySelector('{block} .execute').click()")
    page.wait(f"document.querySelector('{block} .live-responses-table .response-col_status')")
    return page.text(f"{block} .live-responses-table .response .response-col_status").split()[0]


def test_execute_does_what_it_says_on_every_operation(page: Page, url: str, tmp_path: Path) -> None:
    with urllib.request.urlopen(f"{url}/swagger/v1/swagger.json", timeout=10) as answer:
        paths = json.load(answer)["paths"]
    operations = {
        operation["operationId"]: f"#operations-{operation['tags'][0]}-{operation['operationId']}"
        for methods in paths.values()
        for operation in methods.values()
    }
    file = tmp_path / "customers.csv"
    file.write_text(SAMPLE)
    page.size(1300, 2000)
    page.open(f"{url}/swagger")
    page.wait(f"document.querySelectorAll('.opblock').length === {len(operations)}")
    groups = page.value("[...document.querySelectorAll('.opblock-tag')].map(group => group.dataset.tag)")
    assert groups == ["Jobs", "Results", "Server", "License", "SageMaker", "Inference", "Hosted"]
    job_id, statuses = "", {}
    for name in (*(name for name in operations if name != "deleteJob"), "deleteJob"):
        block = operations[name]
        page.value(f"document.querySelector('{block} .opblock-summary-control').click()")
        page.wait(f"document.querySelector('{block} .execute')")
        if page.value(f"Boolean(document.querySelector('{block} input[type=file]'))"):
            page.choose_file(f"{block} input[type=file]", file)
        if page.value(f"Boolean(document.querySelector('{block} [data-param-name=id]'))"):
            page.value(f"document.querySelector('{block} [data-param-name=id] input').focus()")
            page.send("Input.insertText", text=job_id)
        statuses[name] = execute(page, block)
        if name == "runJob":
            shown = page.text(f"{block} .live-responses-table")
            assert "NAME,AGE" in shown and "BOB,8.5" in shown
            assert "ann,7" in page.text(f"{block} .opblock-description")  # the worked example
            job_id = page.value(
                "fetch('data/jobs').then((answer) => answer.json()).then((list) => list.data.jobs[0].id)"
            )
        if name == "resultJson":
            assert json.loads(page.text(f"{block} .live-responses-table .highlight-code code")) == [
                {"NAME": "ANN", "AGE": 7},
                {"NAME": "BOB", "AGE": 8.5},
            ]
    assert statuses == {name: REFUSED.get(name, "200") for name in operations}


def test_a_person_chooses_json(page: Page, url: str, tmp_path: Path) -> None:
    file = tmp_path / "customers.csv"
    file.write_text(SAMPLE)
    page.size(1300, 2000)
    page.open(f"{url}/swagger#/Jobs/runJob")
    block = "#operations-Jobs-runJob"
    page.wait(f"document.querySelector('{block} .execute')")
    page.choose_file(f"{block} input[type=file]", file)
    page.value(
        "(() => {const choice = document.querySelector('#operations-Jobs-runJob .responses-wrapper .content-type');"
        "choice.value = 'application/json'; choice.dispatchEvent(new Event('change', {bubbles: true}));})()"
    )
    assert execute(page, block) == "200"
    assert '"AGE": 8.5' in page.text(f"{block} .live-responses-table")


def test_the_sample_is_run_by_one_click(page: Page, url: str) -> None:
    page.open(f"{url}/AddJob")
    page.click("#run-sample")
    page.wait("document.querySelector('#sent .state')?.innerText === 'Complete'")
    assert page.text("#sent h2") == "input.csv"
    assert page.text("#sent tbody").split() == ["ANN", "7", "BOB", "8.5"]
    assert page.value("document.querySelectorAll('#sent svg.bars').length") == 1
    assert page.errors == []


def test_a_typo_leads_to_the_page_that_was_meant(page: Page, url: str) -> None:
    page.open(f"{url}/addjob")
    page.follow("main a")
    assert page.value("location.pathname") == "/AddJob"
    assert page.text("h1") == "Upload Data"
