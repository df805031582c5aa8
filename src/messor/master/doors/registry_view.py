"""What the registry holds, as JSON: ``/registrar(1)/registry``, answered by every master."""

from __future__ import annotations

import orjson

from messor.master.registry.registrar import Registrar
from messor.protos import registry
from messor.runtime.actor import Actor
from messor.runtime.handlers import endpoint
from messor.runtime.http import Request, Response, json_response
from messor.wire.json_codec import to_dict

NAME = "registrar(1)"


class RegistryView(Actor):
    """The actor ``registrar(1)``, which only shows."""

    def __init__(self, registrar: Registrar) -> None:
        """Take whose registry to show."""
        super().__init__(NAME)
        self._registrar = registrar

    @endpoint("/registry", realm="readonly")
    def contents(self, request: Request) -> Response:
        """Give the whole registry; nothing while this master has not read it."""
        message = registry.Registry.FromString(self._registrar.contents.encode())
        return json_response(orjson.dumps(to_dict(message), option=orjson.OPT_SORT_KEYS), request)
