"""A folder of DICOM files in Orthanc, shown by OHIF to a browser; see README.md."""

import argparse
import subprocess
import sys
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from pydicom import dcmread

from tests.peers import orthanc, storescu

_CONFIG = """window.config = {
  routerBasename: null, extensions: [], modes: [], showStudyList: true, maxNumberOfWebWorkers: 2,
  showErrorDetails: 'always', defaultDataSourceName: 'dicomweb',
  dataSources: [{
    namespace: '@ohif/extension-default.dataSourcesModule.dicomweb', sourceName: 'dicomweb',
    configuration: {
      friendlyName: 'Orthanc', name: 'orthanc', qidoRoot: '/dicom-web', wadoRoot: '/dicom-web',
      qidoSupportsIncludeField: true, imageRendering: 'wadors', thumbnailRendering: 'wadors',
      enableStudyLazyLoad: true, supportsFuzzyMatching: false, supportsWildcard: true,
      omitQuotationForMultipartRequest: true, bulkDataURI: { enabled: true },
    },
  }],
};"""


class _Pages(SimpleHTTPRequestHandler):
    """OHIF's built pages, every unknown path the first of them, and /dicom-web from Orthanc."""

    protocol_version = "HTTP/1.1"
    orthanc_url = ""

    def end_headers(self) -> None:
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path.startswith("/dicom-web"):
            self._pass_on()
        elif path == "/app-config.js":
            self._answer(200, "text/javascript", _CONFIG.encode())
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


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.viewers.ohif", description=__doc__)
    parser.add_argument("folder", type=Path, help="one study: CT, annotation and our results")
    parser.add_argument("--ohif", type=Path, required=True, help="dist/ of @ohif/app")
    parser.add_argument("--playwright", type=Path, required=True, help="folder of playwright-core")
    parser.add_argument("--out", type=Path, required=True, help="where the screenshots go")
    asked = parser.parse_args()
    files = sorted(path for path in asked.folder.rglob("*.dcm"))
    if not files or not (asked.ohif / "index.html").exists():
        parser.error("needs *.dcm files in the folder, and OHIF's index.html in --ohif")
    study = str(dcmread(files[0], stop_before_pixels=True).StudyInstanceUID)
    asked.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, orthanc(Path(scratch)) as peer:
        stored = storescu(peer.dicom_port, files, called=peer.ae_title)
        if stored.returncode != 0:
            print(stored.stdout, file=sys.stderr)
            return 1
        pages = type("Pages", (_Pages,), {"orthanc_url": peer.url})
        with ThreadingHTTPServer(("127.0.0.1", 0), partial(pages, directory=asked.ohif)) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            url = f"http://127.0.0.1:{server.server_port}/viewer?StudyInstanceUIDs={study}"
            script = Path(__file__).with_name("look.cjs")
            looked = subprocess.run(
                ["node", script, asked.playwright.resolve(), url, asked.out], check=False
            )
            server.shutdown()
    return looked.returncode


if __name__ == "__main__":
    sys.exit(main())
