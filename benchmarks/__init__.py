"""Benchmarks: whole clusters under load, driven over the real wire, and the hot parts alone. Run with `make bench`."""
