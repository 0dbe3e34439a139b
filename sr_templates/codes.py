"""The codes of our objects, each named once."""

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from sr_templates.probability import UNTRAINED

SUMMARY = Code("121111", "DCM", "Summary")
COMMENT = Code("121106", "DCM", "Comment")
SHORT_LABEL = Code("125309", "DCM", "Short label")
"""What a viewer may write beside the outline."""
PROCEDURE = codes.LN.CTUnspecifiedBodyRegion
"""Must be in CID 100, or pixelmed's validator reports an error."""

QUALITATIVE_EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")
FINDING = codes.DCM.Finding
TRACKING_ID = codes.DCM.TrackingIdentifier
TRACKING_UID = codes.DCM.TrackingUniqueIdentifier

NODULE = codes.SCT.Nodule
LUNG = codes.SCT.Lung
NOT_EVALUATED = Code("373121007", "SCT", "Not Evaluated")
"""CID 3703; asserts neither a nodule nor its absence."""

DRAWN_REPORT = codes.DCM.ImagingMeasurementReport
TOLD_REPORT = codes.DCM.OncologyMeasurementReport
"""Both of CID 7021.  OHIF draws only what has the first title, and shows a black viewport where
there is nothing to draw; a report with the second it shows as text, the headline first."""

PROBABILITY_OF_CANCER = codes.DCM.ProbabilityOfCancer
PRIVATE_SCHEME = "99M3NODE"
UNTRAINED_OUTPUT = Code("UNTRAINED_OUTPUT", PRIVATE_SCHEME, UNTRAINED)
"""What untrained weights give.  It is no probability of cancer, so it must not have that code; and
viewers write a measurement's name and number onto the CT, and nothing else of the report."""

DIAMETER = codes.SCT.Diameter
PERCENT = Code("%", "UCUM", "Percent")
MILLIMETER = codes.UCUM.Millimeter
MALIGNANCY = Code("RID36042", "RADLEX", "Malignancy")
MALIGNANT = codes.SCT.Malignant

DEVICE = codes.DCM.Device
OF_INTEREST = codes.DCM.OfInterest
REJECTED_FOR_PATIENT_SAFETY = codes.DCM.RejectedForPatientSafetyReasons
"""Both of CID 7010, the titles of key object selections."""
KEY_OBJECT_DESCRIPTION = codes.DCM.KeyObjectDescription
CLASS_ACTIVATION = Code("130403", "DCM", "Gradient-weighted class activation")
"""CID 7180, what a parametric map may be of."""
NO_UNITS = Code("1", "UCUM", "no units")

ARTIFICIAL_INTELLIGENCE = codes.DCM.ArtificialIntelligence
VISUAL_EXPLANATION = Code("130401", "DCM", "Visual explanation")
SOURCE = Code("260753009", "SCT", "Source")
IMAGE_LIBRARY = codes.DCM.ImageLibrary
IMAGE_LIBRARY_GROUP = codes.DCM.ImageLibraryGroup
PROCESSING_EQUIPMENT = Code("109102", "DCM", "Processing Equipment")
SOURCE_OF_PROCESSING = Code("121322", "DCM", "Source image for image processing operation")
