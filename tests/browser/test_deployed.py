"""The page of a model that was deployed: at the address that the run printed, on port 80, in a real browser."""

import re
from typing import Any
from urllib.parse import urlsplit

from rig.chromium import Page
from tests.integration.test_main_path import post_file
from tests.rig.command import Cli


def test_the_printed_address_is_the_models_page(cli: Cli, example: Any, page: Page) -> None:
    folder = example("is-prime")
    done = cli.run(folder, "--image-version", "5")
    assert (done.code, done.report["outcome"]) == (0, "deployed"), done.verdict + done.log
    assert post_file(done.report["url"], folder / "smoke" / "input.txt").strip()
    url = done.report["url"]
    assert re.search(rf"^url +{re.escape(url)}$", done.verdict, re.MULTILINE)
    assert (urlsplit(url).scheme, urlsplit(url).port) == ("http", None)

    page.open(f"{url}/")
    assert "is-prime" in page.text("header") and "5" in page.text("header")
    shown = page.value("[...document.querySelectorAll('nav a')].map(link => link.innerText)")
    assert shown[:4] == ["Dashboard", "Upload Data", "Current Jobs", "Swagger"]
    assert "text/plain" in page.text("main")
    assert page.errors == []
