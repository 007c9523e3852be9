"""Where the real service may do otherwise: what the API notes do not know, or know in two ways.

Without a variant the exchange does what the evidence supports best. With it, the other thing; so a client can be tried
against every possibility. Numbers are those of section 13.
"""

from __future__ import annotations

import enum


class Variant(enum.Enum):
    """One thing that is done otherwise."""

    BARE_EVENTS = "bare_events"
    """User events are the bare object, as the docs show, without ``{action, data}`` around it (3)."""
    HUB_SNAPSHOTS = "hub_snapshots"
    """A subscription is first told what there is: accounts, open orders, positions (1)."""
    EXPIRY_ENDS_SOCKETS = "expiry_ends_sockets"
    """A hub connection ends when the token that opened it expires (2)."""
    LOGIN_ENDS_OTHERS = "login_ends_others"
    """A login makes the user's older tokens invalid and tells GatewayLogout on their connections (section 9, row 9)."""
    EXPIRED_VALIDATES = "expired_validates"
    """Auth/validate answers an expired token with 200 and code 3, instead of 401 (section 3)."""
    LOCKED_IS_REJECTED = "locked_is_rejected"
    """A place in a locked account is answered with code 10 instead of 4 (4)."""
    STOP_LIMITS = "stop_limits"
    """Stop limit orders are taken (5)."""
    NO_JOINS = "no_joins"
    """Orders that join a touch are rejected (5)."""
    LEG_SIZE_FIXED = "leg_size_fixed"
    """The size of a bracket's leg cannot be modified (6)."""
    SUSPENDED_MODIFY = "suspended_modify"
    """A leg that sleeps takes a price, and wakes up at it (6)."""
    LEG_CANCEL_TAKES_BOTH = "leg_cancel_takes_both"
    """Cancelling one leg of a bracket cancels the other (6)."""
    EXIT_TAKES_LEGS = "exit_takes_legs"
    """Once a position is flat the bracket legs of its contract are cancelled, however it was closed (section 6)."""
    CLOSE_TAKES_LEGS = "close_takes_legs"
    """Position/closeContract cancels the bracket legs of its contract (section 6)."""
    UNSIGNED_TICKS = "unsigned_ticks"
    """The ticks of a bracket may have either sign: which way they go follows from the leg (7)."""
    BRACKET_MINIMUM = "bracket_minimum"
    """A bracket's leg is at least 4 ticks away (section 6)."""
    FIXED_WINDOW = "fixed_window"
    """Requests are counted in windows that begin with the first request and end all at once (8)."""
    LIMITS_BY_TOKEN = "limits_by_token"  # noqa: S105 - no password
    """Each token has request limits of its own, instead of each user (8)."""
    RETRY_AFTER = "retry_after"
    """429 says in Retry-After how many seconds to wait (8)."""
    SHORT_PAGES = "short_pages"
    """Order/search and Trade/search answer no more than 100 rows, the newest (9)."""
    DEPTH_CHANGES = "depth_changes"
    """A depth entry's ``volume`` is by how much the level changed; ``currentVolume`` stays what there is (10)."""
    ANY_PRICE = "any_price"
    """A price may be as far from the market as it likes, instead of 20 % (section 4.1: "too far")."""
    SHORT_TAGS = "short_tags"
    """An order with a tag of more than 32 characters is rejected (11)."""
    PING_NEEDS_TOKEN = "ping_needs_token"  # noqa: S105 - no password
    """Status/ping wants a token (12)."""
    NULLS_OMITTED = "nulls_omitted"
    """REST leaves out members that are null, as the hubs do (13)."""
    NO_ORDER_QUERIES = "no_order_queries"
    """Order/searchById and Order/v2/query do not exist (14)."""
    LIVE_FUNDED = "live_funded"
    """Accounts are live, ``simulated`` is false, and cancel is answered with code 6 (15)."""
    FOLLOWER = "follower"
    """Accounts follow another: cancel is answered with code 6 (section 5.4)."""
    GONE_IS_UNKNOWN_ERROR = "gone_is_unknown_error"
    """Cancelling an order that has ended is answered with code 5 instead of 2 (section 5.4)."""
    COMMISSIONS_APART = "commissions_apart"
    """A trade tells 0.25 of the fee for each contract as commission, and the rest as fee (16, seen on MNQ)."""
