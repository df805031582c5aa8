"""Status updates on their way from executors to the master: kept on disk, sent in order, resent until acknowledged.

``stream`` is pure; ``manager`` adds files and the resend timer; ``receive`` is where updates come in.
"""
