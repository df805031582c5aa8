"""A stand-in for the http-parser package, which does not build on Python 3.11: just what pymesos calls."""
