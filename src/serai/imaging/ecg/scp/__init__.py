"""SCP-ECG (EN 1064, ISO 11073-91064): a record of numbered sections, each with its checksum."""

from serai.imaging.ecg.scp.reading import is_scp, read

__all__ = ["is_scp", "read"]
