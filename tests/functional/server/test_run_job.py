"""POST /data/run-job: a job in one request. On a real server."""

import threading

import requests

from tests.rig.waiting import eventually

from .conftest import Server, StartServer


def run(server: Server, content: bytes, query: str = "", **options: object) -> requests.Response:
    url = f"{server.url}/data/run-job{query}"
    return requests.post(url, files={"File": ("x.csv", content)}, timeout=60, **options)  # type: ignore[arg-type]


def status(server: Server, job_id: str) -> str:
    return str(requests.get(f"{server.url}/data/status/{job_id}", timeout=60).json()["data"]["status"])


def test_the_answer_is_the_result_and_the_job_is_kept(server: Server) -> None:
    for content in (b"a,b\n1,x\n", b"x" * 90_000):  # in the queue, and in files
        answer = run(server, content)
        job_id = answer.headers["x-job-id"]
        assert (answer.status_code, answer.content) == (200, content.upper())
        result = requests.get(f"{server.url}/data/result/{job_id}", timeout=60)
        assert (result.content, result.headers["content-type"]) == (answer.content, answer.headers["content-type"])
        for each in (answer, result):
            assert each.headers["x-content-type-options"] == "nosniff"
            assert each.headers["content-security-policy"] == "sandbox; default-src 'none'"
        assert status(server, job_id) == "Complete"


def test_a_program_that_fails_is_400_with_the_job(server: Server) -> None:
    answer = run(server, b"!fail for this")
    job = {"id": answer.headers["x-job-id"], "status": "Error", "errorMessage": "no good: for this"}
    assert answer.status_code == 400
    assert answer.json() == {"data": job, "isError": True, "errorMessage": "no good: for this"}
    refused = requests.post(f"{server.url}/data/run-job", files={"Other": b"1"}, timeout=60)
    assert (refused.status_code, refused.json()["data"]) == (400, None)
    assert run(server, b"a", "?wait=x").status_code == 400


def test_when_the_wait_runs_out_the_job_goes_on(server: Server) -> None:
    answer = run(server, b"!sleep 1.5", "?wait=1")
    job_id = answer.headers["x-job-id"]
    assert (answer.status_code, answer.json()["isError"]) == (202, False)
    assert answer.json()["data"]["id"] == job_id
    assert answer.headers["location"] == f"status/{job_id}"
    assert server.wait(job_id)["errorMessage"] is None
    at_once = run(server, b"a", "?wait=0")
    assert (at_once.status_code, at_once.json()["data"]["id"]) == (202, at_once.headers["x-job-id"])
    server.wait(at_once.headers["x-job-id"])


def test_the_same_key_is_the_same_job_and_the_same_answer(server: Server) -> None:
    headers = {"Idempotency-Key": "run once"}
    first, again = (run(server, b"a", headers=headers) for _ in range(2))
    assert first.headers["x-job-id"] == again.headers["x-job-id"]
    assert (first.content, again.content, again.status_code) == (b"A", b"A", 200)


def test_many_at_once_each_get_their_own(server: Server) -> None:
    found: dict[int, bytes] = {}

    def one(number: int) -> None:
        found[number] = run(server, b"n%d" % number).content

    threads = [threading.Thread(target=one, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == {number: b"N%d" % number for number in range(12)}


def test_a_job_that_is_deleted_meanwhile_is_404(start_server: StartServer) -> None:
    server = start_server()
    answers: list[int] = []
    waiting = threading.Thread(target=lambda: answers.append(run(server, b"!sleep 60").status_code))
    waiting.start()
    jobs = eventually(lambda: requests.get(f"{server.url}/data/jobs", timeout=60).json()["data"]["jobs"])
    requests.delete(f"{server.url}/data/delete/{jobs[0]['id']}", timeout=60)
    waiting.join(30)
    assert answers == [404]


def test_the_result_goes_through_the_output_mapping(server: Server) -> None:
    mapping = '[{"source":"A","destination":"z"}]'
    url = f"{server.url}/data/run-job"
    answer = requests.post(url, files={"File": b"a\n1\n"}, data={"OutputMappings": mapping}, timeout=10)
    assert (answer.status_code, answer.text.split()) == (200, ["z", "1"])
