"""Bytes to messages and back, without IO: feed bytes, get messages.

May use model, protos and errors; must not know of sockets, clocks or actors.
"""
