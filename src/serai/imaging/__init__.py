"""Pictures: DICOM objects kept as received, found by index, shown in the viewer."""
