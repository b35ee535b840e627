"""Release files of large code systems, each in its publisher's own format; none is shipped."""
