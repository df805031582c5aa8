"""What the agent keeps on disk and how it is laid out, so that tools, and a stock Mesos agent, find their way.

``paths`` and ``records`` are pure; ``write`` and ``read`` are the only users of the disk port for meta files.
"""
