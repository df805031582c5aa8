"""Where requests enter the master: decode, find out who asks, hand to the one component that answers."""
