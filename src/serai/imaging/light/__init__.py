"""The light viewer at /light: a study on a phone and a thin line, middle pictures first."""

from serai.imaging.light.ready import make_until
from serai.imaging.light.routes import routes

__all__ = ["make_until", "routes"]
