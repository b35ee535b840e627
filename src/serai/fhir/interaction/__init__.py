"""The RESTful interactions (R4 §3.1.0) as functions, the same for HTTP and for Bundle entries."""
