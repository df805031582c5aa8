"""Offer operations that change what the agent offers: reservations and persistent volumes."""
