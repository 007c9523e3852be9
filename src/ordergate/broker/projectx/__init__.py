"""The ProjectX Gateway API (TopstepX), client side.

    client.py       the endpoints, and what each answer proves about an order
    rest.py         one request: room, deadline, status, envelope
    budget.py       the broker's request limit, kept on our side (pure)
    session.py      the token
    hubs.py         SignalR, kept connected and subscribed
    feeds.py        hub events to reports and quotes
    catalogue.py    the contracts we know
    paging.py       all rows of a search that may be cut (pure)
    backoff.py      how long to wait before trying again
    translate.py    the wire to core reports, core terms to the wire (pure)
    messages.py     the wire, as the broker writes it

Facts about the broker cite "ProjectX API notes": the project's digest of the vendor's documents and of captured
traffic, dated 2026-11-22.
"""
