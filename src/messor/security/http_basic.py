"""HTTP Basic authentication of requests, by realm (K3, protocols c.6)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from messor.runtime.http import Request, Response, text_response
from messor.security.credentials import Credential, Secrets, is_same

UNKNOWN_SECRET = b"\0"


class BasicAuthentication:
    """Finds out who asks; a Directory asks it before an endpoint of a realm is served."""

    def __init__(self, realms: Mapping[str, tuple[str, Secrets]]) -> None:
        """realms: by the word an endpoint declares (``readonly``), the realm's name and who may pass.

        Endpoints of other realms are served to everybody.
        """
        self._realms = dict(realms)

    def __call__(self, request: Request, realm: str) -> Response | None:
        """Give a refusal, or None with ``request.principal`` set."""
        found = self._realms.get(realm)
        if found is None:
            return None
        name, secrets = found
        given = read_header(request.headers.get("authorization", ""))
        if given is None or not is_right(given, secrets):
            response = text_response(401)
            response.headers = {"WWW-Authenticate": f'Basic realm="{name}"', **response.headers}
            return response
        request.principal = given.principal
        return None


def is_right(given: Credential, secrets: Secrets) -> bool:
    """Tell whether a secret is the principal's, in a time that does not tell which of both was wrong."""
    secret = secrets.get(given.principal)
    is_equal = is_same(secret if secret is not None else UNKNOWN_SECRET, given.secret)
    return is_equal and secret is not None


def read_header(header: str) -> Credential | None:
    """Read an Authorization header; None when it is not a well-formed Basic one."""
    scheme, _, encoded = header.strip().partition(" ")
    if scheme != "Basic":
        return None
    try:
        principal, colon, secret = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return Credential(principal.decode(), secret) if colon else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def header_for(credential: Credential) -> str:
    """Write an Authorization header."""
    return "Basic " + base64.b64encode(credential.principal.encode() + b":" + credential.secret).decode()
