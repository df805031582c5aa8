"""Who is offered what.

Pure but for ``service``: time and randomness are arguments, nothing here calls out or logs per agent. The books
(``hierarchical``) hold agents, frameworks, roles and refusals; a round (``round``) hands out what is free in fair order
(``drf_sorter``). Knows nothing of masters, offers' ids or messages.
"""
