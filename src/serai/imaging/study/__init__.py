"""The page of one study: what it holds, read and played where no viewer is needed."""

from serai.imaging.study.pages import routes

__all__ = ["routes"]
