"""The codes of our objects, each named once."""

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from sr_templates.probability import UNTRAINED

SUMMARY = Code("121111", "DCM", "Summary")
COMMENT = Code("121106", "DCM", "Comment")
SHORT_LABEL = Code("125309", "DCM", "Short label")
"""What a viewer may write beside the outline."""
PROCEDURE = codes.LN.CTUnspecifiedBodyRegion
"""Must be in CID 100, which has no CT of a named region, or pixelmed's validator reports an error:
the region stands beside the slices, as the target region."""
TARGET_REGION = Code("123014", "DCM", "Target Region")
CHEST = Code("51185008", "SCT", "Chest")

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

LONG_AXIS = Code("103339001", "SCT", "Long Axis")
SHORT_AXIS = Code("103340004", "SCT", "Short Axis")
DIAMETER = codes.SCT.Diameter
MEAN = codes.SCT.Mean
VOLUME = codes.SCT.Volume
ATTENUATION = codes.DCM.AttenuationCoefficient
CUBIC_MILLIMETER = codes.UCUM.CubicMillimeter
HOUNSFIELD_UNIT = codes.UCUM.HounsfieldUnit
FROM_MARK = Code("FROM_MARK", PRIVATE_SCHEME, "Measured from the mark")
AS_ANNOTATED = Code("AS_ANNOTATED", PRIVATE_SCHEME, "Stated by the annotation")
"""Measurement Methods: of our numbers, and of those that came with the mark.  CID 6147, the defined
context group, has response criteria only."""

VOLUME_CHANGE = Code("VOLUME_CHANGE", PRIVATE_SCHEME, "Change in volume since the earlier CT")
VOLUME_DOUBLING_TIME = Code("DOUBLING_TIME", PRIVATE_SCHEME, "Volume doubling time")
"""PS3.16 has no code for either: CID 6133, chest quantitative temporal difference, has differences
in size and in location, and no rate."""
DAY = Code("d", "UCUM", "day")

SCORE = Code("{score}", "UCUM", "score")
"""Some viewers write the unit's value behind the number: "3 1" of no unit would be misread."""
RATED_FROM = Code(
    "RATED_FROM", PRIVATE_SCHEME, "Rated from, of nodules of a like probability (1 to 5)"
)
RATED_TO = Code("RATED_TO", PRIVATE_SCHEME, "Rated to, of nodules of a like probability (1 to 5)")
"""Between which at least nine in ten panels of radiologists rated such nodules for suspicion.  Two
numbers, and not one with TID 310's range of uncertainty: pixelmed's validator takes any number
below a number for what it was inferred from."""

TEXTURE = Code("C41144", "NCIt", "Texture")
SOLID = Code("RID50151", "RADLEX", "Solid pulmonary nodule")
PART_SOLID = Code("RID50152", "RADLEX", "Part-solid pulmonary nodule")
GROUND_GLASS = Code("RID50153", "RADLEX", "Non-solid pulmonary nodule")

RIGHT = Code("24028007", "SCT", "Right")
LEFT = Code("7771000", "SCT", "Left")
UPPER_LOBE = Code("45653009", "SCT", "Upper lobe of lung")
MIDDLE_LOBE = Code("40020002", "SCT", "Middle lobe of lung")
LOWER_LOBE = Code("90572001", "SCT", "Lower lobe of lung")

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
