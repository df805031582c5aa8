"""Load drivers: fake agents and schedulers on raw sockets, and a cluster whose CPU is metered from /proc."""
