"""A smoke test under way."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from model_compare import difference, kind_of
from model_dockerize.errors import InputError
from model_dockerize.progress import Progress
from model_dockerize.smoke.client import BUILD_ID, Busy, CheckFailed, Job, ModelClient, NotYet, Unanswered, quote
from model_dockerize.smoke.model import CHECKS, HEALTHY, NOT_RUN, Check, Expectation

#: Further jobs with the sample: what a job leaves behind may harm only the one after the next.
REPEATS = 2
#: Jobs in a row that servers of another build may take from a queue which they share with the tested one.
_ELSEWHERE = 25
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.5  # seconds between two looks

Found = TypeVar("Found")


class Session:
    """A smoke test of one address."""

    def __init__(
        self,
        expectation: Expectation,
        start_timeout: float,
        job_timeout: float,
        progress: Progress,
        alive: Callable[[], str | None],
    ) -> None:
        self.checks: list[Check] = []
        self._expectation, self._progress, self._alive = expectation, progress, alive
        self.start_timeout, self._job_timeout = start_timeout, job_timeout
        self._client: ModelClient | None = None
        self._job = ""
        self._sent: tuple[bytes, str] = (b"", "")  # sample and mapping of the last job
        self._results: list[bytes] = []

    @property
    def first_result(self) -> bytes | None:
        return self._results[0] if self._results else None

    @property
    def url(self) -> str:
        return self._client.base if self._client else ""

    @property
    def client(self) -> ModelClient:
        assert self._client  # noqa: S101  every check but the first one needs "reachable"
        return self._client

    def use(self, client: ModelClient) -> None:
        self.close()
        self._client = client

    def close(self) -> None:
        if self._client:
            self._client.close()

    def run_job(
        self, sample: bytes, mapping: str, expected: bytes | None, offers: Callable[[str], bool] = lambda _: True
    ) -> None:
        """Run the checks of a job that the server `offers`."""
        self.run("add-job", lambda: self.add_job(sample, mapping))
        looks = {"status": self.status, "result": lambda: self.result(expected), "delete": self.delete}
        for name, look in looks.items():
            if offers(name):
                self.run(name, look)
        if all(map(offers, looks)):
            self.run("repeat", lambda: self.repeat(sample, mapping, expected))

    def run(self, name: str, look: Callable[[], str]) -> None:
        """Run one check, unless one that it needs has failed."""
        needs = CHECKS[name]
        broken = next((done.name for done in self.checks if done.name in needs and not done.passed), None)
        started = time.monotonic()
        if broken:
            passed, detail = False, f"{NOT_RUN}{broken} failed"
        else:
            try:
                passed, detail = True, look()
            except Unanswered as failure:
                passed, detail = False, self._alive() or str(failure)
            except CheckFailed as failure:
                passed, detail = False, str(failure)
        done = Check(name, passed, round(time.monotonic() - started, 3), detail)
        self.checks.append(done)
        if not broken:
            self._progress.info(f"{name}: {'ok' if passed else 'FAILED'} ({done.seconds:.2f} s): {detail}")

    def reach(self, urls: Sequence[str]) -> str:
        """Wait for an answer: a proxy before the model may accept connections long before."""

        def look() -> str:
            problem = Unanswered("there is no address to try")
            for url in urls:
                client = ModelClient(url, self._expectation.api_key)
                try:
                    client.probe()
                except Unanswered as error:
                    problem = error
                    client.close()
                else:
                    self._client = client
                    return f"{client.base} answers"
            raise problem

        return self.wait(look, self.start_timeout)

    def health(self) -> str:
        def look() -> str:
            answer = self.client.get("/health")
            if answer.status_code == 200 and answer.text == HEALTHY:
                return HEALTHY
            said = f"/health answered {answer.status_code}: {quote(answer.text)}, expected 200: {quote(HEALTHY)}"
            if answer.status_code >= 500:
                raise NotYet(said)
            raise CheckFailed(said)

        return self.wait(look, self.start_timeout)

    def build_id(self) -> str:
        want = self._expectation.build_id
        got = self.client.get("/health").headers.get(BUILD_ID, "")
        if got != want:
            raise CheckFailed(f"another build answers: expected {want}, /health says {got or 'nothing'}")
        info = self.client.spec().get("info")
        told = info.get("x-build-id", "") if isinstance(info, dict) else ""
        if told != want:
            raise CheckFailed(f"another build answers: expected {want}, the specification says {told or 'nothing'}")
        return got

    def swagger(self) -> str:
        page = self.client.get("/swagger")
        if page.status_code != 200 or "html" not in page.headers.get("Content-Type", ""):
            raise CheckFailed(f"/swagger answered {page.status_code}: {quote(page.text)}")
        spec = self.client.spec()
        version, paths = str(spec.get("openapi", "")), spec.get("paths")
        if not version.startswith("3."):
            raise CheckFailed(f"the specification is no OpenAPI 3: openapi is {quote(version)}")
        add_job = paths.get("/data/add-job") if isinstance(paths, dict) else None
        if not isinstance(paths, dict) or not isinstance(add_job, dict) or "post" not in add_job:
            raise CheckFailed("the specification lacks POST /data/add-job")
        return f"OpenAPI {version}, {len(paths)} paths"

    def license(self) -> str:
        """Leave a good key in place: on a volume, it is the customer's."""
        if self.client.licensed():
            return "a good key is there already"
        problem = self.client.apply_license(self._expectation.license_key)
        if problem:
            raise CheckFailed(f"the key was refused: {problem}")
        return "the key was applied"

    def add_job(self, sample: bytes, mapping: str) -> str:
        path = self._expectation.sample_input
        assert path  # noqa: S101  there is a sample
        self._sent = (sample, mapping)

        def send() -> Job:
            return self.client.add_job(path.name, sample, self._expectation.input_type, mapping)

        # A task that has just started takes no job yet. What got no answer is not sent twice: it may have been taken.
        job = self.wait(send, self.start_timeout, passes=(Busy,))
        self._job = job.id
        if not job.id or job.status != "Created":
            raise CheckFailed(f"the new job {job.id or 'without an id'} is {job.status!r}, expected 'Created'")
        return f"job {job.id}"

    def status(self) -> str:
        def look() -> str:
            job = self.client.status(self._job)
            if job.status in {"Error", "Deleted"}:
                raise CheckFailed(f"the job ended as {job.status}: {_one_line(job.error)}")
            if job.status != "Complete":
                raise NotYet(f"the job is still {job.status}")
            return job.status

        return self.wait(look, self._job_timeout, "; if it is not stuck, smoke-timeout gives it longer")

    def result(self, expected: bytes | None) -> str:
        got, build = self.client.result(self._job)
        for _ in range(_ELSEWHERE):
            if not (build and self._expectation.build_id) or build == self._expectation.build_id:
                break
            self.delete()
            self.add_job(*self._sent)
            self.status()
            got, build = self.client.result(self._job)
        else:
            raise CheckFailed(
                f"another build, {build}, did all {_ELSEWHERE} jobs: does it share its queue with this one?"
            )
        self._results.append(got)
        path = self._expectation.sample_expected
        if expected is None or path is None:
            return f"{len(got)} bytes (nothing to compare them with)"
        if found := difference(expected, got, kind_of(path.name)):
            raise CheckFailed(f"not the result of {path.name}: {found}")
        return f"{len(got)} bytes, as {path.name}"

    def delete(self) -> str:
        job = self.client.delete(self._job)
        if job.status != "Deleted":
            raise CheckFailed(f"the job is {job.status!r} after its deletion, expected 'Deleted'")
        return "the smoke job is gone"

    def repeat(self, sample: bytes, mapping: str, expected: bytes | None) -> str:
        for _ in range(REPEATS):
            self.add_job(sample, mapping)
            try:
                self.status()
                self.result(expected)
            finally:
                self.delete()
        are_equal = len(set(self._results)) == 1
        return f"{REPEATS} more jobs, {'the same bytes' if are_equal else 'the bytes differ from job to job'}"

    def runner_mode(self) -> str:
        """Say how the program is run; no mode is a failure."""
        return self.client.get("/ready").headers.get("X-Model-Runner-Mode") or "the server does not say it"

    def wait(
        self,
        look: Callable[[], Found],
        timeout: float,
        hint: str = "",
        passes: tuple[type[CheckFailed], ...] = (Unanswered, NotYet),
    ) -> Found:
        """Repeat `look` until it answers; fail when time is up or the container gone."""
        end, pause = time.monotonic() + timeout, _FIRST_PAUSE
        while True:
            try:
                return look()
            except passes as reason:
                if gone := self._alive():
                    raise CheckFailed(gone) from reason
                if time.monotonic() + pause > end:
                    raise CheckFailed(f"gave up after {timeout:g} s: {reason}{hint}") from reason
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


def _one_line(text: str) -> str:
    """Return the last line: of a traceback, it says what happened."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return quote(lines[-1]) if lines else "no message"


def read_sample(path: Path | None) -> bytes | None:
    """Read a sample file, if any, or raise InputError."""
    try:
        return path.read_bytes() if path else None
    except OSError as error:
        raise InputError(f"The smoke sample {path} cannot be read: {error.strerror}", "Correct its path.") from error
