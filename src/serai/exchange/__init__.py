"""Other systems: records and pictures that come in from outside or leave."""
