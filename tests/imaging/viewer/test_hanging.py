from __future__ import annotations

import pytest
from pydicom.uid import generate_uid
from tests.imaging.serving import Server
from tests.imaging.uploading import Client
from tests.imaging.viewer.browsing import VOLUMES, doctor_cookie, page_of, until
from tests.imaging.viewer.volumes import a_body, a_segmentation

pytestmark = pytest.mark.filterwarnings("ignore")

ENGINE = "window.services?.cornerstoneViewportService?.getRenderingEngine?.()"
VIEWPORTS = f"({ENGINE}?.getViewports?.() ?? [])"
# How many pictures lie in each window, and of which studies they are.
LAYERS = f"{VIEWPORTS}.map((each) => each.getActors().length)"
PLANES = f"{VIEWPORTS}.filter((each) => each.type === 'orthographic' && each.getActors().length)"
STUDIES = f"{VIEWPORTS}.map((each) => each.getCurrentImageId?.()?.split('/studies/')[1]).join()"
FOUND = "(window.services?.segmentationService?.getSegmentations() ?? []).length"


def test_a_body_is_cut_in_three_planes_fused_compared_and_segmented(server: Server) -> None:
    study, prior = generate_uid(), generate_uid()
    slices = a_body("CT", study, day="20260301")
    objects = [*slices, *a_body("PT", study, day="20260301", side=16), a_segmentation(slices)]
    objects += a_body("CT", prior, day="20250301")
    assert Client.of(server, "county").store(*objects).status_code == 200
    with page_of(server, doctor_cookie(server, "county"), *VOLUMES) as page:
        page.set_viewport_size({"width": 900, "height": 600})
        viewer = f"{server.url}/viewer/viewer?StudyInstanceUIDs={study}"
        page.goto(f"{viewer}&hangingprotocolId=mpr")
        assert until(page, f"{PLANES}.length === 3")

        page.goto(f"{server.url}/viewer/tmtv?StudyInstanceUIDs={study}")
        # CT, PET and both in one, each in three planes; and the PET as a whole.
        assert until(page, f"{LAYERS}.sort().join() === '1,1,1,1,1,1,1,2,2,2'")

        page.goto(f"{viewer},{prior}&hangingprotocolId=@ohif/hpCompare")
        assert until(page, f"{STUDIES}.includes('{study}') && {STUDIES}.includes('{prior}')")

        page.goto(viewer)
        page.locator('[data-cy="study-browser-thumbnail-no-image"]').first.dblclick()
        page.click('[data-cy="yes-hydrate-btn"]')
        assert until(page, f"{FOUND} === 1")
        labels = page.evaluate(
            "Object.values(window.services.segmentationService.getSegmentations()[0].segments)"
            ".map((each) => each.label)"
        )
        assert labels == ["Lesion"]
