"""Every tab of the model's pages in a real browser, behind a proxy that takes a path prefix away.

With JavaScript, without, by keyboard alone, in the dark, on a phone. test_pages.py has the pages of a real image."""

import http.client
import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from model_dockerize import licenses
from rig.chromium import Page
from tests.rig.listening import listening
from tests.rig.served_model import served

PREFIX = "/models/upper"
#: What is hard to see, a line each: texts with too little contrast to what they stand on (WCAG 2.2, 1.4.3: 4.5 to 1,
#: large ones 3 to 1), and fields whose edge has too little (1.4.11: 3 to 1).
FAINT = """(() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => numbers(colour).slice(0, 3)
    .map((value) => value / 255).map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, place) => sum + value * [0.2126, 0.7152, 0.0722][place], 0);
  const paper = (element) => {
    const colour = getComputedStyle(element).backgroundColor;
    return numbers(colour)[3] === 0 ? paper(element.parentElement) : colour;
  };
  const contrast = (one, other) => {
    const [dark, bright] = [light(one), light(other)].sort((a, b) => a - b);
    return (bright + 0.05) / (dark + 0.05);
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const style = getComputedStyle(element);
    const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!element.checkVisibility() || element.matches(".unseen, .skip, noscript")) continue;
    const size = parseFloat(style.fontSize);
    const enough = size >= 24 || (size >= 18.66 && style.fontWeight >= 600) ? 3 : 4.5;
    if (text && contrast(style.color, paper(element)) < enough)
      found.push(`${element.innerText.slice(0, 30)}: ${style.color} on ${paper(element)}`);
    if (element.matches("input, select") && contrast(style.borderTopColor, paper(element.parentElement)) < 3)
      found.push(`${element.id}: edge ${style.borderTopColor} on ${paper(element.parentElement)}`);
  }
  return found;
})()"""


@contextmanager
def proxy(url: str) -> Iterator[str]:
    """Run a reverse proxy that takes PREFIX away and tells nobody; yield the address of the model behind it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.forward()

        def do_POST(self) -> None:
            self.forward()

        def forward(self) -> None:
            if not self.path.startswith(PREFIX + "/"):
                self.send_error(404)
                return
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            behind = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
            behind.request(self.command, self.path.removeprefix(PREFIX), body, dict(self.headers))
            answer = behind.getresponse()
            content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("content-length", "transfer-encoding", "connection", "date"):
                    self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with listening(Handler) as listener:
        yield f"http://127.0.0.1:{listener.server_port}{PREFIX}"


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("tabs") / "model") as url:
        yield url


@pytest.fixture(scope="module")
def url(direct: str) -> Iterator[str]:
    """Yield the model's address behind the proxy."""
    with proxy(direct) as address:
        yield address


@pytest.fixture
def page(page: Page) -> Iterator[Page]:
    """Look at the tab's console at the end: nothing in red must be on it."""
    yield page
    assert page.errors == []


@pytest.fixture
def data(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "data.csv"
        path.write_text(text)
        return path

    return write


def assert_only_from(page: Page, url: str) -> None:
    """Assert that nothing was asked of anywhere but the model, and all of it below its prefix."""
    asked = [request for request in page.requests if not request.startswith(("data:", "about:"))]
    assert asked
    assert [request for request in asked if not request.startswith(url + "/")] == []


def send(page: Page, url: str, file: Path) -> str:
    """Upload a file on the page; return the job's id."""
    page.open(f"{url}/AddJob")
    page.choose_file("#file", file)
    page.click("#add-job button")
    page.wait("document.querySelector('[data-job]')")
    return str(page.value("document.querySelector('[data-job]').dataset.job"))


def result(url: str, job_id: str, form: str = "") -> str:
    with urllib.request.urlopen(f"{url}/data/result/{form}{job_id}", timeout=10) as answer:
        return str(answer.read().decode())


def test_the_tabs_lead_everywhere_and_name_the_page_that_one_is_on(page: Page, url: str) -> None:
    page.open(f"{url}/")
    names = page.value("[...document.querySelectorAll('header nav a')].map(link => link.innerText)")
    assert names == ["Dashboard", "Upload Data", "Current Jobs", "Swagger", "License Key"]
    for place, name in enumerate(names, 1):
        page.follow(f"header nav a:nth-child({place})")
        assert page.text("[aria-current]") == name
        assert page.text(".model") == "upper version 1.2"
        box = page.value("JSON.stringify(document.querySelector('.model').getBoundingClientRect())")
        assert json.loads(box)["right"] > 1000  # top right
        assert json.loads(box)["top"] < 30
    page.follow("header nav a:nth-child(4)")
    page.wait("document.querySelector('.opblock')")  # also Swagger UI under the policy
    assert_only_from(page, url)


def test_the_dashboard_says_what_the_model_is_and_takes(page: Page, url: str) -> None:
    page.open(f"{url}/")
    rows = page.value(
        "Object.fromEntries([...document.querySelectorAll('.facts > div')].map(row => "
        "[row.querySelector('dt').innerText, row.querySelector('dd').innerText]))"
    )
    assert "License" not in rows  # none is needed
    csv, bare, text = "text/csv; header=present", "text/csv; header=absent", "application/json"
    assert rows["Available Mime Types"].split("\n") == [csv, bare, text]
    assert rows["Schema"].split("\n") == ["Schema[0]: name (string)", "Schema[1]: age (number, optional)"]
    assert rows["Runner"].startswith(("warm", "command"))
    assert rows["Jobs"]
    assert f"{url}/data/run-job" in page.text("[aria-label=curl]")  # as the browser sees it, behind the proxy
    assert f'"{url}/data/run-job"' in page.text("[aria-label=Python]")


def test_data_of_other_names_goes_through_a_mapping_file(
    page: Page, url: str, data: Callable[[str], Path], tmp_path: Path
) -> None:
    mapping = tmp_path / "mapping.json"
    mapping.write_text(json.dumps([{"source": "who", "destination": "name"}]))
    page.open(f"{url}/AddJob")
    labels = page.value("[...document.querySelectorAll('#mime-type option')].map(option => option.innerText)")
    assert labels[1] == "comma separated values file, includes header row (text/csv; header=present)"
    page.choose_file("#file", data("who\nann\n"))
    page.choose_file("#mappings", mapping)
    page.click("#add-job button")
    page.wait("document.querySelector('#sent .state')?.innerText === 'Complete'")
    job_id = page.value("document.querySelector('[data-job]').dataset.job")
    assert result(url, job_id).startswith("NAME")
    assert "ANN" in result(url, job_id, "json/")
    links = page.value("[...document.querySelectorAll('#sent .actions a')].map((link) => link.href)")
    assert links == [f"{url}/data/result/{form}{job_id}" for form in ("", "json/", "csv/")]
    assert page.text("#sent tbody").split() == ["ANN"]  # the answer, as a table
    assert_only_from(page, url)


def test_the_list_follows_a_job_to_its_end_and_the_keyboard_keeps_its_place(
    page: Page, url: str, data: Callable[[str], Path], tmp_path: Path
) -> None:
    enough = tmp_path / "enough"
    job_id = send(page, url, data(f"name\nslow {enough}\n"))
    page.open(f"{url}/Jobs")
    row = f"[id=job-{job_id}]"
    assert page.value("document.querySelector('.jobs tbody tr').id") == f"job-{job_id}"  # newest first
    assert page.text(f"{row} .state") in ("Created", "In progress")
    page.value(f"document.querySelector('{row} .danger').focus()")
    enough.touch()
    page.wait(f"document.querySelector('{row} .state').innerText === 'Complete'")
    assert page.value(f"document.activeElement === document.querySelector('{row} .danger')")
    links = page.value(f"[...document.querySelectorAll('{row} .actions a')].map(link => link.textContent)")
    assert links == [f"{word} of data.csv" for word in ("Result", "JSON", "CSV")] + ["Delete data.csv"]
    page.wait("document.querySelector('#summary').innerText.endsWith('complete.')")
    asked = len(page.requests)
    time.sleep(2.5)
    page.value("0")
    assert len(page.requests) == asked  # all is over: nothing more is asked
    assert_only_from(page, url)


def test_a_job_is_deleted_after_a_question(page: Page, url: str, data: Callable[[str], Path]) -> None:
    job_id = send(page, url, data("name\nbad\n"))
    page.wait("document.querySelector('#sent .state')?.innerText === 'Error'")
    assert page.text("#sent .bad") == "this is no name: bad"
    page.open(f"{url}/Jobs")
    row = f"[id=job-{job_id}]"
    assert page.text(f"{row} .state") == "Error"
    assert "this is no name: bad" in page.text(f"{row} .wrong")
    page.follow(f"{row} .danger")
    assert page.text("h1") == "Delete this job?"
    page.follow("main a")  # Keep it
    assert page.value(f"Boolean(document.querySelector('{row}'))")
    page.follow(f"{row} .danger")
    assert page.text("h1") == "Delete this job?"
    page.follow("main button")
    assert page.text("h1") == "Current Jobs"
    assert page.value(f"document.querySelector('{row}')") is None
    assert_only_from(page, url)


def test_a_keyboard_alone_sends_a_file(page: Page, url: str, data: Callable[[str], Path]) -> None:
    page.open(f"{url}/AddJob")
    path = []
    for _ in range(30):
        page.press("Tab")
        path.append(page.value("document.activeElement.id || document.activeElement.innerText"))
        if path[-1] == "callback-url":
            for character in "http://192.0.2.1:9/":
                page.press(character)
        if path[-1] == "file":
            page.choose_file("#file", data("name\nkey\n"))  # in place of the system's dialogue
        if path[-1] == "mime-type":
            page.press("ArrowDown")
        if path[-1] == "Submit":
            break
        assert page.value("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert path[0] == "Skip to the content"
    fields = ("file", "mime-type", "mappings", "callback-url", "Submit")
    assert [name for name in path if name in fields] == [*("file", "mime-type", "mappings", "callback-url", "Submit")]
    page.press("Enter")
    page.wait("document.querySelector('#sent .state')?.innerText === 'Complete'")
    assert page.value("document.querySelector('#mime-type').value") == "text/csv; header=present"
    assert page.value("document.activeElement.innerText") == "Submit"
    page.press("Tab")
    assert page.value("document.activeElement.innerText") == "data.csv"  # the job's page, then its result
    page.press("Tab")
    assert page.value("document.activeElement.href.includes('/data/result/')")


def test_a_script_that_came_into_a_page_does_not_run(page: Page, url: str) -> None:
    page.open(f"{url}/Jobs")
    hit = page.value(
        "(() => { const script = document.createElement('script'); script.textContent = 'window.hit = 1';"
        "document.body.append(script); return window.hit ?? 0; })()"
    )
    assert hit == 0
    assert ["Content Security Policy" in error for error in page.errors] == [True]
    page.errors.clear()


def test_every_field_and_button_has_a_name_and_every_page_one_heading(
    page: Page, url: str, data: Callable[[str], Path]
) -> None:
    job = "Job/" + send(page, url, data("name\nann\n"))
    for address in ("", "License", "AddJob", "Mapping", "Jobs", job, f"{job}/Delete"):
        page.open(f"{url}/{address}")
        tree = page.send("Accessibility.getFullAXTree")["nodes"]
        roles = ("textbox", "button", "combobox", "link")
        nameless = [
            node["role"]["value"]
            for node in tree
            if node.get("role", {}).get("value") in roles and not node.get("name", {}).get("value")
        ]
        assert nameless == []
        assert page.value("document.querySelectorAll('h1').length") == 1


def test_in_the_dark_and_on_a_phone_nothing_is_cut_off_or_faint(
    page: Page, url: str, data: Callable[[str], Path]
) -> None:
    failed = send(page, url, data("name\nbad\n"))
    page.wait("document.querySelector('#sent .state')?.innerText === 'Error'")
    assert page.value(FAINT) == []
    for dark in (False, True):
        for width in (1100, 360):
            page.size(width, 800)
            if dark:
                page.dark()
            for address in ("", "License", "AddJob", "Mapping", "Jobs", f"Job/{failed}", f"Job/{failed}/Delete"):
                page.open(f"{url}/{address}")
                assert page.value("document.documentElement.scrollWidth") <= width, address
                assert (address, page.value(FAINT)) == (address, [])
            paper = page.value("getComputedStyle(document.body).backgroundColor")
            assert paper == ("rgb(16, 24, 28)" if dark else "rgb(243, 246, 247)")


def test_older_jobs_are_a_page_away_and_deletion_leads_back_to_it(page: Page, direct: str) -> None:
    for _ in range(26):
        body = b'--x\r\nContent-Disposition: form-data; name="File"\r\n\r\nname\nmany\n\r\n--x--\r\n'
        kind = {"content-type": "multipart/form-data; boundary=x"}
        with urllib.request.urlopen(urllib.request.Request(f"{direct}/data/add-job", body, kind), timeout=10):
            pass
    page.open(f"{direct}/Jobs")
    assert page.value("document.querySelectorAll('.jobs tbody tr').length") == 25
    page.follow("a[rel=next]")
    assert page.value("location.search") == "?page=2"
    assert page.text("a[rel=prev]")
    page.follow(".jobs tbody tr:first-child .danger")
    page.follow("main button")
    assert page.value("location.pathname + location.search") == "/Jobs?page=2"


def test_without_javascript_all_of_it_works(page: Page, url: str, data: Callable[[str], Path], tmp_path: Path) -> None:
    enough = tmp_path / "enough"
    page.open(f"{url}/AddJob")
    page.send("Emulation.setScriptExecutionDisabled", value=True)
    try:
        page.open(f"{url}/Jobs")
        page.open(f"{url}/AddJob")
        page.choose_file("#file", data(f"name\nslow {enough}\n"))
        page.follow("#add-job button", key="Enter")
        assert "/Job/" in page.value("location.pathname")
        enough.touch()
        page.wait("document.querySelector('.status')?.innerText === 'Complete'")  # the page reloads by itself
        page.follow("main .danger", key="Enter")
        page.follow("main button", key="Enter")
        assert page.value("location.pathname").endswith("/Jobs")
        assert page.text("#summary")
    finally:
        page.send("Emulation.setScriptExecutionDisabled", value=False)
    assert_only_from(page, url)


def test_a_license_key_is_refused_then_accepted(page: Page, tmp_path: Path, data: Callable[[str], Path]) -> None:
    private = tmp_path / "publisher.pem"
    public = licenses.make_pair(private)
    with served(tmp_path / "model", {"MODEL_LICENSE_PUBLIC_KEY": public}) as url:
        page.open(f"{url}/AddJob")
        assert "this model needs a license key" in page.text("main .bad")
        page.follow("main .bad a")
        assert page.text("h1") == "License Key"
        key = tmp_path / "my.gai_key"
        key.write_text(licenses.issue(private, "another", "Ann", "ann@example.org", 30))
        page.choose_file("#key", key)
        page.follow("main button")
        assert page.text("[role=alert]") == "the license key is for the model 'another', this is 'upper'"
        assert page.text("#license") == "No License Key found"
        # A refusal is an answer in words with status 400, which the browser notes in red.
        assert [error for error in page.errors if "400" not in error] == []
        page.errors.clear()
        key.write_text(licenses.issue(private, "upper", "Ann", "ann@example.org", 30))
        page.choose_file("#key", key)
        page.follow("main button")
        assert page.text("[role=status]")
        assert page.text("#license").startswith("Licensed To: Ann - ann@example.org, Expires:")
        page.open(f"{url}/")
        assert "Licensed To: Ann" in page.text(".facts")
        send(page, url, data("name\nann\n"))
        page.wait("document.querySelector('#sent .state')?.innerText === 'Complete'")
        assert_only_from(page, url)


def test_several_files_are_a_job_each(page: Page, url: str, tmp_path: Path) -> None:
    files = [tmp_path / f"part-{number}.csv" for number in range(3)]
    for number, file in enumerate(files):
        file.write_text("name\nbad\n" if number == 1 else f"name\nann{number}\n")
    page.open(f"{url}/AddJob")
    root = page.send("DOM.getDocument")["root"]["nodeId"]
    node = page.send("DOM.querySelector", nodeId=root, selector="#file")["nodeId"]
    page.send("DOM.setFileInputFiles", nodeId=node, files=[str(file) for file in files])
    page.click("#add-job button")
    page.wait("document.querySelectorAll('#sent .state.complete').length === 2")
    page.wait("document.querySelector('#sent .state.error')")
    names = page.value("[...document.querySelectorAll('#sent h2')].map((heading) => heading.innerText)")
    assert names == [file.name for file in files]
    assert_only_from(page, url)


def test_files_are_dropped_on_the_form(page: Page, url: str) -> None:
    page.open(f"{url}/AddJob")
    assert page.text("#drop").startswith("Or drop files here")
    page.value(
        "(() => { const files = new DataTransfer(); files.items.add(new File(['name\\neve\\n'], 'dropped.csv'));"
        "const drop = new DragEvent('drop', {dataTransfer: files, bubbles: true, cancelable: true});"
        "document.querySelector('#add-job').dispatchEvent(drop); })()"
    )
    assert page.value("document.querySelector('#file').files[0].name") == "dropped.csv"
    page.click("#add-job button")
    page.wait("document.querySelector('#sent .state')?.innerText === 'Complete'")
    assert page.text("#sent h2") == "dropped.csv"
    assert page.text("#sent tbody").split() == ["EVE"]


def test_what_is_refused_says_why(page: Page, url: str, tmp_path: Path) -> None:
    bad = tmp_path / "other.csv"
    bad.write_text("who\nann\n")
    page.open(f"{url}/AddJob")
    page.choose_file("#file", bad)
    page.click("#add-job button")
    page.wait("document.querySelector('#sent [role=alert]')?.checkVisibility()")
    assert "name is missing" in page.text("#sent [role=alert]")
    assert [error for error in page.errors if "400" not in error] == []
    page.errors.clear()
