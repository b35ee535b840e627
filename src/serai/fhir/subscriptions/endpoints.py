"""Where notifications may go: no address inside our own network unless a setting names it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from serai.kernel.errors import Invalid, Unavailable
from serai.platform import addresses
from serai.platform.addresses import Endpoint, NotAnAddress

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
# How a sealed value begins (`sealing`).
SEALED = "serai-sealed:"
_VALUE = re.compile(rf"[\x20-\x7e\t]{{0,4000}}|{SEALED}[A-Za-z0-9+/=]{{1,6000}}")
# What the sender itself must say, or what would change how the request is framed or routed.
_OURS = frozenset(
    {
        "connection", "content-length", "content-type", "expect", "forwarded", "host",
        "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip


def read(url: str, allowed: frozenset[str] | None) -> Endpoint:
    """The endpoint of this address; refused is what is no http(s) address, or plainly ours
    (unless `allowed` is None: then the sender asks)."""
    try:
        found = addresses.read(url)
    except NotAnAddress as error:
        raise Invalid("subscription.endpoint") from error
    if allowed is None or addresses.is_listed(found, allowed):
        return found
    if addresses.is_plainly_ours(found.host):
        raise Invalid("subscription.private-endpoint")
    return found


async def resolve(endpoint: Endpoint, allowed: frozenset[str]) -> str:
    """The IP address to connect to. All must be public, and the one that was checked is the
    one used: a name that answers differently the next time gains nothing."""
    try:
        found = await addresses.resolve(endpoint)
    except OSError as error:
        raise Unavailable("subscription.no-address") from error
    if not addresses.is_listed(endpoint, allowed) and not all(map(addresses.is_public, found)):
        raise Invalid("subscription.private-endpoint")
    return found[0]


def headers(lines: Iterable[object]) -> list[tuple[str, str]]:
    """`Subscription.channel.header` as pairs; nothing that could smuggle or reroute."""
    made: list[tuple[str, str]] = []
    for line in lines:
        name, colon, value = str(line).partition(":")
        sound = colon and _NAME.fullmatch(name) and _VALUE.fullmatch(value.strip(" "))
        if not sound or name.lower() in _OURS or name.lower().startswith("proxy-"):
            raise Invalid("subscription.header")
        made.append((name, value.strip()))
    return made
