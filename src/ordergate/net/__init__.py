"""HTTP and WebSocket: the ports (``port``), their adapters (``http``, ``memory``), SignalR framing (``signalr``).

What every server of ours shares stands here too: who may speak to it (``guard``), and how it reads a body (``body``).
"""
