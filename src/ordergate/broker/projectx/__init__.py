"""The ProjectX Gateway API (TopstepX), client side.

    messages.py     the wire, as the broker writes it
    translate.py    wire to core and back (pure)
    budget.py       the broker's request limit, kept on our side (pure)
    session.py      the token
    client.py       REST
    hubs.py         SignalR
    catalogue.py    the contracts we know

Facts about the broker cite "ProjectX API notes": the project's digest of the vendor's documents and of captured
traffic, dated 2026-11-22.
"""
