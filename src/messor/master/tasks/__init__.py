"""Tasks and executors that exist: what agents report, what frameworks acknowledge, kill, ask about and say to them.

Nothing here starts a task (``offers`` does) or knows why a whole framework or agent goes away.
"""
