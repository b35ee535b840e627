"""OHIF's configuration: our DICOMweb service, nothing that leaves this server."""

from __future__ import annotations

import json
from typing import Any, Final


def data_source(*, store: bool) -> dict[str, Any]:
    """Our DICOMweb service; `store` when the reader's measurements can be kept."""
    return {
        "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
        "sourceName": "serai",
        "configuration": {
            "friendlyName": "Serai",
            "name": "serai",
            "imageRendering": "wadors",
            "thumbnailRendering": "wadors",
            "enableStudyLazyLoad": True,
            "qidoSupportsIncludeField": True,
            "supportsFuzzyMatching": True,
            "supportsWildcard": True,
            "supportsStow": store,
            "staticWado": True,
            "singlepart": "bulkdata,video",
            "bulkDataURI": {"enabled": True},
            "omitQuotationForMultipartRequest": True,
        },
    }


CONFIGURATION: Final[dict[str, Any]] = {
    "name": "serai",
    "routerBasename": "/viewer",
    "extensions": [],
    "modes": [],
    "showStudyList": True,
    "showWarningMessageForCrossOrigin": False,
    "showCPUFallbackMessage": True,
    "showLoadingIndicator": True,
    "showErrorDetails": "dev",
    "strictZSpacingForVolumeViewport": True,
    "maxNumberOfWebWorkers": 3,
    "maxNumRequests": {"interaction": 20, "thumbnail": 5, "prefetch": 5},
    # A tour that covers the first picture somebody waits for.
    "customizationService": [{"ohif.tours": {"$set": []}}],
    "investigationalUseDialog": {"option": "never"},
    "defaultDataSourceName": "serai",
    # Ask before the first measurement of a series becomes part of a report, and when a saved
    # one is opened to go on with it.
    "measurementTrackingMode": "standard",
    "disableConfirmationPrompts": False,
}
# Workers resolve addresses against their own, so the roots must be absolute; only the browser
# knows by which address it reached us. The viewer's words follow the session's language.
SCRIPT: Final = """window.config = %s;
(() => {
  const root = `${window.location.origin}/dicomweb`;
  const source = window.config.dataSources[0].configuration;
  Object.assign(source, { qidoRoot: root, wadoRoot: root, wadoUriRoot: root });
  const about = document.querySelector('meta[name="serai-viewer"]');
  const language = about && JSON.parse(about.content).language;
  if (language) window.localStorage.setItem('i18nextLng', language);
})();
"""


def script(*, store: bool) -> str:
    return SCRIPT % json.dumps({**CONFIGURATION, "dataSources": [data_source(store=store)]})
