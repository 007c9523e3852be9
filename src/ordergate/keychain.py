"""The login's API key, from where the settings say it is: themselves, or the operating system's keyring.

It is asked for only by what logs in: an unlocked keyring asks its owner. The key is concealed from every log at once.
"""

from __future__ import annotations

from ordergate.errors import StartRefused
from ordergate.settings import Broker
from ordergate.telemetry import conceal

SERVICE = "ordergate"


def api_key(given: Broker) -> str | None:
    """The key, None where none is set. Raises ``StartRefused`` where the keyring is to have it and has not."""
    if not given.keyring:
        return given.api_key
    if given.api_key:
        raise StartRefused("the API key is set, and projectx_keyring is true: leave out one of them")
    if not given.user_name:
        return None
    try:
        import keyring  # noqa: PLC0415 - an extra
        import keyring.errors  # noqa: PLC0415
    except ImportError:
        raise StartRefused("projectx_keyring is true: pip install 'ordergate[keyring]'") from None
    try:
        key = keyring.get_password(SERVICE, given.user_name)
    except keyring.errors.KeyringError as error:
        raise StartRefused(f"the keyring cannot be read: {error}") from error
    if not key:
        raise StartRefused(
            f"the keyring has no key of {given.user_name!r}: `keyring set {SERVICE} {given.user_name}` asks for it"
        )
    conceal(key)
    return key
