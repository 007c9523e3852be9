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
    projectx/                the ProjectX Gateway API (TopstepX)

    endpoints.py             health and balance over HTTP (pure)
"""
