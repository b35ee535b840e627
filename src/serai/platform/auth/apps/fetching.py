"""Keys of apps and facts of identity providers, fetched from addresses that others name: never
from our own network unless a setting lists the host (`platform/addresses.py`)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx
import msgspec

from serai.kernel.errors import Forbidden, Unavailable
from serai.platform import addresses, tls
from serai.platform.addresses import Endpoint, NotAnAddress

WITHIN_S = 10.0
MOST_BYTES = 256 * 1024
REMEMBERED_FOR = timedelta(minutes=5)
MOST_REMEMBERED = 256

_remembered: dict[str, tuple[datetime, dict[str, Any]]] = {}


async def remembered(url: str, *, allowed: frozenset[str], now: datetime) -> dict[str, Any]:
    """As `fetched`, but the same answer for some minutes."""
    kept = _remembered.get(url)
    if kept and abs(now - kept[0]) < REMEMBERED_FOR:
        return kept[1]
    if len(_remembered) >= MOST_REMEMBERED:
        _remembered.clear()
    found = await fetched(url, allowed=allowed)
    _remembered[url] = (now, found)
    return found


def forget(url: str) -> None:
    """It may have changed: somebody showed a key that is not in it."""
    _remembered.pop(url, None)


async def fetched(
    url: str,
    *,
    allowed: frozenset[str],
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A JSON object; by POST when there is a form. Forbidden where no request may go."""
    try:
        endpoint = addresses.read(url)
        async with asyncio.timeout(WITHIN_S):
            return await _exchanged(endpoint, allowed, form, dict(headers or {}))
    except NotAnAddress as error:
        raise Forbidden("identity.address") from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError) as error:
        raise Unavailable("identity.no-answer", host=endpoint.host) from error
    except msgspec.DecodeError as error:
        raise Unavailable("identity.no-answer", host=endpoint.host) from error


async def _exchanged(
    endpoint: Endpoint,
    allowed: frozenset[str],
    form: Mapping[str, str] | None,
    headers: dict[str, str],
) -> dict[str, Any]:
    """To the very address that was judged, and never where a redirect points."""
    url, address = httpx.URL(endpoint.url), await _judged(endpoint, allowed)
    headers |= {"host": url.netloc.decode(), "accept": "application/json"}
    async with httpx.AsyncClient(verify=tls.calling(), timeout=WITHIN_S, trust_env=False) as client:
        request = client.build_request(
            "GET" if form is None else "POST",
            url.copy_with(host=address),
            headers=headers,
            data=dict(form) if form is not None else None,
            extensions={"sni_hostname": endpoint.host},
        )
        answer = await client.send(request, stream=True, follow_redirects=False)
        try:
            body = b""
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > MOST_BYTES:
                    raise Unavailable("identity.no-answer", host=endpoint.host)
        finally:
            await answer.aclose()
    if not answer.is_success:
        raise Unavailable("identity.no-answer", host=endpoint.host)
    return msgspec.json.decode(body, type=dict[str, Any])


async def _judged(endpoint: Endpoint, allowed: frozenset[str]) -> str:
    found = await addresses.resolve(endpoint)
    if addresses.is_listed(endpoint, allowed):
        plain = endpoint.scheme == "http" and not all(map(addresses.is_loopback, found))
        if plain:
            raise Forbidden("identity.address")
        return found[0]
    if endpoint.scheme != "https" or not all(map(addresses.is_public, found)):
        raise Forbidden("identity.address")
    return found[0]
