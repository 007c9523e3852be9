"""Certification: a scripted day at a venue, by which a broker's adapter proves itself. ``ordergate certify``.

How a case is played:

    command.py      the composition root: settings in, exit code and report out
    run.py          each case on its own stage, within its time, and one line as it ends
    cases/          what is certified: sentences, each with what it needs of the venue
    stage.py        what a case is given: orders to send, what was heard, what the venue can be asked to do
    heard.py        all that the port has said, as one picture (pure)
    venue.py        the ports of both ends: what a venue can be asked to do, and what opens an adapter
    report.py       the outcome as JSON and as a page (pure)

What stands behind the ports:

    sim.py          a simulated venue for each case, with what may be provoked there
    market.py       its market, which swings so that every price near it is reached (pure)
    practice.py     a practice account of TopstepX, and why another is refused
    projectx.py     the adapter of the ProjectX Gateway API
    line.py         the line to a venue, which can be cut
"""
