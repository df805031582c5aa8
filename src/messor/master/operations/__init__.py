"""Offer operations on their way: agents apply them and report, frameworks hear and acknowledge (M18)."""
