"""Where Redis is, and as whom we speak to it. Says nothing of a password, in no text and no error.

Knows no Redis library, so that a configuration can be read without one.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from ordergate.errors import InputRefused

_DATABASE_MAX = 1_000_000  # what a server has is its own setting (``databases``, 16 by default)
_FORM = "redis[s]://[user[:password]@]host[:port][/db]"


class RedisAddress(msgspec.Struct, frozen=True):
    """``certificates`` is a file of those that sign the server's, in PEM; without it the machine's own are asked.

    ``str`` of it is for people, and has no password; ``repr`` neither.
    """

    host: str = "localhost"
    port: int = 6379
    db: int = 0
    username: str | None = None
    password: str | None = None
    tls: bool = False
    certificates: str | None = None

    def __str__(self) -> str:
        user = f"{self.username}@" if self.username else ""
        return f"{'rediss' if self.tls else 'redis'}://{user}{self.host}:{self.port}/{self.db}"

    __repr__ = __str__


def redis_address(url: str, field: str = "REDIS_URL") -> RedisAddress:
    """The address that ``url`` is: ``rediss`` is TLS, and its query may be ``ssl_ca_certs=FILE``.

    Raises ``InputRefused`` with the code BAD_REDIS_URL and ``field``.
    """

    def refused(what: str) -> InputRefused:
        return InputRefused("BAD_REDIS_URL", f"{field} {what}; the form is {_FORM}", field)

    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 6379
    except ValueError:
        # Not the error's own text: it shows what it could not read, and that may be a password.
        raise refused("has no host and port that can be read (escape / @ : ? # in a password)") from None
    if parts.scheme not in ("redis", "rediss") or not host or parts.fragment:
        raise refused("is no Redis address")
    db = parts.path.removeprefix("/") or "0"
    if not (db.isascii() and db.isdecimal() and int(db) <= _DATABASE_MAX):
        raise refused("has no database number after the port")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    certificates = query.pop("ssl_ca_certs", None)
    if query or (certificates is not None and parts.scheme != "rediss"):
        raise refused("has a query that is not understood; ssl_ca_certs=FILE of a rediss address is")
    return RedisAddress(
        host=host,
        port=port,
        db=int(db),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        tls=parts.scheme == "rediss",
        certificates=certificates,
    )
