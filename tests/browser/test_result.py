"""A result in a real browser: sorted on click, a page at a time, one column over another; how far an upload is."""

import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.chromium import Page
from tests.rig.served_model import served

ROWS = 120
TABLE = "name,age,score\n" + "".join(f"n{n},{n * 37 % ROWS},{n / 8}\n" for n in range(ROWS))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("result") / "model", schema={}) as address:
        yield address


@pytest.fixture
def page(page: Page) -> Iterator[Page]:
    """Assert that nothing on the tab's console is red."""
    yield page
    assert page.errors == []


def cells(page: Page, column: int, many: int = 3) -> list[str]:
    found = f"[...document.querySelectorAll('table.data tbody td:nth-child({column})')].map((cell) => cell.innerText)"
    return list(page.value(found))[:many]


def test_a_table_is_sorted_on_click_and_paged_and_a_column_drawn_over_another(page: Page, url: str) -> None:
    form = f'--x\r\nContent-Disposition: form-data; name="File"; filename="t.csv"\r\n\r\n{TABLE}\r\n--x--\r\n'
    kind = {"content-type": "multipart/form-data; boundary=x"}
    with urllib.request.urlopen(urllib.request.Request(f"{url}/data/run-job", form.encode(), kind), timeout=20) as sent:
        job = sent.headers["x-job-id"]
    page.open(f"{url}/Job/{job}")
    assert cells(page, 1) == ["N0", "N1", "N2"]
    assert page.value("document.querySelectorAll('.shapes svg').length") == 2  # of the columns with numbers
    page.follow("table.data th:nth-child(2) a")
    assert (cells(page, 2), page.text("th[aria-sort=ascending]")) == (["0", "1", "2"], "AGE ↑")
    page.follow("table.data th:nth-child(2) a")
    assert (cells(page, 2), page.text("th[aria-sort=descending]")) == (["119", "118", "117"], "AGE ↓")
    page.follow("#result .pager a")
    assert cells(page, 2) == ["69", "68", "67"]
    assert f"Rows 51 to 100 of {ROWS}." in page.text("#result")
    assert page.text("#plot") == "SCORE over AGE"
    page.value("document.querySelector('#axis-x').value = '2', document.querySelector('#axis-y').value = '1'")
    page.follow(".axes button")
    assert page.text("#plot") == "AGE over SCORE"
    assert "120 points." in page.text("#result")
    assert page.value("document.querySelector('svg.plot').childElementCount") >= ROWS
    assert cells(page, 2) == ["119", "118", "117"]  # sorted as before


def test_an_upload_says_how_far_it_is(page: Page, url: str, tmp_path: Path) -> None:
    file = tmp_path / "large.csv"
    file.write_text("a,b\n" + "1,2\n" * 100_000)
    page.open(f"{url}/AddJob")
    page.send(
        "Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=300_000
    )
    page.value(
        "window.said = [], new MutationObserver(() => said.push([document.querySelector('#sent [role=status]')"
        "?.textContent, document.querySelector('#sent progress')?.value])).observe(document.querySelector('#sent'), "
        "{subtree: true, childList: true, characterData: true}), 0"
    )
    page.choose_file("#file", file)
    page.click("#add-job button")
    page.wait("document.querySelector('#sent .state')?.innerText === 'Complete'")
    words = re.compile(r"Sending the file: (\d+) %, (\d+\.\d) MB/s, \d+ s left")
    said = [(found, bar) for text, bar in page.value("said") if (found := words.fullmatch(text or ""))]
    assert [found[1] for found, _ in said if 0 < int(found[1]) < 100], page.value("said")
    assert all(int(found[1]) <= bar * 100 < int(found[1]) + 1 for found, bar in said)
    assert float(said[-1][0][2]) <= 0.6  # MB/s: no more than the network was given, and some that it had buffered
