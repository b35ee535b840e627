"""The list of common passwords: from a JSON list of words to sorted short hashes.

.venv/bin/python tools/common_passwords.py passwords.json

The words come from `src/passwords.json` of npm's @zxcvbn-ts/language-common 4.1.3 (MIT licence).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from serai.platform.auth.breached import FILE, digest


def main(arguments: list[str]) -> int:
    (source,) = arguments
    words = {str(word).casefold() for word in json.loads(Path(source).read_text())}
    FILE.write_bytes(b"".join(sorted({digest(word) for word in words})))
    print(f"{len(words)} passwords in {FILE.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
