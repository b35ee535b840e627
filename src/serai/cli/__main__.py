"""``python -m serai.cli``, where the `serai` script is not on the path."""

from serai.cli import app

app()
