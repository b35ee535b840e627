"""The tables of projects; those that lead back to the patient have a module of their own."""
