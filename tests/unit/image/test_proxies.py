"""A build is told of the proxies in the environment that it can reach, and nobody may read their passwords."""

from dataclasses import replace
from itertools import pairwise

import pytest

from model_dockerize.image import build_argv, proxy_passwords, unreachable_proxies

from .test_build_argv import ENGINE, REQUEST

PROXY = "http://build:p%40ss-word@proxy.example:3128"


def told(environment: dict[str, str]) -> list[str]:
    argv = build_argv(REQUEST, replace(ENGINE, environment=environment))
    return [after for word, after in pairwise(argv) if word == "--build-arg"]


@pytest.mark.parametrize(
    ("environment", "names"),
    [
        ({}, []),
        ({"HTTPS_PROXY": "", "https_proxy": ""}, []),
        (
            {
                "http_proxy": PROXY,
                "HTTPS_PROXY": PROXY,
                "NO_PROXY": "localhost",
                "ALL_PROXY": PROXY,
                "ftp_proxy": "p:1",
            },
            ["http_proxy", "HTTPS_PROXY", "ftp_proxy", "ALL_PROXY", "NO_PROXY"],
        ),
        ({"http_proxy": "http://one:1", "HTTP_PROXY": "http://two:2"}, ["http_proxy"]),
    ],
)
def test_names_and_no_values(environment: dict[str, str], names: list[str]) -> None:
    assert told(environment) == names


@pytest.mark.parametrize(
    "address",
    [
        *("http://127.0.0.1:3128", "localhost:3128", "http://u:p@127.1.2.3", "socks5://[::1]:1080"),
        *("http://LocalHost.:1", "http://127.1:3128", "http://0.0.0.0:3128", "http://[::]:3128", "0:3128"),
    ],
)
def test_a_proxy_on_our_loopback_is_not_handed_on(address: str) -> None:
    environment = {"https_proxy": address, "no_proxy": "localhost"}
    assert told(environment) == ["no_proxy"]
    assert unreachable_proxies(environment) == ("https_proxy",)


@pytest.mark.parametrize("address", ["http://[::1", "://", "http://a:b:c@d:e", "proxy", " "])
def test_what_is_no_address_is_the_builds_to_judge(address: str) -> None:
    assert told({"https_proxy": address}) == ["https_proxy"]


def test_passwords_are_known_as_written_and_as_meant() -> None:
    assert proxy_passwords({"HTTPS_PROXY": PROXY, "NO_PROXY": "a:b@c"}) == ("p%40ss-word", "p@ss-word")
    assert proxy_passwords({"http_proxy": "http://proxy:1"}) == ()


@pytest.mark.parametrize("password", ["a/b?c#d", "a[b]c", "a@b:c"])
def test_a_password_that_should_have_been_quoted_is_one_all_the_same(password: str) -> None:
    assert proxy_passwords({"http_proxy": f"http://build:{password}@proxy.example:3128"}) == (password,)
    assert proxy_passwords({"http_proxy": f"build:{password}@proxy.example:3128"}) == (password,)
