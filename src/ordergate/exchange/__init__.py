"""A simulated TopstepX: the ProjectX Gateway API over REST and SignalR, with its own market, accounts and file.

An order flows down this list:

    settings.py      everything that can be chosen, with its unit and default; variants.py what may be otherwise
    server.py        the part of a process: one port, the market's clock; ``Exchange`` is for the composition root
    rest.py          a request to its endpoint and back; requests.py its body, auth.py and throttle.py its doors
    enquiries.py     the endpoints that only read; bars.py and tape.py make their bars
    hubs.py          the two SignalR hubs: who is subscribed to what
    connection.py    one client of a hub
    venue.py         THE DESK: takes requests, one turn each
    placing.py       why an order is rejected
    brackets.py      the children of an entry
    pit.py           where orders meet the market's steps
    matching.py      orders against one quote
    fills.py         what a match changes; accounts.py does the money
    firm.py          what Topstep does about limits, which topstep.py knows
    market.py        where quotes come from: a random walk; levels.py says where each product starts and what it goes
                     with, activity.py how busy its day is
    replay.py        or recorded data, which recording.py reads; recorded_bars.py makes quotes and trades of minutes
    turn.py          the changes of one request or step: stored first, then true, then told
    store.py         the port of the file, and its twin in memory; sqlite.py is the file
    models.py        the API's messages, enums.py its numbers; wire.py makes them from ours

    admin.py         ``/sim/``: faults.py and outage.py, what goes wrong on demand; panel.py and static/, its page

    listing.py       contracts: which are listed, how prices become ticks
    orders.py        an order as the exchange keeps it
    hours.py         when the market is open

All but server, rest, hubs, outage, admin, venue, pit, firm, recording and the stores are pure.

It knows nothing of the gate: it imports only ``core.contracts``, ``net``, ``clock`` and ``errors``. The specification
is the ProjectX API notes of 2026-11-22; "section 5.4" in this folder means theirs.
"""
