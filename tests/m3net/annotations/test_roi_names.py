import pytest

from m3net.annotations.meaning import Meaning
from m3net.annotations.roi_names import NO_NODULE_TYPES, meaning_of_roi

NODULE, OTHER, UNSAID = Meaning.NODULE, Meaning.OTHER, Meaning.UNSAID


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("Nodule 1", "", NODULE),
        ("nodule_RUL", "ORGAN", NODULE),
        ("NoduleLeft", "", NODULE),
        ("Nodule 8 mm", "", NODULE),
        ("Lesion-3", "", NODULE),
        ("Tumour", "", NODULE),
        ("mass", "", NODULE),
        ("Metastasis 2", "", NODULE),
        ("GTV", "", NODULE),
        ("GTV1", "GTV", NODULE),
        ("GTVp", "", NODULE),
        ("GTV-2", "", NODULE),
        ("GTV_RUL", "", NODULE),
        ("gtv left lung", "", NODULE),
        ("GTV nodule", "", NODULE),
        ("ROI-1", "GTV", NODULE),
        ("GTV_Lung", "", NODULE),
        ("Lung-nodule", "", NODULE),
        ("RUL", "GTV", NODULE),
        ("GTV_T1", "", NODULE),
        ("GTV_T50", "", NODULE),
        ("GTV_L2", "", NODULE),
        ("GTV_T8", "", OTHER),
        ("GTV_T11", "", OTHER),
        ("GTV Th3", "", OTHER),
        ("GTV_MIP", "", OTHER),
        ("GTV_4R", "", OTHER),
        ("GTV 10L", "", OTHER),
        ("GTV_St7", "", OTHER),
        ("GTV_scalp", "", OTHER),
        ("scalp lesion", "", OTHER),
        ("L3 metastasis", "", OTHER),
        ("Lungs-GTV", "", OTHER),
        ("Lung-GTV", "ORGAN", OTHER),
        ("Total Lung - GTV", "", OTHER),
        ("Lungs minus GTV", "", OTHER),
        ("lung_sub_gtv", "", OTHER),
        ("Lungs-tumour", "", OTHER),
        ("Lunge ohne Tumor", "", OTHER),
        ("Lung_L", "", UNSAID),
        ("Lung_L", "GTV", UNSAID),
        ("GTVln7", "", OTHER),
        ("Tumourbed", "", OTHER),
        ("GTVn", "", OTHER),
        ("GTV_LN", "GTV", OTHER),
        ("GTVn1", "GTV", OTHER),
        ("GTV-N2", "", OTHER),
        ("GTVnd", "", OTHER),
        ("GTV nodes", "", OTHER),
        ("GTV+5mm", "", OTHER),
        ("GTV_5mm", "", OTHER),
        ("zGTV_opt", "", OTHER),
        ("Ring GTV", "", OTHER),
        ("Tumor Bed", "CTV", OTHER),
        ("Tumor Bed", "", OTHER),
        ("GTVsb", "", OTHER),
        ("GTV liver", "GTV", OTHER),
        ("Breast", "GTV", OTHER),
        ("PTV", "", OTHER),
        ("zPTV_nodule", "", OTHER),
        ("CTV_tumour", "", OTHER),
        ("ITV", "", OTHER),
        ("IGTV", "", OTHER),
        ("zNodule", "", NODULE),
        ("GTVp1_LUL", "", NODULE),
        ("GTVp_Lung_R", "", NODULE),
        ("GTV_RUL_nodule", "", NODULE),
        ("GTV exp", "", NODULE),
        ("Tumor_c80", "", NODULE),
        ("Neoplasm, Primary", "", NODULE),
        ("iGTV_RUL", "", OTHER),
        ("GTVp+n", "", OTHER),
        ("GTV_p+n", "", OTHER),
        ("GTV_N_hilar", "", OTHER),
        ("GTVp_HN", "", OTHER),
        ("GTV_mediast", "", OTHER),
        ("Tumor_fiducial", "", OTHER),
        ("Gold seed tumor", "", OTHER),
        ("Nodule 5mm margin", "", OTHER),
        ("Nodule_exp5", "", OTHER),
        ("Lung w/o tumor", "", OTHER),
        ("Lung wo GTV", "", OTHER),
        ("lung_ex_tumor", "", OTHER),
        ("Polmoni-GTV", "", OTHER),
        ("Lung_IPSI-GTV", "", OTHER),
        ("Nodule-PTV", "", OTHER),
        ("Chestwall_L", "", OTHER),
        ("GreatVes", "", OTHER),
        ("V_Venacava_S", "", OTHER),
        ("BrachialPlex_R", "", OTHER),
        ("ProxBronchialTree", "", UNSAID),
        ("LUL_SBRT", "", UNSAID),
        ("Nodule", "PTV", OTHER),
        ("Nodule", "MARKER", OTHER),
        ("Nodule", "external", OTHER),
        ("Liver", "ORGAN", OTHER),
        ("95% isodose", "", OTHER),
        ("ROI-1", "", UNSAID),
        ("ROI-1", "ORGAN", UNSAID),
        ("Structure 12", "", UNSAID),
        ("", "", UNSAID),
    ],
)
def test_a_name_and_a_type_say_what_a_region_is(name: str, kind: str, expected: Meaning) -> None:
    assert meaning_of_roi(name, interpreted_type=kind).meaning is expected


def test_label_and_description_count_where_the_name_says_nothing() -> None:
    assert meaning_of_roi("ROI-1", others=("nodule", "")).meaning is NODULE
    assert meaning_of_roi("Liver", others=("nodule",)).meaning is OTHER
    assert meaning_of_roi("GTV", others=("liver met",)).meaning is NODULE


def test_a_reading_never_repeats_the_name() -> None:
    for kind in ("", "GTV", "ORGAN", *NO_NODULE_TYPES):
        for name in ("Mueller^Hans", "Mueller nodule", "Mueller PTV", "Mueller liver"):
            assert "ueller" not in meaning_of_roi(name, interpreted_type=kind).says
    assert meaning_of_roi("x", interpreted_type="Mueller").says == meaning_of_roi("x").says
