"""Studies without their patients: the only door from care to teaching and research."""
