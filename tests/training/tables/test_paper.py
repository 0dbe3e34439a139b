"""The paper's numbers are the paper's, and agree with the confusion matrices behind them."""

import pytest

from training.measure import metrics
from training.tables.grid import GRIDS
from training.tables.paper import (
    implied_counts,
    printed_characteristics,
    printed_results,
    what_bacc_is,
)


def test_table_3_is_as_printed() -> None:
    rows = printed_results(3)
    assert len(rows) == 13
    assert rows["M3Net"] == {
        "acc": 86.96, "pre": 86.56, "rec": 86.96, "spec": 86.96,
        "f1": 86.66, "bacc": 80.12, "roc": 85.40, "pr": 87.27,
    }  # fmt: skip
    assert printed_results(3, "USTC-FHLN")["M3Net"]["acc"] == 84.24
    assert printed_characteristics()["Nodules"] == "2,625 (1,992 benign, 633 malignant)"


def test_table_2_has_five_crops_by_five_backbones() -> None:
    rows = printed_results(2)
    assert len(rows) == 25
    assert rows["ConvNeXt-XL 80"] == {"acc": 80.15, "pre": 78.52, "rec": 80.15, "f1": 77.36}


@pytest.mark.parametrize("table", GRIDS)
def test_every_row_of_the_paper_is_in_our_grid(table: int) -> None:
    ours = {row.key for row in GRIDS[table].rows}
    assert set(printed_results(table)) <= ours
    extra = {6: {"clinical"}, 8: {"CE only"}}
    assert ours - set(printed_results(table)) == extra.get(table, set())


def test_figures_that_a_matrix_implies_are_the_printed_ones() -> None:
    found = 0
    for table in GRIDS:
        for row, printed in printed_results(table).items():
            counts = implied_counts(table, row)
            if counts is not None:
                found += 1
                computed = metrics.as_computed(counts)
                for name in ("acc", "pre", "f1"):
                    assert abs(100 * computed[name] - printed[name]) < 0.011, (table, row, name)
    assert found == 42


def test_bacc_is_said_to_be_what_it_is() -> None:
    assert what_bacc_is(implied_counts(3, "MVCS"), 79.52) == "macro precision"
    assert what_bacc_is(implied_counts(3, "M3Net"), 80.12) == "balanced accuracy"
    assert what_bacc_is(None, 80.12) == ""
