"""The last hop: what leaves for the broker, and what the broker says.

A command flows down this list:

    lanes.py                 entries and exits travel side by side
    connection_manager.py    THE LAST HOP: commands in, requests out, outcomes back
    approvals.py             signed, single-use, expiring permission for one exact request
    admission.py             the one rule: no valid approval, no place, no modify (pure)
    used_approvals.py        which approvals were used, durable before the request leaves
    reading.py               snapshots, look-ups, and whether a closing order still closes
    connection.py            one login kept connected: contracts, accounts, both hubs
    link.py                  whether we see the broker
    untold.py                what the user hub has yet to speak of (pure)
    session_checks.py        contracts, prices and clock_watch.py: whether they are as this desk reckons
    projectx/                the ProjectX Gateway API (TopstepX)

What is told of it, over HTTP on port 7500:

    endpoints.py             the documented calls; a change is asked of the gate
    rows.py                  what they answer with (pure)
    view.py                  what the broker shows, kept from what is heard anyway
    health.py                each part, by what was seen of it, and every number of it (pure)
    gate_line.py             whether the gate lives, and what it answers
"""
