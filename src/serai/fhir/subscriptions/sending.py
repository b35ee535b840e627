"""One notification over HTTP: bounded in time and size, to the address that was checked."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

import httpx

from serai.fhir.subscriptions import endpoints
from serai.fhir.subscriptions.definition import Definition
from serai.kernel.errors import SeraiError
from serai.platform.addresses import Endpoint

MOST_ANSWER_BYTES = 64 * 1024
LONGEST_REASON = 200


@dataclass(frozen=True, slots=True)
class Letter:
    """`below` is the path of the resource under the endpoint, for plain R4 with a payload."""

    method: str
    content: bytes
    media_type: str | None
    below: str = ""


async def send(
    client: httpx.AsyncClient, wanted: Definition, letter: Letter, allowed: frozenset[str]
) -> str | None:
    """None when a 2xx came back, else why not, in words that name no patient."""
    try:
        endpoint = endpoints.read(wanted.endpoint, allowed)
        async with asyncio.timeout(wanted.timeout_s):
            address = await endpoints.resolve(endpoint, allowed)
            return await _exchange(client, wanted, letter, endpoint, address)
    except TimeoutError:
        return f"no answer within {wanted.timeout_s} s"
    except SeraiError as error:
        return error.key
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return why(error)


def why(error: BaseException) -> str:
    """What is wrong with a certificate lies deeper than that there is no connection."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"certificate refused: {cause.verify_message}"[:LONGEST_REASON]
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed: {cause.reason}"[:LONGEST_REASON]
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__


async def _exchange(
    client: httpx.AsyncClient,
    wanted: Definition,
    letter: Letter,
    endpoint: Endpoint,
    address: str,
) -> str | None:
    url = httpx.URL(endpoint.url)
    path = url.path.rstrip("/") + "/" + letter.below if letter.below else url.path
    headers = [*wanted.headers, ("host", url.netloc.decode())]
    if url.scheme == "https":
        # The pool knows connections by address: one whose certificate was another name's must
        # not be there to be used again.
        headers.append(("connection", "close"))
    if letter.media_type:
        headers.append(("content-type", letter.media_type))
    request = client.build_request(
        letter.method,
        url.copy_with(host=address, path=path),
        headers=headers,
        content=letter.content,
        extensions={"sni_hostname": endpoint.host},
    )
    answer = await client.send(request, stream=True, follow_redirects=False)
    try:
        size = 0
        async for chunk in answer.aiter_raw():
            size += len(chunk)
            if size > MOST_ANSWER_BYTES:
                break
    finally:
        await answer.aclose()
    return None if answer.is_success else f"HTTP {answer.status_code}"
