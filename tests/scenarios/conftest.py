"""Fixtures of all scenarios."""

from __future__ import annotations

from support.clusters import cluster, logged_errors, make_cluster

__all__ = ["cluster", "logged_errors", "make_cluster"]
