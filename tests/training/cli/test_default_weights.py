"""What the shipped weights' card is told of the report."""

from m3net.weights import load_card
from training.cli import default_weights
from training.data.other_outlines import Outline
from training.shipped.report import OURS


def _row(auc: float) -> dict[str, object]:
    return {
        "auc": {"estimate": auc, "low": auc - 0.02, "high": auc + 0.02},
        "accuracy": {"estimate": 0.8},
        "ece": 0.03,
    }


def test_the_card_tells_ours_and_three_baselines_under_the_names_of_the_shipped_one() -> None:
    """What `m3train maps --card` measures of the finished weights is not the report's."""
    ours = ["_without_mean_3", "_centre_and_diameter", "_centre"]
    ours += [f"_outline_of_{outline.name.lower()}" for outline in Outline]
    told = [OURS, *(OURS + each for each in ours), "size_alone", "gradient_boosting"]
    rows = [*told, "plain_resnet18", "logistic_regression", "networks_alone"]
    spread = {"outlines": 5, "median": 0.01, "percentile_90": 0.02, "percentile_99": 0.03}
    card = default_weights._card(
        {
            "table": {key: _row(0.9 - 0.01 * n) for n, key in enumerate(rows)},
            "moved_by_a_slice": {"less": spread, "more": spread},
            "long_axes_mm": [12.0, 4.4469, 59.93],
        },
        version="1",
        temperature=1.0,
    )
    of_the_maps = {key for key in load_card("default").metrics if key.startswith("map_")}
    assert card.metrics.keys() == load_card("default").metrics.keys() - of_the_maps
    assert (card.metrics["auc"], card.metrics["auc_low"]) == (0.9, 0.88)
    assert card.metrics["auc_of_size_alone"] == 0.84
    assert (card.metrics["long_axis_mm_least"], card.metrics["long_axis_mm_most"]) == (4.4, 59.9)
    assert card.in_short == load_card("default").in_short
