"""Who leads: standing for election and detecting the leading master.

``session`` keeps a ZooKeeper session open, ``group`` makes memberships of it, ``contender`` and ``detector`` make
leadership of those; all four know ZooKeeper by an interface only, which ``zookeeper`` (a real ensemble) and
``in_memory`` (tests, the simulator) implement. ``standalone`` and ``candidates`` need no ZooKeeper. Must not know what
a master does.
"""
