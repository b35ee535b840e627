"""What is done to a data set: every element by its rule, at every depth."""
