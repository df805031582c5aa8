"""Records and the indexes between them: frameworks, agents, tasks, executors, offers.

Nothing here sends, validates or waits. Records are changed by the components above; the indexes are kept right by the
methods of MasterState and checked by ``invariants``.
"""
