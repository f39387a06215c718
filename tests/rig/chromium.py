"""A real browser for tests and for the README's pictures: headless Chromium, driven over its DevTools protocol.

Source of the commands: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from websockets.sync.client import connect

from machine import debian
from machine.host import MachineError, is_root, parse_os_release

if TYPE_CHECKING:
    from collections.abc import Iterator

    from websockets.sync.client import ClientConnection

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
START_SECONDS = 30
ANSWER_SECONDS = 20
#: The browser's words for a page that is being left while it is asked.
_LEFT = ("target navigated or closed", "context was destroyed", "Cannot find context")
FLAGS = (
    "--headless",
    "--no-sandbox",  # root, as in a container, cannot have Chromium's own
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    # A test that counts requests to other hosts must not count Chromium's own.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)

# Windows' code and the character of keys that have a name.
KEYS = {"Tab": (9, ""), "Enter": (13, "\r"), "ArrowDown": (40, ""), "ArrowUp": (38, "")}

# Where a person would click: an element that still moves would be missed, and a page that updates itself replaces it.
_PLACE = """async (selector) => {
  let element, covered = 0;
  const middle = () => {
    element = document.querySelector(selector);
    element.scrollIntoView({ block: "nearest" });
    const box = element.getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2];
  };
  for (let before = null, now = middle(); ; before = now, now = middle()) {
    if (before && before[0] === now[0] && before[1] === now[1]) {
      if (element.contains(document.elementFromPoint(...now))) return now;
      if (++covered > 100) throw new Error("something lies over it");
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}"""


def ensure_chromium() -> str:
    """Return the path of Chromium, installed from Debian's packages when absent.

    Raises:
        MachineError: this machine cannot have it; says what to do.
    """
    if found := _find():
        return found
    release = Path("/etc/os-release")
    if not is_root() or not release.exists() or parse_os_release(release.read_text()).get("ID") != "debian":
        raise MachineError(
            "Chromium is needed for the browser tests and is installed for root on Debian only: install it."
        )
    debian.refresh()
    debian.install("chromium")
    found = _find()
    if not found:
        raise MachineError("Debian's package chromium is installed, but there is no program chromium on PATH.")
    return found


class Connection:
    """Commands to a browser, or to one tab of it."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._last = 0

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command and return its result.

        Raises:
            RuntimeError: the browser refused it.
            TimeoutError: no answer came.
        """
        self._last += 1
        self._socket.send(json.dumps({"id": self._last, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=ANSWER_SECONDS))
            if message.get("id") == self._last:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return dict(message["result"])
            self._note(message.get("method", ""), message.get("params", {}))

    def _note(self, method: str, said: dict[str, Any]) -> None:
        """Take what was not asked for."""


#: What breaks off requests when a network of the engine comes or goes; the pages ask again.
_NETWORKS = "net::ERR_NETWORK_CHANGED"


class Page(Connection):
    """One tab. Every wait has a deadline; `errors` and `requests` fill while commands are sent and answered."""

    def __init__(self, socket: ClientConnection) -> None:
        super().__init__(socket)
        self.errors: list[str] = []  # what the console shows in red
        self.requests: list[str] = []  # addresses, in order
        for domain in ("Page", "DOM", "Network", "Runtime", "Log"):
            self.send(f"{domain}.enable")

    def press(self, key: str) -> None:
        """Press a key of the keyboard and let it go: a name in KEYS, or one character."""
        code, text = KEYS.get(key, (0, key))
        known = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.send("Input.dispatchKeyEvent", type="keyDown", text=text, **known)
        self.send("Input.dispatchKeyEvent", type="keyUp", **known)

    def dark(self) -> None:
        """Set the dark theme."""
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])

    def size(self, width: int, height: int, dots: float = 1) -> None:
        """Set the window's inner size in CSS pixels, how many dots each is wide, and the light theme."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": dots, "mobile": False}
        self.send("Emulation.setDeviceMetricsOverride", **metrics)
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "light"}])

    def open(self, url: str, *, lands_on: str = "") -> None:
        """Go to an address and wait until the page, or the one it redirects to, and what it embeds are loaded."""
        self.value("window.isLeft = true")
        answer = self.send("Page.navigate", url=url)
        if failed := answer.get("errorText"):
            raise RuntimeError(f"{url}: {failed}")
        if "loaderId" not in answer:  # another place of the same page
            self.value("window.isLeft = false")
        place = json.dumps(lands_on or url)
        self.wait(f"!window.isLeft && location.href === {place} && document.readyState === 'complete'")

    def value(self, expression: str) -> Any:
        """Return a JavaScript expression's value in the page, as JSON can carry it."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']['exception'].get('description')}")
        return answer["result"].get("value")

    def wait(self, condition: str, seconds: float = 20) -> None:
        """Wait until a JavaScript expression is true.

        Raises:
            TimeoutError: it did not become so; tells what the page shows.
        """
        deadline = time.monotonic() + seconds
        while not self._holds(condition):
            if time.monotonic() > deadline:
                text = self.value("document.body.innerText")
                raise TimeoutError(f"not within {seconds} s: {condition}\nThe page shows:\n{text}")
            time.sleep(0.05)

    def _holds(self, condition: str) -> bool:
        """Tell whether an expression is true; of a page that is just being left, nothing is."""
        try:
            return bool(self.value(f"Boolean({condition})"))
        except RuntimeError as error:
            if any(words in str(error) for words in _LEFT):
                return False
            raise

    def text(self, selector: str) -> str:
        """Return what a person reads in an element: nothing where it is hidden."""
        found = f"document.querySelector({json.dumps(selector)})"
        return str(self.value(f"{found}.checkVisibility() ? {found}.innerText : ''"))

    def choose_file(self, selector: str, path: Path) -> None:
        """Choose a file in an <input type=file>, as the file dialogue would."""
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.send("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def click(self, selector: str) -> None:
        """Click in the middle of an element with the mouse, once it stands still.

        Raises:
            RuntimeError: it is not there, or something else lies over it.
            TimeoutError: it does not come to rest.
        """
        x, y = self.value(f"({_PLACE})({json.dumps(selector)})")
        for event in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=event, x=x, y=y, button="left", clickCount=1)

    def follow(self, selector: str, *, key: str = "") -> None:
        """Click on what leads to another page, or focus it and press `key`; wait until that page is loaded.

        The page that is being left answers for a moment more, also when it leads to itself.

        Raises:
            RuntimeError: it is not there, or something else lies over it.
            TimeoutError: no other page came.
        """
        self.value("window.isLeft = true")
        if key:
            self.value(f"document.querySelector({json.dumps(selector)}).focus()")
            self.press(key)
        else:
            self.click(selector)
        self.wait("!window.isLeft && document.readyState === 'complete'")

    def picture(self, path: Path) -> None:
        """Write what the window shows as PNG."""
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))

    def _note(self, method: str, said: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requests.append(said["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(str(said["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and said["type"] in ("error", "assert"):
            self.errors.append(str([value.get("value", value.get("description")) for value in said["args"]]))
        elif (
            method == "Log.entryAdded" and said["entry"]["level"] == "error" and _NETWORKS not in said["entry"]["text"]
        ):
            self.errors.append(f"{said['entry']['text']} {said['entry'].get('url', '')}")


@dataclass(frozen=True)
class Browser:
    """A running Chromium."""

    address: str  # of its DevTools, as a WebSocket
    path: str  # there, of the whole browser

    @contextlib.contextmanager
    def page(self, width: int = 1100, height: int = 800) -> Iterator[Page]:
        """Open a tab that shares no cookies, storage and cache with others; it ends with the block."""
        with connect(f"{self.address}{self.path}", max_size=None, proxy=None) as whole:
            browser = Connection(whole)
            context = browser.send("Target.createBrowserContext")["browserContextId"]
            made = browser.send("Target.createTarget", url="about:blank", browserContextId=context)
            tab = f"{self.address}/devtools/page/{made['targetId']}"
            try:
                with connect(tab, max_size=None, proxy=None) as socket:
                    page = Page(socket)
                    page.size(width, height)
                    yield page
            finally:
                browser.send("Target.disposeBrowserContext", browserContextId=context)


@contextlib.contextmanager
def open_browser() -> Iterator[Browser]:
    """Start a Chromium with an empty profile; it ends with the block.

    Raises:
        MachineError: there is no Chromium, or it does not start.
    """
    program = ensure_chromium()
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as folder:
        profile = Path(folder)
        with (profile / "log").open("wb") as log:
            process = subprocess.Popen(
                [program, *FLAGS, f"--user-data-dir={profile / 'profile'}", "about:blank"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            yield _started(process, profile)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _find() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def _started(process: subprocess.Popen[bytes], profile: Path) -> Browser:
    """Return the browser once it has written which port it took, and the path of its WebSocket."""
    note = profile / "profile" / "DevToolsActivePort"
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        port, _, path = note.read_text().partition("\n") if note.exists() else ("", "", "")
        if path:
            return Browser(f"ws://127.0.0.1:{port}", path)
        time.sleep(0.05)
    tail = " | ".join((profile / "log").read_text(errors="replace").splitlines()[-3:])
    raise MachineError(f"Chromium did not start: {tail}")
