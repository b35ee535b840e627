"""The worklist of unified procedure steps (PS3.4 Annex CC) and its web service (PS3.18 §11)."""

from serai.imaging.ups.channel import LISTEN, EventDoor
from serai.imaging.ups.routes import routes

__all__ = ["LISTEN", "EventDoor", "routes"]
