"""What the conformance statement says of reports in words: FHIR and HL7."""

from node.operator.markdown import table


def told_in_words() -> list[str]:
    """What a RIS is told of a report."""
    return [
        "## Results for a RIS",
        "",
        "A destination of kind `fhir` or `hl7` is told what the report says, read back from the "
        'stored report: its lines, headline first and "for research use" among them, and of each '
        "nodule the number as the report has it, sizes, site, texture and the sentence with band "
        "and limits. A study without a result is told too, without any number. Queue, retries and "
        "diary are those of a PACS; pictures are not sent.",
        "",
        *table(
            ("", "`fhir`", "`hl7`"),
            [
                (
                    "message",
                    "FHIR R4: transaction Bundle, POST to `url`, of one DiagnosticReport",
                    "HL7 2.5.1 ORU^R01 over MLLP, UTF-8; over TLS with `tls = true`, and with a "
                    "certificate of this node's if there is a `certificate_file`",
                ),
                (
                    "a nodule",
                    "an Observation, contained in the report: replaced with it, so no old number "
                    "stays behind",
                    "OBX under a sub-ID of its own (OBX-4); the lines of the report under 0.1, 0.2",
                ),
                (
                    "not analysed",
                    "Observation.dataAbsentReason, no value",
                    "OBX-11 X, the reason as TX, no NM",
                ),
                (
                    "identity",
                    "identifier derived from the study; conditional update (PUT) on it",
                    "filler order number (OBR-3) derived from the study",
                ),
                (
                    "a revision",
                    "the same identifier, status corrected (before: preliminary)",
                    "the same OBR-3, OBR-25 and OBX-11 C (before: P)",
                ),
                (
                    "a technical failure",
                    "an identifier of its own: it takes no result's place",
                    "an OBR-3 of its own",
                ),
                (
                    "refers to",
                    "Patient by identifier (`patient_id_system`), ServiceRequest by accession "
                    "number; ImagingStudy with the series of CT, captures and report",
                    "PID from the report; OBR-2 placer order number, OBR-18 accession number; "
                    "Study, Series and SOP Instance UID of the report",
                ),
                (
                    "done",
                    "2xx, and every entry of the answer 2xx",
                    "MSA-1 AA or CA of this message",
                ),
                (
                    "tried again slowly",
                    "an answer that does not say so; 401, 404, 412 and the like",
                    "AE, AR, CE, CR, or no acknowledgement of this message",
                ),
            ],
        ),
        "",
        "`m3node echo` asks `GET {url}/metadata` of the one, and whether something listens of the "
        "other.",
        "",
    ]
