"""What confines containers and gives them things, one file per isolator.

An isolator knows containers by id and sandbox only. The posix ones use nothing but paths and the disk port.
"""
