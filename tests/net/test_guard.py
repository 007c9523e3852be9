"""Who may speak to the web server."""

from __future__ import annotations

import pytest

from ordergate.errors import InputRefused
from ordergate.net import guard
from ordergate.net.port import Request

HERE = "127.0.0.1:3003"


def code(**headers: str) -> str | None:
    """The code of the refusal, None where the request may pass."""
    try:
        guard.check(Request("GET", "/", headers=headers))
    except InputRefused as error:
        return error.code
    return None


@pytest.mark.parametrize(
    "host", [HERE, "localhost:3003", "LocalHost", "[::1]:3003", "[::1]", "127.0.0.1", "localhost:1"]
)
def test_a_loopback_name_is_a_host_of_ours(host: str) -> None:
    assert code(host=host) is None


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:3003",
        "127.0.0.1.evil.example:3003",
        "localhost.evil.example",
        "evil-localhost:3003",
        "127.0.0.1:3003@evil.example",
        "127.0.0.1:3003, evil.example",
        "127.0.0.1:3003\n",
        "192.168.1.7:3003",
        "0.0.0.0:3003",
        "[::]:3003",
        "127.0.0.2:3003",
        "127.0.0.1:",
        "127.0.0.1:三",
    ],
)
def test_any_other_host_is_refused_as_of_a_rebound_name(host: str) -> None:
    assert code(host=host) == "FOREIGN_HOST"


def test_a_request_without_a_host_is_refused() -> None:
    assert code() == "FOREIGN_HOST"


@pytest.mark.parametrize("origin", [f"http://{HERE}", "http://localhost:3003", "http://[::1]:3003"])
def test_the_page_of_this_server_may_ask(origin: str) -> None:
    assert code(host=HERE, origin=origin) is None


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "http://evil.example",
        "http://evil.example:3003",
        f"https://{HERE}",
        "http://127.0.0.1",
        "http://127.0.0.1:4000",
        f"http://{HERE}.evil.example",
        f"http://evil.example@{HERE}",
        f"http://{HERE}/",
        f"http://http://{HERE}",
        HERE,
        "file://",
    ],
)
def test_a_page_of_any_other_origin_may_not(origin: str) -> None:
    assert code(host=HERE, origin=origin) == "FOREIGN_ORIGIN"


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_a_post_that_says_it_is_json_passes(kind: str) -> None:
    guard.check_json(Request("POST", "/", headers={"content-type": kind}))


@pytest.mark.parametrize(
    "kind", [None, "", "text/plain", "application/x-www-form-urlencoded", "text/plain;application/json"]
)
def test_a_post_that_a_foreign_form_could_send_does_not(kind: str | None) -> None:
    headers = {} if kind is None else {"content-type": kind}
    with pytest.raises(InputRefused, match="application/json") as caught:
        guard.check_json(Request("POST", "/", headers=headers))
    assert caught.value.code == "UNSUPPORTED_MEDIA_TYPE"
