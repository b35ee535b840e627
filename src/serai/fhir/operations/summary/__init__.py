"""`Patient/$summary`: the International Patient Summary (HL7 IPS 2.0.0) as a document."""

from serai.fhir.operations.summary.asking import SUMMARY

__all__ = ["SUMMARY"]
