"""Where the server may call: addresses that others name, judged before anybody connects.

A server that calls what a client names reaches into the network it stands in. So the address is
taken apart, its name resolved, and the very address that was judged is the one connected to.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Network, ip_address
from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443}
# An IPv4 address behind a translator (RFC 6052): its last 32 bits decide.
_TRANSLATED = IPv6Network("64:ff9b::/96")


class NotAnAddress(ValueError):
    """No http(s) address without user and fragment."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address taken apart; `port` is always known."""

    url: str
    scheme: str
    host: str
    port: int


def read(url: str) -> Endpoint:
    """Raises NotAnAddress."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise NotAnAddress from error
    plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    if not plain or parts.scheme not in PORTS or not parts.hostname:
        raise NotAnAddress
    if parts.username is not None or parts.fragment:
        raise NotAnAddress
    return Endpoint(
        url, parts.scheme, parts.hostname, PORTS[parts.scheme] if port is None else port
    )


def hosts(setting: str) -> frozenset[str]:
    """Hosts (or host:port) from a list with commas."""
    return frozenset(one.strip().lower() for one in setting.split(",") if one.strip())


def is_listed(endpoint: Endpoint, allowed: frozenset[str]) -> bool:
    """Whether a setting names this host, or this host and port."""
    return bool({endpoint.host, f"{endpoint.host}:{endpoint.port}"} & allowed)


async def resolve(endpoint: Endpoint) -> list[str]:
    """Every IP address of the name; OSError when there is none."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    return [str(one[4][0]) for one in found]


def is_plainly_ours(host: str) -> bool:
    """Whether the name alone, or the address in its place, lies in our own network."""
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        return not is_public(host)
    except ValueError:
        return False


def is_public(address: str) -> bool:
    found = ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    if found in _TRANSLATED:
        mapped = IPv4Address(int(found) & 0xFFFFFFFF)
    return found.is_global and not found.is_multicast and (mapped is None or mapped.is_global)


def is_loopback(address: str) -> bool:
    return ip_address(address.partition("%")[0]).is_loopback
