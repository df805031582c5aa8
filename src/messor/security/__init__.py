"""Who somebody is: credentials and how they are proved, by CRAM-MD5 over libprocess and by Basic over HTTP.

``cram_md5`` is pure; ``authenticator`` and ``authenticatee`` are the actors that carry it. What the proven may do is
decided elsewhere. Must not know what a master or an agent is.
"""
