from sr_templates.uids import derive_uid


def test_a_uid_is_derived_and_stays_the_same_for_ever():
    assert derive_uid("m3node", "report") == "2.25.112202980451233038809774714054951460203"


def test_parts_are_not_run_together():
    assert derive_uid("ab", "c") != derive_uid("a", "bc") != derive_uid("abc")


def test_a_uid_fits_into_dicom():
    assert len(derive_uid("x" * 10000)) <= 64
    assert derive_uid("x").removeprefix("2.25.").isdigit()
