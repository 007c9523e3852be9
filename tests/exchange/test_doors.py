"""Tokens, request limits, settings and the reading of requests."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordergate.errors import StartRefused
from ordergate.exchange import wire
from ordergate.exchange.auth import Tokens, derived_api_key
from ordergate.exchange.models import Empty, PlaceRequest
from ordergate.exchange.requests import Malformed, is_json, message
from ordergate.exchange.settings import ExchangeSettings
from ordergate.exchange.throttle import CALLERS_MAX, Window
from tests.exchange.support import MONDAY_NS, SECOND_NS

NOW_S = MONDAY_NS // SECOND_NS
TOKENS = Tokens(seed=1, lifetime_s=86_400)


def part(data: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=").decode()


def test_a_token_is_a_json_web_token_that_says_when_it_expires() -> None:
    header, claims, signature = TOKENS.issue("practice", MONDAY_NS).split(".")
    padded = [json.loads(base64.urlsafe_b64decode(text + "==")) for text in (header, claims)]
    assert padded[0] == {"alg": "HS256", "typ": "JWT"}
    assert (padded[1]["sub"], padded[1]["iat"], padded[1]["exp"]) == ("practice", NOW_S, NOW_S + 86_400)
    assert len(base64.urlsafe_b64decode(signature + "==")) == hashlib.sha256().digest_size


def test_a_token_is_valid_for_24_hours_and_not_longer() -> None:
    token = TOKENS.issue("practice", MONDAY_NS)
    assert TOKENS.claims(token, MONDAY_NS + 86_400 * SECOND_NS - 1) is not None
    assert TOKENS.claims(token, MONDAY_NS + 86_400 * SECOND_NS) is None


def test_a_token_outlives_a_restart_and_is_worth_nothing_elsewhere() -> None:
    token = TOKENS.issue("practice", MONDAY_NS)
    assert Tokens(seed=1, lifetime_s=60).claims(token, MONDAY_NS) is not None
    assert Tokens(seed=2, lifetime_s=60).claims(token, MONDAY_NS) is None


def test_no_other_algorithm_is_accepted() -> None:
    claims = part({"sub": "practice", "iat": 0, "nbf": 0, "exp": 2**40, "jti": "1"})
    unsigned = f"{part({'alg': 'none'})}.{claims}."
    assert TOKENS.claims(unsigned, MONDAY_NS) is None
    signed = f"{part({'alg': 'HS256'})}.{claims}"
    foreign = base64.urlsafe_b64encode(hmac.new(b"guess", signed.encode(), hashlib.sha256).digest()).decode()
    assert TOKENS.claims(f"{signed}.{foreign}", MONDAY_NS) is None


@given(st.text(max_size=60))
def test_whatever_is_shown_as_a_token_is_refused_in_peace(text: str) -> None:
    assert TOKENS.claims(text, MONDAY_NS) is None


@given(st.integers(0, 300), st.characters())
def test_a_token_with_any_character_changed_is_refused(place: int, character: str) -> None:
    token = TOKENS.issue("practice", MONDAY_NS)
    place %= len(token)
    changed = token[:place] + character + token[place + 1 :]
    same = changed == token
    # The last character of a part carries spare bits, which a decoder ignores and this one must not.
    assert (TOKENS.claims(changed, MONDAY_NS) is not None) is same


def test_bytes_of_a_header_that_are_no_text_are_refused_in_peace() -> None:
    assert TOKENS.claims("a.b.\udcff", MONDAY_NS) is None
    assert TOKENS.claims("\udcff.b.c", MONDAY_NS) is None


def test_the_api_key_follows_from_the_seed() -> None:
    assert derived_api_key(1) == derived_api_key(1) != derived_api_key(2)
    assert len(derived_api_key(1)) == 44


def test_a_window_admits_its_number_and_again_as_it_slides() -> None:
    window = Window(requests_max=3, window_s=60)
    assert [window.wait_s("a", at_s) for at_s in (0, 10, 20, 30)] == [0, 0, 0, 30]
    assert window.wait_s("b", 30) == 0
    assert [bool(window.wait_s("a", at_s)) for at_s in (59.9, 60, 69.9, 70)] == [True, False, True, False]


def test_a_fixed_window_begins_with_a_request_and_ends_all_at_once() -> None:
    window = Window(requests_max=2, window_s=60, fixed=True)
    assert [window.wait_s("a", at_s) for at_s in (0, 50, 55, 60, 61, 62)] == [0, 0, 5, 0, 0, 58]


def test_a_window_forgets_the_longest_unseen_user_when_there_are_too_many() -> None:
    window = Window(requests_max=1, window_s=60)
    for number in range(CALLERS_MAX + 1):
        assert window.wait_s(str(number), 0) == 0
    assert window.wait_s("0", 1) == 0
    assert window.wait_s(str(CALLERS_MAX), 1) == 59


def test_settings_that_cannot_be_are_refused_all_at_once() -> None:
    with pytest.raises(
        StartRefused,
        match=r"unknown symbol XX; 1 users with 51 accounts each are not.*quote_interval_ms 0.*latency_ms -1",
    ):
        ExchangeSettings(symbols=("XX",), account_count=51, quote_interval_ms=0, latency_ms=-1).checked()
    assert ExchangeSettings().checked() == ExchangeSettings()


PLACE = {"accountId": 1, "contractId": "c", "type": 1, "side": 0, "size": 2}


def test_names_are_read_without_case_on_both_levels_and_unknown_ones_are_ignored() -> None:
    body = {
        "ACCOUNTID": 1,
        "ContractId": "c",
        "Type": 1,
        "side": 0,
        "SIZE": 2,
        "LimitPrice": 0.1,
        "StopLossBracket": {"TICKS": -4, "Type": 4},
        "unheardOf": {"a": 1},
    }
    read = message(json.dumps(body).encode(), PlaceRequest)
    assert (read.account_id, read.size, read.limit_price) == (1, 2, Decimal("0.1"))
    assert read.stop_loss_bracket is not None
    assert (read.stop_loss_bracket.ticks, read.stop_loss_bracket.type) == (-4, 4)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"size": "2"}, "$.size"),
        ({"size": 2.0}, "$.size"),
        ({"size": 2.5}, "$.size"),
        ({"size": True}, "$.size"),
        ({"size": None}, "$.size"),
        ({"size": 2**31}, "$.size"),
        ({"accountId": 10**40}, "$.accountId"),
        ({"contractId": 5}, "$.contractId"),
        ({"limitPrice": "5.25"}, "$.limitPrice"),
        ({"limitPrice": True}, "$.limitPrice"),
        ({"stopLossBracket": {"ticks": -4}}, "$.stopLossBracket.type"),
        ({"stopLossBracket": {"ticks": "x", "type": 4}}, "$.stopLossBracket.ticks"),
        ({"stopLossBracket": 5}, "$.stopLossBracket"),
        ({"customTag": 5}, "$.customTag"),
    ],
)
def test_an_ill_typed_member_is_refused_with_its_path(changes: dict[str, object], path: str) -> None:
    with pytest.raises(Malformed) as refused:
        message(json.dumps(PLACE | changes).encode(), PlaceRequest)
    assert refused.value.path == path


@pytest.mark.parametrize("name", list(PLACE))
def test_a_missing_member_is_refused_with_its_path(name: str) -> None:
    body = {key: value for key, value in PLACE.items() if key != name}
    with pytest.raises(Malformed) as refused:
        message(json.dumps(body).encode(), PlaceRequest)
    assert refused.value.path == f"$.{name}"


@pytest.mark.parametrize(
    "body",
    [b"", b"  ", b"{", b"[]", b"5", b"null", b'"x"', b"\xff\xfe", b'{"size":NaN}', b"[" * 100_000, b'{"a":"\\ud800"}'],
)
def test_what_is_not_an_object_in_json_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        message(body, PlaceRequest)


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(Malformed):
        message(body, PlaceRequest)


def test_an_endpoint_without_a_body_takes_none_or_an_empty_object() -> None:
    assert message(b"", Empty) == message(b"{}", Empty) == Empty()


@pytest.mark.parametrize(
    ("media_type", "accepted"),
    [
        ("application/json", True),
        ("application/json; charset=utf-8", True),
        ("text/json", True),
        ("application/problem+json", True),
        ("", True),
        ("text/plain", False),
        ("application/x-www-form-urlencoded", False),
    ],
)
def test_json_media_types_are_accepted(*, media_type: str, accepted: bool) -> None:
    assert is_json(media_type) is accepted


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("29423.00", "29423"),
        ("29400", "29400"),
        ("6335.250000000", "6335.25"),
        ("0", "0"),
        ("-0.00", "0"),
        ("-49", "-49"),
    ],
)
def test_numbers_are_written_without_trailing_zeros_or_exponent(value: str, text: str) -> None:
    assert str(wire.number(Decimal(value))) == text


def test_instants_are_written_with_trimmed_fractions_and_an_offset() -> None:
    at_ns = 1_787_172_565_393_833_300
    assert wire.instant(at_ns, wire.REST_DIGITS) == "2026-08-19T20:49:25.393833+00:00"
    assert wire.instant(at_ns, wire.HUB_DIGITS) == "2026-08-19T20:49:25.3938333+00:00"
    assert wire.instant(at_ns // SECOND_NS * SECOND_NS, wire.REST_DIGITS) == "2026-08-19T20:49:25+00:00"


@pytest.mark.parametrize(
    ("text", "at_ns"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000_000),
        ("1970-01-01T00:00:01", 1_000_000_000),
        ("1970-01-01T01:00:00.5000000+01:00", 500_000_000),
        ("1970-01-02", 86_400 * 1_000_000_000),
        ("0001-01-01T00:00:00+14:00", -(2**63) + 1),
        ("9999-12-31T23:59:59Z", 2**63 - 1),
    ],
)
def test_instants_are_read_in_every_spelling_that_clients_use(text: str, at_ns: int) -> None:
    assert wire.instant_ns(text) == at_ns


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "5"])
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        wire.instant_ns(text)
