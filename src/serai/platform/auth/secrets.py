"""Opaque secrets: 256 random bits for the holder, their SHA-256 for the database.

The bits are random, so a plain hash is enough; slow hashes are for passwords.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets


def new_secret() -> str:
    """Starts with a letter: a leading hyphen would be read as an option in a command line."""
    return f"s{secrets.token_urlsafe(32)}"


def fingerprint(secret: str) -> bytes:
    """What the database keeps of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def derived(secret: str, purpose: str) -> str:
    """A second secret that only the holder of the first can be given, e.g. against CSRF."""
    return hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).hexdigest()
