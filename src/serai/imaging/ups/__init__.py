"""The worklist of unified procedure steps (PS3.4 Annex CC) and its web service (PS3.18 §11)."""
