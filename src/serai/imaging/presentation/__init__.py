"""Softcopy presentation states applied on the server (PS3.3 §A.33, PS3.4 Annex N)."""

from serai.imaging.presentation.composing import compose, drawn
from serai.imaging.presentation.state import State, read_state

__all__ = ["State", "compose", "drawn", "read_state"]
