"""How long the core waits for what, in nanoseconds. Each number says why it is that number."""

from __future__ import annotations

_MS = 1_000_000

# A place or modify without any outcome: longer than the client's own deadline (10 s), so its answer comes first.
ANSWER_WAIT_NS = 15_000 * _MS
# A balance that moved before its trade was told: longer than the two events of one fill are apart.
BALANCE_WAIT_NS = 5_000 * _MS
# In doubt (design, section 7): new risk needs three absent reads over 10 s, a protective stop two, 500 ms apart; and so
# does a leg that stands in the way of an exit, which could not close while the leg may fill.
DOUBT_READ_NS = 5_000 * _MS
DOUBT_READS = 3
URGENT_DOUBT_READ_NS = 500 * _MS
URGENT_DOUBT_READS = 2
# An unproven modify: of a leg it is read back twice, a second apart (an order round trip with a wide margin); of any
# other order like an order in doubt, for until then it counts with the larger size.
CHANGE_READ_NS = 1_000 * _MS
CHANGE_READS = 2
# A cancel that changed nothing is sent again; cancelling twice does no harm. But the cancels of one flatten whose ends
# were lost on the way, each sent every 2 s, use up the requests with which those ends would be read: up to 32 s apart.
CANCEL_RETRY_NS = 2_000 * _MS
CANCELS_DOUBLED_MAX = 4
# Between an order row that shows a fill and the fill itself: the hub sends both within tens of milliseconds.
FILL_WAIT_NS = 1_000 * _MS
# A snapshot is five REST calls with a deadline of 10 s each; asked again when none came.
SNAPSHOT_WAIT_NS = 15_000 * _MS
# Flatten waits this long for its cancels before it closes at the proven size (issue: up to 500 ms).
CLEARING_NS = 500 * _MS
EXIT_ROUNDS = 3
# An exit of our own that was given up is begun again: soon, for nothing protects the position, but not in a loop of
# readings.
EXIT_RETRY_NS = 5_000 * _MS
# Resizes of one bracket coalesce (design, section 6: one per 250 ms).
RESIZE_GAP_NS = 250 * _MS
# A change that is refused again and again waits twice as long each time, up to 16 s between two tries.
REFUSALS_DOUBLED_MAX = 6
# After a refused stop, the next try: long enough for the market to pass a rejected price, short for a naked position.
STOP_RETRY_NS = 500 * _MS
STOP_ATTEMPTS = 3
# After a refused target, or one of those that somebody else cancels one after the other: nothing is unprotected without
# it, and what was refused once mostly is again.
TARGET_RETRY_NS = 5_000 * _MS
# An accepted stop that the hub has not shown: read over REST. Both tell within tens of milliseconds.
REST_READ_NS = 1_000 * _MS
REST_READ_MAX_NS = 15_000 * _MS
# From a fill to a stop that rests (faults, invariant I5): an order's round trip, the hub's word and one more try.
PROTECT_WITHIN_NS = 2_000 * _MS
# The children of a native bracket show some 20 ms after the fill (API notes, section 6); then we place them ourselves.
NATIVE_WAIT_NS = 1_000 * _MS
# Another engine makes its legs as the fill happens; what comes later is a person's own order.
FOREIGN_NS = 3_000 * _MS
# Between two moves of a trailing stop, times the stops that trail: together one a second is 60 of the broker's 200
# requests a minute. A market that runs is followed in larger moves; the stop that rests meanwhile is the older one.
TRAIL_GAP_NS = 1_000 * _MS
# How far the broker's clock and ours may be apart where the instants of both are compared.
CLOCKS_APART_NS = 60_000 * _MS
# An account that holds something, or has orders that work, is read from time to time whatever was told: a stream that
# loses an event says nothing of it. Five requests; twenty such accounts use a quarter of the broker's 200 a minute.
REVIEW_NS = 120_000 * _MS
