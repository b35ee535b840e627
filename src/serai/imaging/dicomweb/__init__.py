"""DICOMweb (PS3.18): Studies Service with store, search and retrieve transactions."""
