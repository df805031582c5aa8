"""Frameworks: how they come (subscribe, fail over), change, lose their connection and go.

A framework is in exactly one lifecycle state; its offers and tasks are the business of the packages below.
"""
