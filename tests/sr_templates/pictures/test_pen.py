from sr_templates.pictures.pen import writable


def test_letters_that_the_typeface_lacks_become_readable_or_question_marks():
    assert writable("Läsion  1") == "Lasion 1"
    assert writable("560 mm³") == "560 mm3"
    assert writable("結節 1") == "?? 1"
