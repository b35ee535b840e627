"""One's own account: password, second factors, recovery codes, places, sessions."""

from serai.web.account.pages import routes
from serai.web.account.wording import register

register()

__all__ = ["routes"]
