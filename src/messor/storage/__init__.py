"""What must survive a restart: named values with versions, stored only if nobody else did in between.

Knows nothing of what the bytes mean.
"""
