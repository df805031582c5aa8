"""The real world and the one door to it: asyncio, sockets, files, processes and time live here and nowhere above.

Actors use it only through ``host.Host``, which ``simulation.host`` implements a second time.
"""
