"""`serai import`: records and pictures from files, resumable, each thing exactly once."""

from serai.exchange.importing.running import import_into, run
from serai.exchange.importing.tally import Tally

__all__ = ["Tally", "import_into", "run"]
