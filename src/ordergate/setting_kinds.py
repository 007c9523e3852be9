"""How the text of a setting becomes its value: ports, dollars, lists, windows. Pure.

Invariant: what cannot be read raises ``ValueError``, or is told as a mistake; nothing unreadable becomes another value.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from ordergate.bus.address import RedisAddress, redis_address
from ordergate.core.contracts import PRODUCT_BY_SYMBOL
from ordergate.core.instrument import QUANTITY_MAX
from ordergate.core.limits import Blackout
from ordergate.core.pace import KEPT_MAX
from ordergate.errors import InputRefused
from ordergate.exchange.variants import Variant


class Kind(msgspec.Struct, frozen=True):
    """How a value is read.

    ``parse`` raises ``ValueError`` for a text that is not ``allowed``; ``written_as`` are the types it may have in the
    file, and ``placeholder`` stands for it in the help. What is ``secret`` is never shown.
    """

    parse: Callable[[str], object]
    allowed: str
    placeholder: str
    written_as: tuple[type, ...]
    secret: bool = False

    def mistake(self, label: str, value: object) -> str:
        """That ``value``, given as ``label``, cannot be read."""
        return f"{label} is {'not shown here' if self.secret else shown(value)}: it must be {self.allowed}"


class Fraction(str):
    """A number with a point or exponent, as the file writes it: a float would round it."""

    __slots__ = ()


_WORD_MAX = 200  # characters: longer than any name or key of the broker's
_SHOWN_MAX = 80  # characters of a bad value: enough to recognise it
_TOML_TYPES = {
    bool: "a truth value",
    dict: "a table",
    int: "a whole number",
    list: "a list",
    str: "text",
    Fraction: "a number",
}


def written(kind: Kind, label: str, value: object, mistakes: list[str]) -> str | None:
    """A value of the file as a text, if it has a type that it may have."""
    if type(value) not in kind.written_as:
        is_shown = "" if kind.secret else f", {shown(value)}"
        mistakes.append(f"{label} is {type_name(value)}{is_shown}: it must be {kind.allowed}")
        return None
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def value_of(kind: Kind, label: str, value: object, mistakes: list[str]) -> Any:
    """A value of the file as it is read; None where it cannot be."""
    text = written(kind, label, value, mistakes)
    if text is None:
        return None
    try:
        return kind.parse(text)
    except ValueError:
        mistakes.append(kind.mistake(label, text))
        return None


def type_name(value: object) -> str:
    """What a value of the file is, as TOML calls it."""
    return _TOML_TYPES.get(type(value), "a date or time")


def one_line(text: str) -> str:
    """A name that somebody else chose, fit for one line."""
    return text if text.isprintable() else repr(text)


# To the last @: a password may hold any sign.
_USER = re.compile(r"://.*@")
_QUERY = re.compile(r"(?<=://)([^?]*)\?.*")


def shown(value: object) -> str:
    """A value that somebody else chose, fit for one line: of an address neither user nor query, which may be secret."""
    text = _QUERY.sub(r"\1?...", _USER.sub("://...@", repr(value)))
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}..."


def whole(low: int, high: int, of: str = "") -> Kind:
    def parse(text: str) -> int:
        if re.fullmatch(r"[0-9]{1,19}", text, re.ASCII) is None or not low <= int(text) <= high:
            raise ValueError
        return int(text)

    return Kind(parse, f"a whole number{of and f' of {of}'} from {low} to {high}", "N", (int,))


def amount(low: str, high: str, of: str) -> Kind:
    def parse(text: str) -> Decimal:
        # Four places are finer than a cent and than a hundredth of a percent; no exponent, no sign, no NaN.
        if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,4})?", text, re.ASCII) is None:
            raise ValueError
        if not Decimal(low) <= Decimal(text) <= Decimal(high):
            raise ValueError
        return Decimal(text)

    return Kind(parse, f"a number of {of} from {low} to {high}, with up to 4 decimals", "X", (int, Fraction))


def _balance(text: str) -> Decimal:
    size = DOLLARS_OR_NONE.parse(text.removeprefix("-"))
    assert isinstance(size, Decimal)
    return -size if text.startswith("-") else size


def one_of(words: type[enum.Enum]) -> Kind:
    allowed = [word.value for word in words]
    return Kind(lambda text: words(text.lower()), f"one of {', '.join(allowed)}", "|".join(allowed), (str,))


def _symbols(text: str) -> tuple[str, ...]:
    symbols = tuple(dict.fromkeys(symbol.strip() for symbol in text.split(",")))
    if not all(symbol in PRODUCT_BY_SYMBOL for symbol in symbols):
        raise ValueError
    return symbols


def _symbol(text: str) -> str:
    if text not in PRODUCT_BY_SYMBOL:
        raise ValueError
    return text


def _variants(text: str) -> tuple[Variant, ...]:
    return tuple(dict.fromkeys(Variant(word.strip()) for word in text.split(",")))


def _switch(text: str) -> bool:
    # "False", "0" and "no" meant true in the documented runner (wire notes, section 4, 2026-11-22): nobody can tell
    # what they are meant to mean here.
    if text not in {"true", "false"}:
        raise ValueError
    return text == "true"


def _path(text: str) -> Path:
    # A "~" that no shell has expanded would become a folder of that name.
    if not text or text.startswith("~") or not text.isprintable():
        raise ValueError
    return Path(text)


def _url(text: str) -> str:
    if re.fullmatch(r"https?://[A-Za-z0-9.\-\[\]:]+(/[A-Za-z0-9._~\-/]*)?", text, re.ASCII) is None:
        raise ValueError
    return text.rstrip("/")


def _secret_url(text: str) -> str:
    if re.fullmatch(r"https?://[A-Za-z0-9.\-\[\]:]+(/[^\s#]*)?", text, re.ASCII) is None:
        raise ValueError
    return text


def _redis(text: str) -> RedisAddress:
    try:
        return redis_address(text)
    except InputRefused:
        raise ValueError from None  # its text may hold the password


def _word(text: str) -> str:
    if not 1 <= len(text) <= _WORD_MAX or not text.isprintable():
        raise ValueError
    return text


def _blackouts(text: str) -> tuple[Blackout, ...]:
    windows = []
    for part in text.split(","):
        found = re.fullmatch(r"(?:(\d{4}-\d\d-\d\d) )?(\d\d:\d\d)-(\d\d:\d\d)", part.strip(), re.ASCII)
        if found is None or found[2] == found[3]:
            raise ValueError
        start, end = time.fromisoformat(found[2]), time.fromisoformat(found[3])
        windows.append(Blackout(start, end, date.fromisoformat(found[1]) if found[1] else None))
    return tuple(windows)


def _moment(text: str) -> int:
    """In nanoseconds since 1970."""
    if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text, re.ASCII) is None:
        raise ValueError
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000_000


def _time(text: str) -> time | None:
    if text.lower() == "off":
        return None
    if re.fullmatch(r"\d\d:\d\d", text, re.ASCII) is None:
        raise ValueError
    return time.fromisoformat(text)


PORT = Kind(whole(0, 65_535).parse, "a port number from 0 to 65535, 0 = any free one", "PORT", (int,))
CONTRACTS = whole(1, QUANTITY_MAX, "contracts")
DOLLARS = amount("0.01", "1000000000", "US dollars")
DOLLARS_OR_NONE = amount("0", "1000000000", "US dollars")
BALANCE = Kind(
    _balance,
    "a balance of US dollars up to 1000000000, below 0 with a minus sign, with up to 4 decimals",
    "X",
    (int, Fraction),
)
WIDE_PERCENT = amount("0.01", "1000", "percent")
RATE = whole(1, KEPT_MAX, "orders")
RATIO = amount("0.1", "100", "stop distances")
SYMBOLS = Kind(_symbols, f"a list out of {', '.join(PRODUCT_BY_SYMBOL)}", "SYMBOL,SYMBOL", (list,))
VARIANTS = Kind(
    _variants, f"a list out of {', '.join(variant.value for variant in Variant)}", "VARIANT,VARIANT", (list,)
)
SYMBOL = Kind(_symbol, f"one of {', '.join(PRODUCT_BY_SYMBOL)}", "SYMBOL", (str,))
SWITCH = Kind(_switch, "true or false", "true|false", (bool,))
URL = Kind(_url, "an address as https://host:port/path, without user and query", "URL", (str,))
SECRET_URL = Kind(
    _secret_url, "an address as https://host:port/path, with a query if need be", "URL", (str,), secret=True
)
REDIS = Kind(
    _redis,
    "an address as redis[s]://[user[:password]@]host[:port][/db], with ?ssl_ca_certs=FILE if need be",
    "URL",
    (str,),
    secret=True,
)
WORD = Kind(_word, "one line of up to 200 characters", "TEXT", (str,))
SECRET = Kind(_word, WORD.allowed, "TEXT", (str,), secret=True)
PATH = Kind(_path, "a path, in which ~ has no meaning", "PATH", (str,))

MOMENT = Kind(_moment, "an instant as 2026-11-23T14:30:00Z", "INSTANT", (str,))
TIME = Kind(_time, "a time as HH:MM, or off", "HH:MM|off", (str,))
BLACKOUTS = Kind(
    _blackouts,
    "a list of HH:MM-HH:MM for every day and YYYY-MM-DD HH:MM-HH:MM for one, which may end past midnight",
    "WINDOW,WINDOW",
    (list,),
)
