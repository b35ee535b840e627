"""Studies on media for interchange (PS3.10, PS3.12): files, DICOMDIR, as zip and as disc image."""

from serai.imaging.media.answering import DISC, ZIP, disc_answer, zip_answer
from serai.imaging.media.contents import Contents, gathered

__all__ = ["DISC", "ZIP", "Contents", "disc_answer", "gathered", "zip_answer"]
