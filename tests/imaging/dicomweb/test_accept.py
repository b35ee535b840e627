from __future__ import annotations

import pytest

from serai.imaging.dicomweb.accept import MediaRange, first_covering, media_ranges


def test_parameters_may_be_quoted_or_not() -> None:
    quoted, bare, plain = media_ranges(
        'multipart/related; type="application/octet-stream"; transfer-syntax=*, '
        "multipart/related;type=image/jls;transfer-syntax=1.2.840.10008.1.2.4.80, */*;q=0.1"
    )
    assert (quoted.type, quoted.transfer_syntax) == ("application/octet-stream", "*")
    assert (bare.type, bare.transfer_syntax) == ("image/jls", "1.2.840.10008.1.2.4.80")
    assert plain.parameters == {"q": "0.1"}


@pytest.mark.parametrize("name", ["*/*", "application/*", "application/dicom"])
def test_wildcards_cover(name: str) -> None:
    assert first_covering([MediaRange(name)], "application/dicom") is not None


def test_multipart_covers_by_the_type_of_its_parts() -> None:
    (images,) = media_ranges('multipart/related; type="image/*"')
    assert images.covers("image/jls")
    assert not images.covers("application/octet-stream")
