"""The order of bytes in binary values (PS3.5 §7.3)."""

from __future__ import annotations


def little_endian(value: bytes, vr: str) -> bytes:
    """Words turned round: what leaves the archive as octets is little endian (PS3.18 §8.7.3.3)."""
    width = 4 if vr in ("OF", "OL") else 8 if vr in ("OD", "OV") else 2 if "OW" in vr else 1
    if width == 1:
        return value
    swapped = bytearray(len(value))
    for byte in range(width):
        swapped[byte::width] = value[width - 1 - byte :: width]
    return bytes(swapped)
