"""Step 5, record: durable before any effect leaves."""
