"""HTTP and WebSocket: the ports (``port``), their adapters (``http``, ``memory``), SignalR framing (``signalr``)."""
