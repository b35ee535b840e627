"""Settings, read from the environment (`SERAI_*`); state lives in `SERAI_HOME`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every knob of the server; docs/reference/settings.md lists them, and a test compares."""

    model_config = SettingsConfigDict(env_prefix="SERAI_", frozen=True)

    home: Path = Field(default=Path("var"), description="Folder that holds all state")
    database_url: str | None = Field(
        default=None, description="postgresql://… of your own PostgreSQL; embedded when unset"
    )
    blobs: str | None = Field(
        default=None,
        description="s3://bucket/prefix for an object store; files under home when unset",
    )
    blobs_cold: str | None = Field(
        default=None,
        description="Folder or s3://bucket/prefix for pictures that nobody looks at; none unset",
    )
    host: str = Field(default="127.0.0.1", description="Address the web server listens on")
    port: int = Field(default=8000, ge=0, le=65535, description="Port of the web server")
    base_url: str | None = Field(
        default=None, description="Public address, when a proxy stands in front"
    )
    workers: int = Field(
        default=1, ge=1, le=64, description="Processes for the web, and as many for DICOM"
    )
    dimse_host: str = Field(
        default="127.0.0.1", description="Address of the DICOM network listener"
    )
    dimse_port: int = Field(default=11112, ge=0, le=65535, description="Port of the DICOM listener")
    ae_title: str = Field(default="SERAI", max_length=16, description="Our DICOM AE title")
    dimse_tls_port: int | None = Field(
        default=None, ge=0, le=65535, description="Port of the DICOM listener with TLS; none unset"
    )
    dimse_tls_certificate: Path | None = Field(
        default=None, description="Our certificate and its chain (PEM) for DICOM with TLS"
    )
    dimse_tls_key: Path | None = Field(
        default=None, description="Its private key (PEM), when not in the same file"
    )
    dimse_tls_authorities: Path | None = Field(
        default=None, description="Authorities (PEM) whose certificates DICOM peers may show"
    )
    dimse_tls_client_certificates: bool = Field(
        default=False, description="Whether DICOM peers must show a certificate to call us"
    )
    database_connections: int = Field(
        default=10, ge=1, le=200, description="Database connections per web worker"
    )
    database_wait_s: float = Field(
        default=5.0, gt=0, le=300, description="Seconds a request waits for a connection, then 503"
    )
    node_modules: Path = Field(
        default=Path("node_modules"), description="Folder with the viewer and htmx from npm"
    )
    export_hours: int = Field(
        default=24, ge=1, le=24 * 30, description="Hours that the files of an export are kept"
    )
    subscription_hosts: str = Field(
        default="",
        description="Private hosts (host or host:port, with commas) that subscriptions may notify",
    )
    subscription_ca: Path | None = Field(
        default=None,
        description="PEM file of authorities that https receivers may use beside the public ones",
    )
    import_hosts: str = Field(
        default="",
        description="Hosts (host or host:port, with commas) that $import may fetch files from",
    )
    import_private_hosts: str = Field(
        default="",
        description="Such hosts inside the server's own network; http is taken from this machine",
    )
    import_ca: Path | None = Field(
        default=None,
        description="PEM file of authorities that those hosts may use beside the public ones",
    )
    import_most_mb: int = Field(
        default=10_240, ge=1, description="Megabytes one fetched file may have, unpacked too"
    )
    upload_most_mb: int = Field(
        default=20_480, ge=1, description="Megabytes one resumable upload may have"
    )
    dead_letter_days: int = Field(
        default=90,
        ge=1,
        le=3650,
        description="Days that what a subscription could not be told is kept to be sent again",
    )
    workitem_days: int = Field(
        default=90, ge=1, le=3650, description="Days that ended workitems are kept when not locked"
    )
    analysis_seconds: int = Field(
        default=300, ge=1, le=24 * 3600, description="Seconds that one analysis may take"
    )
    analysis_memory_mb: int = Field(
        default=3072, ge=512, description="Megabytes of memory that one analysis may take"
    )
    master_key_file: Path | None = Field(
        default=None,
        description="File with the master keys that wrap all others; master.key under home unset",
    )
    master_key: str | None = Field(
        default=None,
        repr=False,
        description="The master keys themselves, with commas, the newest first, instead of a file",
    )
    key_command: str | None = Field(
        default=None,
        description="Program that wraps and unwraps keys for a key management system, instead",
    )
    key_algorithm: str = Field(
        default="aes-256-gcm",
        pattern="^(aes-256-gcm|sm4-gcm)$",
        description="Cipher for secrets in the database: aes-256-gcm or sm4-gcm",
    )
    blob_encryption: str = Field(
        default="off",
        pattern="^(off|aes-256-gcm|sm4-gcm)$",
        description="Cipher for pictures and documents from now on: off, aes-256-gcm or sm4-gcm",
    )
    identity_hosts: str = Field(
        default="",
        description="Private hosts (host or host:port, with commas) of identity providers and of "
        "apps' keys; http is taken from this machine",
    )
    log_format: str = Field(
        default="console", pattern="^(console|json)$", description="console or json"
    )

    @property
    def public_url(self) -> str:
        return (self.base_url or f"http://{self.host}:{self.port}").rstrip("/")
