"""Security headers on every answer (OWASP ASVS 5.0 V3); a room's own header is never replaced."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "frame-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
        "base-uri 'none'",
    )
)
ALWAYS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    # A shared ward computer must not show yesterday's patient from its cache.
    "Cache-Control": "no-store",
}
OVER_HTTPS = {"Strict-Transport-Security": "max-age=31536000"}

Raw = list[tuple[bytes, bytes]]


def _raw(headers: dict[str, str]) -> Raw:
    return [
        (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()
    ]


RAW_BY_SCHEME = {"http": _raw(ALWAYS), "https": _raw(ALWAYS | OVER_HTTPS)}


class SecurityHeaders:
    """On the path of every answer, so it handles bytes instead of header objects."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        wanted = RAW_BY_SCHEME.get(scope["scheme"], RAW_BY_SCHEME["http"])

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own: Raw = list(message.get("headers", ()))
                present = {name.lower() for name, _ in own}
                message["headers"] = own + [pair for pair in wanted if pair[0] not in present]
            await send(message)

        await self.app(scope, receive, send_with_headers)
