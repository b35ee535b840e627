"""Bring the npm packages of npm-packages.lock.json into node_modules, each checked by its hash.

Only the packages themselves are wanted, ready-built, never their dependency trees (OHIF's
cannot even be resolved by `npm install`), so this asks `npm pack` for each tarball instead.

    python tools/npm_packages.py run [test]
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "npm-packages.lock.json"
TARGET = ROOT / "node_modules"


def fetch(name: str, version: str, integrity: str) -> None:
    destination = TARGET / name
    stamp = destination / ".integrity"
    if stamp.exists() and stamp.read_text() == integrity:
        return
    print(f"npm: {name} {version}", flush=True)
    TARGET.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TARGET, prefix=".unpacking-") as folder:
        subprocess.run(
            ["npm", "pack", "--silent", f"{name}@{version}"],
            cwd=folder, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        (tarball,) = Path(folder).glob("*.tgz")
        digest = hashlib.sha512(tarball.read_bytes()).digest()
        if f"sha512-{base64.b64encode(digest).decode()}" != integrity:
            raise SystemExit(f"npm: {name} {version} is not the package that was locked")
        # tar refuses paths that leave the folder; Python's own way to do so is missing in the
        # 3.11.2 that Debian ships.
        subprocess.run(
            ["tar", "--extract", "--exclude=*.map", f"--file={tarball}", f"--directory={folder}"],
            check=True,
        )
        unpacked = next(entry for entry in Path(folder).iterdir() if entry.is_dir())
        (unpacked / ".integrity").write_text(integrity)
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(destination, ignore_errors=True)
        unpacked.rename(destination)


def main(groups: list[str]) -> None:
    lock = json.loads(LOCK.read_text())
    for group in groups:
        for name, package in lock[group].items():
            fetch(name, package["version"], package["integrity"])


if __name__ == "__main__":
    main(sys.argv[1:] or ["run"])
