"""Where notifications may go: no address inside our own network unless a setting names it."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from serai.kernel.errors import Invalid, Unavailable

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_VALUE = re.compile(r"[\x20-\x7e\t]{0,4000}")
# What the sender itself must say, or what would change how the request is framed or routed.
_OURS = frozenset(
    {
        "connection", "content-length", "content-type", "expect", "forwarded", "host",
        "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip

# An IPv4 address behind a translator (RFC 6052): its last 32 bits decide.
_TRANSLATED = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address taken apart; `port` is always known."""

    url: str
    scheme: str
    host: str
    port: int


def read(url: str, allowed: frozenset[str] | None) -> Endpoint:
    """The endpoint of this address; refused is what is no http(s) address, or plainly ours
    (unless `allowed` is None: then the sender asks)."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Invalid("subscription.endpoint") from error
    plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    if not plain or parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid("subscription.endpoint")
    if parts.username is not None or parts.fragment:
        raise Invalid("subscription.endpoint")
    port = port if port is not None else {"http": 80, "https": 443}[parts.scheme]
    found = Endpoint(url, parts.scheme, parts.hostname, port)
    if allowed is not None and not is_allowed(found, allowed) and _is_ours(found.host):
        raise Invalid("subscription.private-endpoint")
    return found


def is_allowed(endpoint: Endpoint, allowed: frozenset[str]) -> bool:
    """Whether the setting names this host, or this host and port."""
    return bool({endpoint.host, f"{endpoint.host}:{endpoint.port}"} & allowed)


async def resolve(endpoint: Endpoint, allowed: frozenset[str]) -> str:
    """The IP address to connect to. All must be public, and the one that was checked is the
    one used: a name that answers differently the next time gains nothing."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Unavailable("subscription.no-address") from error
    addresses = [str(one[4][0]) for one in found]
    if not is_allowed(endpoint, allowed) and not all(_is_public(one) for one in addresses):
        raise Invalid("subscription.private-endpoint")
    return addresses[0]


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


def _is_ours(host: str) -> bool:
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        return not _is_public(host)
    except ValueError:
        return False


def _is_public(address: str) -> bool:
    found = ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    if found in _TRANSLATED:
        mapped = IPv4Address(int(found) & 0xFFFFFFFF)
    return found.is_global and not found.is_multicast and (mapped is None or mapped.is_global)
