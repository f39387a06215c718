"""The model's pages in a real browser, as a person uses them: served by a real image of is-prime."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from rig.chromium import Page
from tests.rig.docker_command import docker
from tests.rig.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "browser-test-is-prime"
EXAMPLE = ROOT / "examples" / "is-prime"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Build and start a model; yield its address."""
    folder = Path(shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("browser") / "is-prime"))
    built = subprocess.run(
        [sys.executable, "-m", "model_dockerize", "build", folder, "--image-name", IMAGE, "--image-version", "1"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "lib")},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    container = docker("run", "--detach", "--publish", "127.0.0.1::80", f"{IMAGE}:1")
    try:
        address = f"http://{docker('port', container, '80').splitlines()[0]}"
        wait_until_up(address, container)
        yield address
    finally:
        docker("rm", "--force", "--volumes", container)
        docker("image", "rm", "--force", f"{IMAGE}:1")


def wait_until_up(address: str, container: str) -> None:
    def answers() -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/health", timeout=1):
            return True
        return False

    eventually(answers, tell=lambda: docker("logs", container))


def assert_clean(page: Page, url: str) -> None:
    """Assert that nothing on the console is red, and that only the model was asked."""
    assert page.errors == []
    hosts = {urlsplit(request).netloc for request in page.requests if not request.startswith("data:")}
    assert hosts == {urlsplit(url).netloc}


def test_a_person_uploads_a_file_and_gets_its_result(page: Page, url: str) -> None:
    page.open(f"{url}/AddJob")
    assert page.text("#sent") == ""
    page.choose_file("#file", EXAMPLE / "smoke" / "input.txt")
    page.click("#add-job button")
    page.wait("document.querySelector('#sent .state')?.innerText === 'Complete'")
    with urllib.request.urlopen(page.value("document.querySelector('#sent .actions a').href"), timeout=10) as answer:
        assert json.load(answer) == json.loads((EXAMPLE / "smoke" / "expected.json").read_text())
    assert page.text("#sent h2 a") == "input.txt"
    page.follow("#sent h2 a")
    assert page.value("location.pathname").startswith("/Job/")
    page.wait("document.querySelector('.status')?.innerText === 'Complete'")
    assert_clean(page, url)


def test_a_person_reads_why_a_job_failed(page: Page, url: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.txt"
    bad.write_text("seven\n")
    page.open(f"{url}/AddJob")
    page.choose_file("#file", bad)
    page.click("#add-job button")
    page.wait("document.querySelector('#sent .state')?.innerText === 'Error'")
    assert "seven" in page.text("#sent .bad")
    assert page.value("document.querySelectorAll('#sent .actions a').length") == 0


def test_without_a_file_nothing_is_sent(page: Page, url: str) -> None:
    page.open(f"{url}/AddJob")
    page.click("#add-job button")
    page.wait("document.activeElement.id === 'file'")  # where the browser leads a person who forgot it
    assert page.text("#sent") == ""
    assert not [request for request in page.requests if request.endswith("/data/add-job")]


def test_swagger_ui_shows_every_operation_and_calls_it(page: Page, url: str) -> None:
    with urllib.request.urlopen(f"{url}/swagger/v1/swagger.json", timeout=10) as answer:
        paths = json.load(answer)["paths"]
    operations = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    page.open(f"{url}/swagger")
    page.wait(f"document.querySelectorAll('.opblock').length === {len(operations)}")
    shown = page.value(
        "[...document.querySelectorAll('.opblock-summary')].map(block => block.querySelector('.opblock-summary-method')"
        ".innerText + ' ' + block.querySelector('[data-path]').dataset.path)"
    )
    assert set(shown) == operations
    page.click("#operations-Server-health .opblock-summary-control")
    page.wait("document.querySelector('#operations-Server-health .execute')")
    page.click("#operations-Server-health .execute")
    page.wait("document.querySelector('#operations-Server-health .live-responses-table .response-col_status')")
    assert "Health check is ok" in page.text("#operations-Server-health .live-responses-table")
    assert_clean(page, url)


def test_the_dashboard_leads_to_the_other_pages(page: Page, url: str) -> None:
    page.open(f"{url}/")
    assert IMAGE in page.text("main")
    for target in ("AddJob", "swagger"):
        page.open(f"{url}/")
        page.follow(f"main a[href={target}]")
        assert page.value("location.pathname") == f"/{target}"
    page.wait("document.querySelector('.opblock')")
    assert_clean(page, url)
