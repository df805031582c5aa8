"""Makes the authorizer that flags name."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from messor.errors import ConfigurationError
from messor.security.authorizer import Authorizer

if TYPE_CHECKING:
    from messor.protos import acls


def create_authorizer(name: str, rules: acls.ACLs | None) -> Authorizer | None:
    """Make the authorizer that flags name; None when everybody may do everything.

    ``local`` decides by rules; ``module:attribute`` names what makes another one, for which the rules do not count.
    Raises ConfigurationError.
    """
    names = name.split(",")
    if len(names) > 1:
        raise ConfigurationError("Multiple authorizers not supported")
    try:
        if name != "local":
            return _load(name)
        if rules is None:
            return None
        from messor.security.local_authorizer import LocalAuthorizer  # only where there are rules

        return LocalAuthorizer(rules)
    except ConfigurationError as error:
        raise ConfigurationError(f"Could not create '{name}' authorizer: {error}") from None


def _load(name: str) -> Authorizer:
    module, _, attribute = name.partition(":")
    try:
        if not attribute:
            raise ConfigurationError(f"Module '{name}' unknown")
        made: Authorizer = getattr(importlib.import_module(module), attribute)()
    except (ImportError, AttributeError, TypeError) as error:
        raise ConfigurationError(str(error)) from None
    return made
