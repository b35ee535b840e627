"""The analysers that come along: deterministic, each with its limits stated, each able to
abstain. They run inside the box and know no database."""
