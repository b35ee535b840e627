"""Which device a session is on, as far as a browser says; for people to recognise their own."""

from __future__ import annotations

# In this order: browsers name the ones they descend from as well.
BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("MicroMessenger/", "WeChat"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def device(agent: str) -> str:
    """``Firefox, Windows``; the first word of what we do not know."""
    names = [
        next((name for sign, name in table if sign in agent), "") for table in (BROWSERS, SYSTEMS)
    ]
    known = ", ".join(name for name in names if name)
    return known or agent.split("/")[0][:40]
