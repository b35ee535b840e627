"""Video objects made playable in browsers: their stream as MP4, made once and kept for a while."""

from serai.imaging.video.films import Films, Source, is_video

__all__ = ["Films", "Source", "is_video"]
