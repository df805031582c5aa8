"""The master: one actor made of components around one MasterState.

Layers inside, top to bottom: ``master, main`` → ``leadership`` → ``doors`` → ``agents`` → ``frameworks`` → ``offers`` →
``tasks`` → ``outbox | registry | validation`` → ``state``. A package imports only those right of it. What something
low must tell something high goes through ``state.signals``.
"""
