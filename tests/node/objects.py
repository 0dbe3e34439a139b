"""DICOM objects as a scanner or a workstation sends them; small, and no patient's."""

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from tests.node.core.facts_of import FRAME, STUDY, THICK


def ct_image(number: int, **changed: object) -> Dataset:
    """Slice 0, 1, ... of the series of `facts_of.ct_slice`, 4 x 4; attributes by keyword."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.preamble = b"\0" * 128
    image.SpecificCharacterSet = "ISO_IR 100"
    image.SOPClassUID = CTImageStorage
    image.SOPInstanceUID = f"{THICK}.{number}"
    image.StudyInstanceUID = STUDY
    image.SeriesInstanceUID = THICK
    image.FrameOfReferenceUID = FRAME
    image.PatientName = "Müller^Jörg"
    image.PatientID = "4711"
    image.AccessionNumber = "A17"
    image.StudyDate = "20260301"
    image.Modality = "CT"
    image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    image.SeriesNumber = 3
    image.ConvolutionKernel = "B30f"
    image.SliceThickness = 2.5
    image.ImagePositionPatient = [-180, -180, -100 + 2.5 * number]
    image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    image.PixelSpacing = [0.7, 0.7]
    image.Rows = image.Columns = 4
    image.SamplesPerPixel = 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit = 15
    image.PixelRepresentation = 1
    image.RescaleSlope = 1
    image.RescaleIntercept = -1024
    image.PixelData = bytes(range(32))
    for keyword, value in changed.items():
        setattr(image, keyword, value)
    return image
