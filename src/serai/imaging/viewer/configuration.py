"""OHIF's configuration: our DICOMweb service, nothing that leaves this server."""

from __future__ import annotations

import json
from typing import Any, Final

DATA_SOURCE: Final[dict[str, Any]] = {
    "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
    "sourceName": "serai",
    "configuration": {
        "friendlyName": "Serai",
        "name": "serai",
        "imageRendering": "wadors",
        "thumbnailRendering": "wadors",
        "enableStudyLazyLoad": True,
        "qidoSupportsIncludeField": True,
        "supportsFuzzyMatching": False,
        "supportsWildcard": True,
        "supportsStow": False,
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
    "dataSources": [DATA_SOURCE],
}
# Workers resolve addresses against their own, so the roots must be absolute; only the browser
# knows by which address it reached us.
SCRIPT: Final = f"""window.config = {json.dumps(CONFIGURATION)};
(() => {{
  const root = `${{window.location.origin}}/dicomweb`;
  const source = window.config.dataSources[0].configuration;
  Object.assign(source, {{ qidoRoot: root, wadoRoot: root, wadoUriRoot: root }});
}})();
"""
