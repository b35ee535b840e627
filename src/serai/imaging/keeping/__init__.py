"""How long pictures are kept, how many, where, and whether their bytes are still the same."""
