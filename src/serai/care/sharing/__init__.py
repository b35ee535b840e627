"""Studies given to others: links that need no account, and media to take along."""

from serai.care.sharing.api import router
from serai.care.sharing.pages import routes

__all__ = ["router", "routes"]
