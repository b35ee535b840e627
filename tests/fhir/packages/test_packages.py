"""A package is read with care: what is not one is refused with its reason."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from serai.fhir import packages
from serai.kernel.errors import Invalid, Malformed, SeraiError

MANIFEST = b'{"name":"a","version":"1","fhirVersions":["4.0.1"]}'


def archive(target: Path, **files: bytes) -> Path:
    with tarfile.open(target, "w:gz") as made:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))
    return target


@pytest.mark.parametrize(
    ("files", "error", "key"),
    [
        ({"package/a.json": b"{}"}, Malformed, "package.manifest"),
        ({"package/package.json": b"["}, Malformed, "package.manifest"),
        ({"package/../../etc/passwd": b"x"}, Malformed, "package.path"),
        ({"/etc/passwd": b"x"}, Malformed, "package.path"),
        (
            {"package/package.json": MANIFEST.replace(b"4.0.1", b"5.0.0")},
            Invalid,
            "package.fhir-version",
        ),
        (
            {"package/package.json": MANIFEST, "package/x.json": b"{"},
            Malformed,
            "package.resource",
        ),
    ],
)
def test_what_is_no_package_is_refused(
    tmp_path: Path, files: dict[str, bytes], error: type[SeraiError], key: str
) -> None:
    with pytest.raises(error, match=key):
        packages.read(archive(tmp_path / "a.tgz", **files), examples=False)


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tgz").write_bytes(b"no archive")
    with pytest.raises(Malformed, match=r"package\.unreadable"):
        packages.read(tmp_path / "a.tgz", examples=False)
