"""The executor's side: one session actor, two transports, and the classic blocking driver."""
