"""M³Net: DICOM in, nodules, malignancy and heat maps out.

This floor reads CT series and nodule annotations, cuts the macro, meso and micro patches, runs the
network and explains it with Grad-CAM.  It knows no network, no database and no queue; `node` serves
it and `training` trains it, both through the same readers.
"""
