"""A web server on loopback: the viewers' pages, and Orthanc beside them under the same origin."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.viewers.packages import DWV, JSZIP, KONVA, MAGIC_WAND, OHIF

_OHIF_CONFIG = b"""window.config = {
  routerBasename: null, extensions: [], modes: [], showStudyList: true, maxNumberOfWebWorkers: 2,
  showErrorDetails: 'always', investigationalUseDialog: { option: 'never' },
  defaultDataSourceName: 'dicomweb',
  dataSources: [{
    namespace: '@ohif/extension-default.dataSourcesModule.dicomweb', sourceName: 'dicomweb',
    configuration: {
      friendlyName: 'DICOMweb', name: 'dicomweb', qidoRoot: 'ROOT', wadoRoot: 'ROOT',
      qidoSupportsIncludeField: true, imageRendering: 'wadors', thumbnailRendering: 'wadors',
      enableStudyLazyLoad: true, supportsFuzzyMatching: false, supportsWildcard: true,
      omitQuotationForMultipartRequest: true, bulkDataURI: { enabled: true },
    },
  }],
};"""

_DWV_PAGE = b"""<!doctype html>
<script src="/npm/konva/konva.min.js"></script>
<script src="/npm/magic-wand-tool/dist/magic-wand.min.js"></script>
<script src="/npm/jszip/dist/jszip.min.js"></script>
<script type="importmap">{"imports": {
  "konva": "data:text/javascript,export default window.Konva",
  "magic-wand-tool": "data:text/javascript,export default window.MagicWand",
  "jszip": "data:text/javascript,export default window.JSZip"}}</script>
<script type="module">
  import * as dwv from '/npm/dwv/dist/dwv.min.js';
  window.dwv = dwv;
</script>
<div id="group" style="width: 800px; height: 800px"></div>"""

_PACKAGES = {f"/npm/{each.name}/": each.folder for each in (DWV, JSZIP, KONVA, MAGIC_WAND)}
_OF_ORTHANC = ("/dicom-web/", "/instances/", "/series/")


@contextmanager
def served(orthanc_url: str = "", *, dicomweb: str = "/dicom-web") -> Iterator[str]:
    """The base of the pages: "/viewer" is OHIF, "/dwv" is dwv, and of Orthanc what both ask for.

    dicomweb : what OHIF asks, if it is not Orthanc under the pages' own origin
    """
    config = _OHIF_CONFIG.replace(b"ROOT", dicomweb.encode())
    handler = type("Pages", (_Pages,), {"orthanc_url": orthanc_url, "ohif_config": config})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


class _Pages(SimpleHTTPRequestHandler):
    """Every unknown path is OHIF's first page, which reads the path itself."""

    protocol_version = "HTTP/1.1"
    orthanc_url = ""
    ohif_config = b""

    def end_headers(self) -> None:
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def translate_path(self, path: str) -> str:
        path = path.partition("?")[0]
        for prefix, folder in _PACKAGES.items():
            if path.startswith(prefix):
                return str(folder / path.removeprefix(prefix))
        return str(OHIF.folder / "dist" / path.lstrip("/"))

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith(_OF_ORTHANC):
            self._pass_on()
        elif path == "/app-config.js":
            self._answer(200, "text/javascript", self.ohif_config)
        elif path == "/dwv":
            self._answer(200, "text/html", _DWV_PAGE)
        else:
            if not Path(self.translate_path(path)).is_file():
                self.path = "/index.html"
            super().do_GET()

    def _pass_on(self) -> None:
        wanted = {"Accept": self.headers.get("Accept", "*/*"), "Host": self.headers["Host"]}
        try:
            with urlopen(Request(self.orthanc_url + self.path, headers=wanted), timeout=60) as got:
                self._answer(got.status, got.headers["Content-Type"], got.read())
        except HTTPError as error:
            self._answer(error.code, "text/plain", error.read())

    def _answer(self, status: int, kind: str | None, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind or "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the browser reports what fails."""
