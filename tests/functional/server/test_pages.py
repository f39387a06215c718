"""The pages as a client without a browser gets them; tests/browser looks at them with one."""

import re
from pathlib import Path

import pytest
import requests

from model_dockerize import licenses
from model_server.jobs.job import State
from model_server.pages import formatting

from .conftest import Server, StartServer

PAGES = ("/", "/License", "/AddJob", "/Mapping", "/Jobs", "/swagger", "/Job/none")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_may_load_from_this_server_alone_and_holds_no_script(server: Server, path: str) -> None:
    answer = requests.get(server.url + path, timeout=5)
    policy = dict(rule.split(" ", 1) for rule in answer.headers["content-security-policy"].split("; "))
    assert policy.pop("default-src") == policy.pop("base-uri") == policy.pop("frame-ancestors") == "'none'"
    assert policy.pop("img-src") == "'self' data:"
    assert set(policy.values()) == {"'self'"}
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<style|style=|\son\w+=|javascript:", answer.text)
    assert all(" src=" in tag for tag in re.findall(r"<script[^>]*>", answer.text))


def test_an_address_without_the_last_slash_leads_to_the_dashboard(start_server: StartServer) -> None:
    server = start_server(root_path="/models/upper")
    answer = requests.get(f"{server.url}/models/upper", timeout=5)
    assert (answer.status_code, answer.url) == (200, f"{server.url}/models/upper/")
    assert answer.history[0].headers["location"] == "upper/"


def test_jobs_are_listed_and_deleted_by_links_and_forms_alone(start_server: StartServer) -> None:
    server = start_server()
    assert "There are no jobs." in requests.get(f"{server.url}/Jobs", timeout=5).text
    assert "<dt>Jobs</dt><dd>none</dd>" in requests.get(f"{server.url}/", timeout=5).text
    done = server.send(b"a\n")
    server.wait(done)
    assert "1 job; finished." in requests.get(f"{server.url}/Jobs", timeout=5).text
    failed = server.send(b"!fail <b>")
    server.wait(failed)
    page = requests.get(f"{server.url}/Jobs?page=7", timeout=5).text
    assert "2 jobs; all finished." in page
    assert "<dt>Jobs</dt><dd>1 complete, 1 failed</dd>" in requests.get(f"{server.url}/", timeout=5).text
    assert page.index(failed) < page.index(done)
    assert "no good: &lt;b&gt;" in page
    assert "http-equiv" not in page  # nothing is unfinished: it does not reload
    for link in re.findall(r'href="(data/result/[^"]*)"', page):
        assert requests.get(f"{server.url}/{link}", timeout=5).status_code == 200
        assert done in link
    question = f"{server.url}/Job/{done}/Delete?page=1"
    assert "Delete this job?" in requests.get(question, timeout=5).text
    assert requests.get(f"{server.url}/data/status/{done}", timeout=5).status_code == 200  # asked, not done
    gone = requests.post(question, timeout=5)
    assert (gone.status_code, gone.url) == (200, f"{server.url}/Jobs?page=1")
    assert done not in gone.text
    again = requests.post(question, timeout=5)
    assert (again.status_code, "there is no job with this id" in again.text) == (404, True)
    assert requests.get(f"{server.url}/Jobs?page=x", timeout=5).status_code == 400


@pytest.mark.parametrize(
    ("output", "schema", "offered"),
    [
        ("text/csv; header=present", [], ["json", "csv"]),
        ("application/json", ["a", "b"], ["json", "csv"]),
        ("application/json", ["a/b"], ["json"]),  # no table can hold it
        ("image/png", [], []),
    ],
)
def test_a_result_is_offered_in_the_forms_that_it_can_have(
    start_server: StartServer, output: str, schema: list[str], offered: list[str]
) -> None:
    fields = [{"Path": path, "DataType": "string", "Optional": True} for path in schema]
    server = start_server(output_types=[output], schema={"output": fields})
    job_id = server.send(b"a\n")
    server.wait(job_id)
    for path in ("/AddJob", "/Jobs", f"/Job/{job_id}"):
        page = requests.get(server.url + path, timeout=5).text
        assert re.findall(r'(?:href|data-path)="(?:\.\./)?data/result/([a-z]+)/', page) == offered


def test_an_unfinished_job_is_followed_with_and_without_javascript(start_server: StartServer) -> None:
    server = start_server()
    job_id = server.send(b"!sleep 5")
    for path, address in (("/Jobs", f"data/status/{job_id}"), (f"/Job/{job_id}", f"../data/status/{job_id}")):
        page = requests.get(server.url + path, timeout=5).text
        assert f'data-follow="{address}"' in page
        assert re.search(r'<noscript><meta http-equiv="refresh" content="\d"></noscript>', page)
    assert requests.post(f"{server.url}/Job/{job_id}/Delete", timeout=5).status_code == 200


def test_a_license_key_is_uploaded_by_a_form(start_server: StartServer, tmp_path: Path) -> None:
    private = tmp_path / "publisher.pem"
    server = start_server(license_public_key=licenses.make_pair(private))
    page = f"{server.url}/License"
    assert "No License Key found" in requests.get(page, timeout=5).text
    refused = requests.post(page, files={"License": ("x.gai_key", "no key")}, timeout=5)
    assert (refused.status_code, "this is not a license key" in refused.text) == (400, True)
    assert requests.post(page, files={"License": ("", b"")}, timeout=5).status_code == 400
    sent = requests.post(f"{server.url}/AddJob", files={"File": b"a\n"}, timeout=5)
    assert (sent.status_code, 'href="License"' in sent.text) == (403, True)
    key = licenses.issue(private, "upper", "A & B", "ab@example.org", 30)
    accepted = requests.post(page, files={"License": ("x.gai_key", key)}, timeout=5)
    assert accepted.status_code == 200
    assert "Licensed To: A &amp; B - ab@example.org" in accepted.text
    assert "Licensed To: A &amp; B" in requests.get(f"{server.url}/", timeout=5).text


def test_where_no_license_is_needed_an_upload_says_so(server: Server) -> None:
    assert "needs no license key" in requests.get(f"{server.url}/License", timeout=5).text
    refused = requests.post(f"{server.url}/License", files={"License": ("x.gai_key", "x")}, timeout=5)
    assert (refused.status_code, "licensing is not switched on" in refused.text) == (400, True)


def test_values_in_words() -> None:
    assert (
        formatting.label("text/csv; header=absent")
        == "comma separated values file, no header row (text/csv; header=absent)"
    )
    assert formatting.label("image/png") == "image/png"
    assert formatting.label("APPLICATION/JSON") == "JSON file (APPLICATION/JSON)"
    assert [formatting.seconds(value) for value in (-0.2, 0.25, 5.94, 61, 3725)] == [
        *("0 ms", "250 ms", "5.9 s", "1 min 1 s", "1 h 2 min")
    ]
    assert [formatting.state(state) for state in State] == ["Created", "In progress", "Complete", "Error"]
    assert formatting.jobs({}) == "none"
    assert formatting.jobs({State.ERROR: 1, State.CREATED: 0, State.COMPLETE: 12}) == "12 complete, 1 failed"
    assert formatting.moment(0) == "1970-01-01 00:00:00 UTC"
