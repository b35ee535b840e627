"""Search (R4 §3.1.1): parameters to a checked query, the query to one SQL statement."""
