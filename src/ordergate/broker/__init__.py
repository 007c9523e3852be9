"""The last hop: what leaves for the broker, and what the broker says.

approvals.py             signed, single-use, expiring permission for one exact request
admission.py             the one rule: no valid approval, no place, no modify (pure)
used_approvals.py        which approvals were used, durable before the request leaves
connection_manager.py    commands in, requests out, reports back
lanes.py                 entries and exits travel side by side
reading.py               snapshots and look-ups over REST
link.py                  whether we see the broker
endpoints.py             health and balance over HTTP
projectx/                the ProjectX Gateway API (TopstepX)
"""
