"""Offers: made of what the allocator gives, taken back, declined, accepted; and the operations an acceptance carries.

An ACCEPT is one transaction: offers are checked, resources read, operations applied in order on what is left, and the
rest goes back to the allocator.
"""
