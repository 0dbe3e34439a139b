"""Other people's judgement of our objects: dicom3tools, pixelmed and dcmtk, from Debian; and the
schema of FHIR R4, from HL7."""

import json
import os
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from tests.required import require_binary, unavailable
from tests.viewers.packages import FHIR_R4, require_package

_PIXELMED = Path("/usr/share/java/pixelmed.jar")
_JAVA = (
    # Java 17 limits XPath: the rules do not compile, and the validator exits 0 all the same.
    "-Djdk.xml.xpathExprGrpLimit=0",
    "-Djdk.xml.xpathExprOpLimit=0",
    "-Djdk.xml.xpathTotalOpLimit=0",
    # Half of the work: it runs once and ends, too short for the optimising compiler to pay.
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-Xmx4g",
    "-Xss64m",
    "-Dfile.encoding=UTF-8",
)


def dciodvfy(path: Path) -> list[str]:
    """The errors that dciodvfy finds; warnings are not among them."""
    done = _run(require_binary("dciodvfy", "dicom3tools"), "-new", path)
    lines = (done.stdout + done.stderr).splitlines()
    errors = [line for line in lines if line.startswith("Error")]
    if done.returncode != 0 and not errors:
        pytest.fail(f"dciodvfy ended with {done.returncode}: {done.stderr}")
    return errors


def pixelmed_sr(path: Path, *, knows_template: bool = True) -> str:
    """What pixelmed's SR validator prints; fails unless it came to the end and found no error.

    knows_template : False for chest CAD, of which it knows the IOD's relationships alone
    """
    java = require_binary("java", "default-jre-headless")
    if not _PIXELMED.exists():
        unavailable(f"{_PIXELMED} is not there: apt-get install libpixelmed-java")
    done = _run(
        java,
        *_JAVA,
        "-cp",
        _PIXELMED,
        "com.pixelmed.validate.DicomSRValidator",
        path,
        timeout_s=240,
    )
    text = done.stdout + done.stderr
    errors = [line for line in text.splitlines() if line.startswith("Error")]
    end = "Root Template Validation Complete" if knows_template else "IOD validation complete"
    if end not in text or errors:
        pytest.fail(f"pixelmed's SR validator is not content with {path.name}:\n{text}")
    return text


def dsrdump(path: Path) -> str:
    """The report as dcmtk prints it for people, nothing shortened."""
    done = _run(require_binary("dsrdump", "dcmtk"), "+Pl", path)
    if done.returncode != 0:
        pytest.fail(f"dsrdump ended with {done.returncode}: {done.stderr}")
    return done.stdout


def dcmpschk(path: Path) -> str:
    """What dcmtk's checker of presentation states prints; it ends with "Test passed" if all is."""
    done = _run(require_binary("dcmpschk", "dcmtk"), "-v", path)
    return done.stdout + done.stderr


def render(path: Path, target: Path, *, frame: int = 1) -> Path:
    """One frame (from 1) as dcmtk draws it, a PNG at `target`."""
    program = require_binary("dcmj2pnm", "dcmtk")
    done = _run(program, "--write-png", "--nointerlace", "--frame", str(frame), path, target)
    if done.returncode != 0:
        pytest.fail(f"dcmj2pnm ended with {done.returncode}: {done.stderr}")
    return target


def render_state(state: Path, image: Path, target: Path) -> tuple[Path, str]:
    """The image as dcmtk shows it through a presentation state, a PGM, and what it is to draw."""
    done = _run(require_binary("dcmp2pgm", "dcmtk"), "-v", "-p", state, image, target)
    if done.returncode != 0:
        pytest.fail(f"dcmp2pgm ended with {done.returncode}: {done.stderr}")
    return target, done.stdout + done.stderr


def _run(
    program: Path, *arguments: str | Path, timeout_s: float = 60
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(program), *(str(argument) for argument in arguments)],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout_s,
        check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )


def fhir_r4(resource: Mapping[str, Any]) -> list[str]:
    """What HL7's schema of R4 finds wrong with it, and with each resource that it holds."""
    held = [entry["resource"] for entry in resource.get("entry", ()) if "resource" in entry]
    found = [line for each in (*held, *resource.get("contained", ())) for line in fhir_r4(each)]
    validator = _fhir_validator(resource["resourceType"])
    return found or [error.message for error in validator.iter_errors(resource)]


@cache
def _fhir_validator(resource_type: str) -> jsonschema_rs.Draft6Validator:
    schema = json.loads((require_package(FHIR_R4) / "fhir.schema.json").read_text())
    return jsonschema_rs.Draft6Validator(
        {"$ref": f"#/definitions/{resource_type}", "definitions": schema["definitions"]}
    )
