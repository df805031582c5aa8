"""The v1 API: its messages and its interface, for programs that spell agents as the HTTP API does."""
