"""Step 2, travel: orders in, commands out, reports back, events to the page."""
