"""Who leads: detecting the leading master.

Pure but for the ports it is handed; ZooKeeper's adapter will live here too. Must not know what a master does.
"""
