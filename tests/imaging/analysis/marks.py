"""Coronary arteries marked by a reader: a segmentation, as a workstation saves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from highdicom.seg import Segmentation, SegmentDescription
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid
from tests.imaging.objects import as_part10

ARTERIES = {
    "LM": codes.SCT.LeftMainCoronaryArtery,
    "LAD": codes.SCT.LeftAnteriorDescendingCoronaryArtery,
    "LCX": codes.SCT.CircumflexCoronaryArtery,
    "RCA": codes.SCT.RightCoronaryArtery,
}


def segmentation(
    images: Sequence[Dataset], masks: Mapping[str, Any], *, algorithm: str = "MANUAL"
) -> bytes:
    """Segments that are named as arteries are coded as such, all others as tissue."""
    described = [
        SegmentDescription(
            segment_number=number,
            segment_label=name,
            segmented_property_category=codes.SCT.AnatomicalStructure,
            segmented_property_type=ARTERIES.get(name, codes.SCT.Tissue),
            algorithm_type=algorithm,
            algorithm_identification=None if algorithm == "MANUAL" else _algorithm(),
        )
        for number, name in enumerate(masks, start=1)
    ]
    made = Segmentation(
        source_images=[dcmread(BytesIO(as_part10(image))) for image in images],
        pixel_array=np.stack(list(masks.values()), axis=-1).astype(np.uint8),
        segmentation_type="BINARY",
        segment_descriptions=described,
        series_instance_uid=generate_uid(),
        series_number=50,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="Workstation",
        manufacturer_model_name="Reader",
        software_versions="1",
        device_serial_number="1",
    )
    written = BytesIO()
    made.save_as(written, enforce_file_format=True)
    return written.getvalue()


def _algorithm() -> Any:
    from highdicom import AlgorithmIdentificationSequence

    return AlgorithmIdentificationSequence("net", codes.DCM.ArtificialIntelligence, "1")
