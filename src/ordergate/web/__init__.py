"""Step 1, ask: the HTTP API of port 3003. It knows the gate only by what the gate tells on the bus."""
