"""What a new leader must know: which agents were admitted, unreachable or gone, and the operators' settings.

Edits are pure functions on the contents; the registrar batches and stores them. Knows nothing of records or messages.
"""
