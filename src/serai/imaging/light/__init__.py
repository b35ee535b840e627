"""The light viewer at /light: a study on a phone and a thin line, middle pictures first."""

from serai.imaging.light.routes import routes

__all__ = ["routes"]
