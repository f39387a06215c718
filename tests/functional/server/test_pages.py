"""The pages as a client without a browser gets them; tests/browser looks at them with one."""

import errno
import html
import re
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from model_dockerize import licenses
from model_server.jobs.job import State
from model_server.pages import formatting
from tests.rig.waiting import eventually

from .conftest import Server, StartServer

PAGES = ("/", "/License", "/AddJob", "/Mapping", "/Jobs", "/swagger", "/Job/none", "/addjob")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_may_load_from_this_server_alone_and_holds_no_script(server: Server, path: str) -> None:
    answer = requests.get(server.url + path, headers={"accept": "text/html"}, timeout=60)
    policy = dict(rule.split(" ", 1) for rule in answer.headers["content-security-policy"].split("; "))
    assert policy.pop("default-src") == policy.pop("base-uri") == policy.pop("frame-ancestors") == "'none'"
    assert policy.pop("img-src") == "'self' data:"
    assert set(policy.values()) == {"'self'"}
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<style|style=|\son\w+=|javascript:", answer.text)
    assert all(" src=" in tag for tag in re.findall(r"<script[^>]*>", answer.text))


def test_an_address_without_the_last_slash_leads_to_the_dashboard(start_server: StartServer) -> None:
    server = start_server(root_path="/models/upper")
    answer = requests.get(f"{server.url}/models/upper", timeout=60)
    assert (answer.status_code, answer.url) == (200, f"{server.url}/models/upper/")
    assert answer.history[0].headers["location"] == "upper/"


def test_jobs_are_listed_and_deleted_by_links_and_forms_alone(start_server: StartServer) -> None:
    server = start_server()
    assert "There are no jobs." in requests.get(f"{server.url}/Jobs", timeout=60).text
    assert "<dt>Jobs</dt><dd>none</dd>" in requests.get(f"{server.url}/", timeout=60).text
    done = server.send(b"a\n")
    server.wait(done)
    assert "1 job; complete." in requests.get(f"{server.url}/Jobs", timeout=60).text
    failed = server.send(b"!fail <b>")
    server.wait(failed)
    page = requests.get(f"{server.url}/Jobs?page=7", timeout=60).text
    assert "2 jobs; 1 complete, 1 failed." in page
    assert re.findall(r'state=(\w+)">(\w+) <span>(\d+)<', page) == [
        *(("Created", "Waiting", "0"), ("Complete", "Complete", "1"), ("Error", "Failed", "1"))
    ]
    assert "In progress <span>0<" in page
    only_failed = requests.get(f"{server.url}/Jobs?state=Error", timeout=60).text
    assert (failed in only_failed, done in only_failed) == (True, False)
    assert "No job is in this state." in requests.get(f"{server.url}/Jobs?state=Created", timeout=60).text
    assert requests.get(f"{server.url}/Jobs?state=x", timeout=60).status_code == 400
    assert "<dt>Jobs</dt><dd>1 complete, 1 failed</dd>" in requests.get(f"{server.url}/", timeout=60).text
    assert page.index(failed) < page.index(done)
    assert "no good: &lt;b&gt;" in page
    assert "http-equiv" not in page  # nothing is unfinished: it does not reload
    for link in re.findall(r'href="(data/result/[^"]*)"', page):
        assert requests.get(f"{server.url}/{link}", timeout=60).status_code == 200
        assert done in link
    question = f"{server.url}/Job/{done}/Delete?page=1"
    assert "Delete this job?" in requests.get(question, timeout=60).text
    assert requests.get(f"{server.url}/data/status/{done}", timeout=60).status_code == 200  # asked, not done
    gone = requests.post(question, timeout=60)
    assert (gone.status_code, gone.url) == (200, f"{server.url}/Jobs?page=1")
    assert done not in gone.text
    again = requests.post(question, timeout=60)
    assert (again.status_code, "there is no job with this id" in again.text) == (404, True)
    assert requests.get(f"{server.url}/Jobs?page=x", timeout=60).status_code == 400


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
    for path in ("/Jobs", f"/Job/{job_id}"):
        page = requests.get(server.url + path, timeout=60).text
        assert re.findall(r'href="(?:\.\./)?data/result/([a-z]+)/', page) == offered


def test_where_no_type_is_declared_a_result_says_by_itself_in_which_forms_it_can_be_had(
    start_server: StartServer,
) -> None:
    server = start_server(output_types=["application/octet-stream"])  # as of a folder without smoke/expected.*
    for content, offered in ((b"a,b\n1,2\n", ["json", "csv"]), (b'{"a": {"b": 1}}', ["json"]), (b"prose", [])):
        job_id = server.send(content)
        server.wait(job_id)
        page = requests.get(f"{server.url}/Job/{job_id}", timeout=60).text
        links = re.findall(r'href="\.\./(data/result/([a-z]+)/[^"]+)"', page)
        assert [form for _, form in links] == offered
        assert {requests.get(f"{server.url}/{link}", timeout=60).status_code for link, _ in links} <= {200}
        folds = re.findall(r"<details( open)?><summary>object, 1 field</summary>", page)
        assert folds == ([" open", ""] if content[:1] == b"{" else [])  # what lies deeper is folded
    # The list has not looked into them.
    assert not re.findall(r'href="data/result/[a-z]+/', requests.get(f"{server.url}/Jobs", timeout=60).text)


def test_an_unfinished_job_is_followed_with_and_without_javascript(start_server: StartServer) -> None:
    server = start_server()
    job_id = server.send(b"!sleep 5")
    for path, address in (("/Jobs", f"data/status/{job_id}"), (f"/Job/{job_id}", f"../data/status/{job_id}")):
        page = requests.get(server.url + path, timeout=60).text
        assert f'data-follow="{address}"' in page
        assert re.search(r'<noscript><meta http-equiv="refresh" content="\d"></noscript>', page)
    assert requests.post(f"{server.url}/Job/{job_id}/Delete", timeout=60).status_code == 200


def test_the_upload_page_says_what_the_program_itself_gets(server: Server, start_server: StartServer) -> None:
    page = requests.get(f"{server.url}/AddJob", timeout=60).text
    assert '<option value="application/json">' in page
    assert "The model's program gets text/csv; header=present. What else is offered here is converted" in page
    plain = start_server(input_types=["text/plain"])
    assert "converted" not in requests.get(f"{plain.url}/AddJob", timeout=60).text


def test_a_license_key_is_uploaded_by_a_form(start_server: StartServer, tmp_path: Path) -> None:
    private = tmp_path / "publisher.pem"
    server = start_server(license_public_key=licenses.make_pair(private))
    page = f"{server.url}/License"
    assert "No License Key found" in requests.get(page, timeout=60).text
    refused = requests.post(page, files={"License": ("x.gai_key", "no key")}, timeout=60)
    assert (refused.status_code, "this is not a license key" in refused.text) == (400, True)
    assert requests.post(page, files={"License": ("", b"")}, timeout=60).status_code == 400
    sent = requests.post(f"{server.url}/AddJob", files={"File": b"a\n"}, timeout=60)
    assert (sent.status_code, 'href="License"' in sent.text) == (403, True)
    key = licenses.issue(private, "upper", "A & B", "ab@example.org", 30)
    accepted = requests.post(page, files={"License": ("x.gai_key", key)}, timeout=60)
    assert accepted.status_code == 200
    assert "Licensed To: A &amp; B - ab@example.org" in accepted.text
    assert "<dt>License</dt><dd>Licensed To: A &amp; B" in requests.get(f"{server.url}/", timeout=60).text


def test_where_no_license_is_needed_an_upload_says_so(server: Server) -> None:
    assert "<dt>License</dt>" not in requests.get(f"{server.url}/", timeout=60).text
    assert "needs no license key" in requests.get(f"{server.url}/License", timeout=60).text
    refused = requests.post(f"{server.url}/License", files={"License": ("x.gai_key", "x")}, timeout=60)
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
    assert [formatting.size(value) for value in (0, 999, 1000, 99_949, 1_500_000, 10**12, 10**15)] == [
        *("0 B", "999 B", "1.0 kB", "99.9 kB", "1.5 MB", "1.0 TB", "1000 TB")
    ]
    assert formatting.last_line("Traceback:\n  x\nValueError: no\n\n") == "ValueError: no"
    assert [formatting.last_line("x" * length) for length in (300, 301)] == ["x" * 300, f"{'x' * 300} …"]
    assert formatting.last_line(" \n") == "The program failed without a word."
    assert formatting.moment(0) == "1970-01-01 00:00:00 UTC"


def test_a_result_is_a_table_of_its_job_and_the_newest_of_the_dashboard(start_server: StartServer) -> None:
    server = start_server(output_types=["application/octet-stream"], limits={"upload_bytes": 10**7})
    content = b"name,score\n" + b"".join(b"<b>%d</b>,%d\n" % (n, n) for n in range(10_000))
    job = requests.post(f"{server.url}/data/run-job", files={"File": ("big.csv", content)}, timeout=30).headers[
        "x-job-id"
    ]
    page = requests.get(f"{server.url}/Job/{job}?rows=2&sort=1&order=desc", timeout=20).text
    assert "10,000 rows, 2 columns" in page
    assert "Rows 51 to 100 of 10,000." in page
    cells = re.findall(r"<td>(.*?)</td><td class=\"number\">(\d+)</td>", page)
    assert cells[0] == ("&lt;B&gt;9949&lt;/B&gt;", "9949")
    assert len(cells) == 50
    assert 'aria-sort="descending"' in page
    links = re.findall(r'href="\?([^"]*rows=\d+[^"]*)#result"', page)
    assert [link.replace("&amp;", "&") for link in links] == ["rows=1&sort=1&order=desc", "rows=3&sort=1&order=desc"]
    assert page.count("<svg") == 1  # one numeric column: its histogram and no plot
    dashboard = requests.get(f"{server.url}/", timeout=20).text
    assert f'<a href="Job/{job}">big.csv</a>' in dashboard
    assert "&lt;B&gt;4&lt;/B&gt;" in dashboard and "&lt;B&gt;5&lt;/B&gt;" not in dashboard
    assert "1 job since" in dashboard
    assert re.findall(r"<figcaption>(\D+) [\d.]+</figcaption>", dashboard) == [
        *("Jobs a minute, at most", "Jobs that wait, at most")
    ]
    assert re.findall(r"<dt>(\d+) % of jobs took</dt><dd>at most \d", dashboard) == ["50", "95", "99"]
    for wrong in ("rows=x", "sort=-1", "order=up", "size=10000", "x=51"):
        assert requests.get(f"{server.url}/Job/{job}?{wrong}", timeout=60).status_code == 400


def test_a_column_is_drawn_over_another_that_are_chosen(start_server: StartServer) -> None:
    server = start_server()
    job = server.send(b"name,age,score\na,1,0.5\nb,2,-3\nc,4,7e2\n")
    server.wait(job)
    first = requests.get(f"{server.url}/Job/{job}", timeout=60).text
    assert '<h3 id="plot">SCORE over AGE</h3>' in first
    assert first.count("<svg") == 3  # two histograms and the plot
    assert "3 points. Across: 1 to 4; up: -3 to 700." in first
    other = requests.get(f"{server.url}/Job/{job}?x=2&y=1&sort=1&order=desc", timeout=60).text
    assert '<h3 id="plot">AGE over SCORE</h3>' in other
    assert re.findall(r'<option value="(\d)" selected>', other) == ["2", "1"]
    assert re.findall(r'<input type="hidden" name="(\w+)" value="(\w+)">', other) == [("sort", "1"), ("order", "desc")]


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/octet-stream"])
def test_a_result_that_a_browser_could_run_is_shown_as_text(start_server: StartServer, kind: str) -> None:
    server = start_server(output_types=[kind])
    job = server.send(b"<svg><script>alert(1)</script></svg>")
    server.wait(job)
    page = requests.get(f"{server.url}/Job/{job}", timeout=60).text
    assert "&lt;SVG&gt;&lt;SCRIPT&gt;ALERT(1)" in page
    result = requests.get(f"{server.url}/data/result/{job}", timeout=60)
    assert result.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert result.headers["x-content-type-options"] == "nosniff"
    assert result.headers["content-disposition"].startswith("inline" if "octet" in kind else "attachment")
    assert requests.get(f"{server.url}/Job/{job}/Image", timeout=60).status_code == 404


def test_half_a_surrogate_pair_breaks_no_page(start_server: StartServer, program_folder: Path) -> None:
    content = r'[{"a\ud800": "x\udfff"}]'
    (program_folder / "main.py").write_text(
        f"import sys\nopen(sys.argv[2], 'w').write({content!r})\n", encoding="utf-8"
    )
    server = start_server(output_types=["application/json"])
    job = server.send(b"a\n")
    server.wait(job)
    for path in (f"/Job/{job}", "/"):
        page = requests.get(server.url + path, timeout=60)
        assert (page.status_code, "<td>x?</td>" in page.text) == (200, True)


def test_a_full_disk_closes_no_page(start_server: StartServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server = start_server()
    job = server.send(b"a\n1\n")
    server.wait(job)

    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr("model_server.pages.results.NamedTemporaryFile", full)
    for path in (f"/Job/{job}", "/"):
        assert requests.get(server.url + path, timeout=60).status_code == 200


@pytest.mark.parametrize("size", [0, 100_000])
def test_an_image_is_shown_by_what_it_is(start_server: StartServer, tmp_path: Path, size: int) -> None:
    (tmp_path / "draw.py").write_text(
        f"import sys\nopen(sys.argv[2], 'wb').write(b'\\x89PNG\\r\\n\\x1a\\n<script>' + bytes({size}))"
    )
    command = [sys.executable, str(tmp_path / "draw.py"), "{input}", "{output}"]
    server = start_server(output_types=["text/html"], command=command)
    job = server.send(b"a\n")
    server.wait(job)
    assert f'<img class="picture" src="../Job/{job}/Image"' in requests.get(f"{server.url}/Job/{job}", timeout=60).text
    image = requests.get(f"{server.url}/Job/{job}/Image", timeout=60)
    assert (image.status_code, image.headers["content-type"]) == (200, "image/png")
    assert image.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert image.headers["x-content-type-options"] == "nosniff"


def test_a_running_job_shows_what_its_program_prints_and_those_behind_it_their_place(
    start_server: StartServer, tmp_path: Path
) -> None:
    enough = tmp_path / "enough"
    (tmp_path / "slow.py").write_text(
        "import os, sys, time\n"
        "print('loading <b>'); print('scoring row 5/40', flush=True); sys.stderr.write('\\r 50%|#####     | 20/40')\n"
        "sys.stderr.flush()\n"
        f"while not os.path.exists({str(enough)!r}): time.sleep(0.02)\n"
        "open(sys.argv[2], 'w').write('done')\n"
    )
    command = [sys.executable, str(tmp_path / "slow.py"), "{input}", "{output}"]
    server = start_server(command=command)
    first, second, third = (server.send(b"a\n1\n") for _ in range(3))

    def page() -> str | None:
        text = requests.get(f"{server.url}/Job/{first}", timeout=60).text
        return text if "20/40" in text else None

    text = str(eventually(page))
    assert "loading &lt;b&gt;\nscoring row 5/40\n 50%|#####     | 20/40</pre>" in text
    assert '<progress max="1" value="0.5000"' in text
    assert re.search(r'In progress</span> <span class="soft">for \d', text)
    for job, place in ((second, "next in the queue"), (third, "1 job is before it")):
        assert re.search(rf"{place}, waiting for \d", requests.get(f"{server.url}/Job/{job}", timeout=60).text)
    enough.touch()
    for job in (first, second, third):
        server.wait(job)
    assert "scoring row" not in requests.get(f"{server.url}/Job/{first}", timeout=60).text


def test_a_failed_job_says_why_in_its_first_line(start_server: StartServer) -> None:
    server = start_server()
    job = server.send(b"!fail Traceback\n  line 1\nValueError: <b>")
    server.wait(job)
    page = requests.get(f"{server.url}/Job/{job}", timeout=60).text
    assert page.index("<strong>ValueError: &lt;b&gt;</strong>") < page.index("no good: Traceback\n")


@pytest.mark.parametrize("path", ["/addjob", "/docs", "/jobs", "/data/run-job", "/nothing/<script>"])
def test_a_person_at_an_unknown_address_gets_a_page(server: Server, path: str) -> None:
    answer = requests.get(server.url + path, headers={"accept": "text/html,*/*"}, timeout=60)
    assert answer.status_code == (405 if path == "/data/run-job" else 404)
    assert "<h1>No such page</h1>" in answer.text
    assert "<script>" not in answer.text.partition("<main")[2]
    assert requests.get(server.url + path, timeout=60).json()["isError"]  # a program gets an envelope


@pytest.mark.parametrize("path", ["/", "/run", "/predict", "/swagger"])
def test_who_posts_elsewhere_is_told_where_to(server: Server, path: str) -> None:
    answer = requests.post(server.url + path, files={"file": b"a\n"}, timeout=60)
    assert answer.status_code in (404, 405)
    assert "the part File of a form (multipart/form-data) to /data/run-job" in answer.json()["errorMessage"]


def test_the_sample_is_shown_and_had(start_server: StartServer, program_folder: Path) -> None:
    (program_folder / "in put<.csv").write_text("a<b>\n1\n")
    server = start_server(sample="in put<.csv")
    page = requests.get(f"{server.url}/AddJob", timeout=60).text
    assert "a&lt;b&gt;\n1</pre>" in page
    sample = requests.get(f"{server.url}/Sample", timeout=60)
    assert (sample.content, sample.headers["content-type"]) == (b"a<b>\n1\n", "application/octet-stream")
    assert sample.headers["content-disposition"].startswith("attachment")
    assert 'File=@data"' in requests.get(f"{server.url}/", timeout=60).text  # a shell would take its own name apart


def test_the_dashboard_knows_its_own_address(start_server: StartServer) -> None:
    server = start_server(root_path="/models/upper")
    page = f"{server.url}/models/upper/"

    def address(**headers: str) -> str:
        text = requests.get(page, headers=headers, timeout=60).text
        return re.findall(r"<span data-address>(.*?)</span>/data/run-job", text)[0]

    assert address() == page.rstrip("/")
    assert (
        address(Host="model.example.com", **{"X-Forwarded-Proto": "https"}) == "https://model.example.com/models/upper"
    )
    assert address(Host="a<b>").startswith("http://localhost/")
    assert requests.get(f"{server.url}/Sample", timeout=60).status_code == 404


def test_the_snippet_of_python_shows_the_result_or_what_the_server_says(server: Server, tmp_path: Path) -> None:
    page = requests.get(f"{server.url}/", timeout=60).text
    (block,) = re.findall(r'aria-label="Python">(.*?)</pre>', page, re.DOTALL)
    snippet = html.unescape(re.sub(r"<[^>]*>", "", block))
    (name,) = re.findall(r'open\("(.*?)"', snippet)
    for content, code, said in (("good", 0, ""), ("!fail no such column", 1, "no good: no such column")):
        (tmp_path / name).write_text(content)
        done = subprocess.run(
            [sys.executable, "-c", snippet], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
        )
        assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (code, True, False), done.stderr
        assert bool(done.stdout) is (code == 0)
