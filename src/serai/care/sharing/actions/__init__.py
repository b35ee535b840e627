"""Acts on links: made, listed and revoked by staff; opened and looked at by whoever holds one."""

from serai.care.sharing.actions.making import Made, Overview, make, overview, revoke
from serai.care.sharing.actions.visiting import (
    Sharing,
    downloaded,
    enter,
    hiding_of,
    look,
    opened,
    opened_before,
    visitor,
    visits,
)

__all__ = [
    "Made",
    "Overview",
    "Sharing",
    "downloaded",
    "enter",
    "hiding_of",
    "look",
    "make",
    "opened",
    "opened_before",
    "overview",
    "revoke",
    "visitor",
    "visits",
]
