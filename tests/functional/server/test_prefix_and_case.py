"""Every endpoint behind a path prefix; every field name in any letter case."""

import json
import re
from collections.abc import Callable
from urllib.parse import urljoin

import pytest
import requests

from .conftest import Server, StartServer

PREFIX = "/models/upper case"
MISSING = "00000000-0000-4000-8000-000000000000"


def test_every_described_endpoint_answers_the_same_behind_a_prefix(start_server: StartServer) -> None:
    server = start_server(root_path=PREFIX)
    paths = requests.get(f"{server.url}{PREFIX}/swagger/v1/swagger.json", timeout=60).json()["paths"]
    assert len(paths) >= 13
    for path, methods in paths.items():
        for method in methods:
            address = path.replace("{id}", MISSING)
            answers = [
                requests.request(method, server.url + prefix + address, files={"Nothing": b""}, timeout=60)
                for prefix in ("", PREFIX)
            ]
            statuses = [answer.status_code for answer in answers]
            assert statuses[0] == statuses[1], path
            # A path that is not served says "Not Found"; a job that is not there says so in words of its own.
            assert not [answer for answer in answers if "Not Found" in answer.text], path


def test_a_job_goes_its_way_behind_a_prefix(start_server: StartServer) -> None:
    server = start_server(root_path=PREFIX)
    base = server.url + PREFIX
    job = requests.post(f"{base}/data/add-job", files={"File": b"a\nx\n"}, timeout=60).json()["data"]["id"]
    server.wait(job)
    assert requests.get(f"{base}/data/result/json/{job}", timeout=60).json() == [{"A": "X"}]
    assert requests.delete(f"{base}/data/delete/{job}", timeout=60).json()["data"]["status"] == "Deleted"


@pytest.mark.parametrize("change", [str.lower, str.upper, str.swapcase])
def test_names_of_fields_and_keys_count_in_any_case(server: Server, change: Callable[[str], str]) -> None:
    rules = json.dumps([{change("source"): "a", change("destination"): "b", change("defaultValue"): "z"}])
    outward = json.dumps([{change("source"): "B", change("destination"): "c"}])
    files = {
        change("File"): ("x", b"a\nx\n\n"),
        change("Mappings"): ("", rules),
        change("OutputMappings"): ("", outward),
    }
    form = {change("MimeType"): "TEXT/CSV; Header=PRESENT"}
    answer = requests.post(f"{server.url}/data/add-job", files=files, data=form, timeout=60).json()
    assert answer["errorMessage"] is None
    server.wait(answer["data"]["id"])
    assert requests.get(f"{server.url}/data/result/{answer['data']['id']}", timeout=60).content == b"c\nX\n"


def links(page: str, at: str) -> list[str]:
    """Return the addresses that a page's links lead to, and those that it loads."""
    base = re.search(r'<base href="([^"]+)"', page)
    start = urljoin(at, base[1]) if base else at
    return [urljoin(start, link) for link in re.findall(r'(?:href|src)="([^"#]+)"', page.replace("<base href", ""))]


@pytest.mark.parametrize("slash", ["", "/"])
def test_links_are_right_where_a_proxy_has_removed_the_prefix(server: Server, slash: str) -> None:
    """Follow links with and without the last slash, which the server cannot know; like Traefik, say the prefix."""
    prefix = "/models/iris"
    page = requests.get(f"{server.url}/", headers={"X-Forwarded-Prefix": prefix}, timeout=60).text
    found = links(page, f"{server.url}{prefix}{slash}")
    assert len(found) >= 7
    for link in found:
        path = link.removeprefix(server.url)
        assert path.startswith(prefix + "/")
        assert requests.get(server.url + path.removeprefix(prefix), timeout=60).status_code == 200, path


@pytest.mark.parametrize("prefix", ["", "//evil.example", "https://evil.example", '/"><script>', "/a b", "x"])
def test_a_prefix_that_leads_away_is_none(server: Server, prefix: str) -> None:
    page = requests.get(f"{server.url}/", headers={"X-Forwarded-Prefix": prefix}, timeout=60).text
    assert "<base" not in page


def test_without_its_last_slash_a_prefix_that_stays_leads_to_the_one_with_it(start_server: StartServer) -> None:
    server = start_server(root_path="/models/iris")
    answer = requests.get(f"{server.url}/models/iris", timeout=60)
    assert (answer.status_code, answer.url) == (200, f"{server.url}/models/iris/")
