"""The doors in a real browser: a person logs in and works; a page of another site gets nothing done."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import requests

from rig.chromium import Page
from tests.attacks.conftest import Target, serving
from tests.rig.listening import listening

KEY = "owner-0123456789abcdef"


@pytest.fixture(params=[False, True], ids=["open", "closed"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    with serving(tmp_path, {"MODEL_API_KEY": KEY} if request.param else None) as started:
        yield started


def log_in(page: Page, target: Target) -> bool:
    """Log in if the server wants it; tell whether it did."""
    if requests.get(f"{target.url}/data/jobs", timeout=10).status_code != 401:
        return False
    page.open(f"{target.url}/Login")
    page.value(f"document.querySelector('#key').value = '{KEY}'")
    page.follow("form button")
    assert page.value("location.pathname") == "/"
    return True


def jobs(target: Target) -> int:
    answer = requests.get(f"{target.url}/data/jobs", headers={"x-api-key": KEY}, timeout=10)
    return int(answer.json()["data"]["total"])


@contextmanager
def another_site(html: str) -> Iterator[int]:
    """Serve a page of somebody else; yield the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *_: object) -> None: ...

    with listening(Handler) as server:
        yield server.server_port


def test_a_person_logs_in_uploads_a_file_and_logs_out(page: Page, target: Target, tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    file.write_text("a\nx\n", encoding="utf-8")
    is_closed = log_in(page, target)
    page.open(f"{target.url}/AddJob")
    page.choose_file("#file", file)
    page.click("#add-job button")
    page.wait("document.querySelector('#sent .state')?.innerText === 'Complete'")
    page.follow("#sent h2 a")
    assert page.value("location.pathname").startswith("/Job/")
    page.follow("a.danger")
    assert page.value("location.pathname").endswith("/Delete")
    page.follow("main form button")
    assert page.value("location.pathname") == "/Jobs"
    assert jobs(target) == 0
    assert page.value("document.cookie") == ""  # no script sees the session
    if is_closed:
        page.follow("header form button")
        assert page.value("location.pathname") == "/Login"
        page.open(f"{target.url}/Jobs", lands_on=f"{target.url}/Login")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"], ids=["another site", "another port"])
def test_a_form_on_a_page_of_somebody_else_does_nothing(page: Page, target: Target, host: str) -> None:
    log_in(page, target)
    form = (
        f'<form method="post" enctype="multipart/form-data" action="{target.url}/data/add-job">'
        '<textarea name="File">a&#10;x&#10;</textarea><button>Win</button></form>'
    )
    with another_site(form) as port:
        page.open(f"http://{host}:{port}/")
        page.follow("button")
        assert page.value("location.origin") == target.url
        assert "another site" in page.text("body")
    assert jobs(target) == 0
