"""Table 7: what networks cost, ours beside the paper's numbers and what those evidently count."""

from collections.abc import Callable, Sequence

from training.measure.costs import COLUMNS, TABLE_7, as_cells, cost_row
from training.tables.paper import printed_results

HEADS = (*COLUMNS, "paper's Acc %")

NOTES = (
    "Nothing is trained: operations are counted on shapes.",
    "GMACs: convolutions, linear layers, products inside attention. The true size is 64 x 64 x 56 "
    "for a baseline, and for M³Net its three.",
    "The paper's GFLOPs are multiply-accumulates in some rows (M³Net: all three inputs at "
    "32 x 32 x 56) and twice that in others (NASLung); 'the same recounted' counts each row as it "
    "was, at the input that it evidently had.",
    "At its true sizes M³Net costs twice what the paper says; NASLung costs half of it, at equal "
    "inputs.",
)


def cost_cells(
    models: Sequence[str] = tuple(TABLE_7), *, on_row: Callable[[str], None] = lambda _: None
) -> Sequence[Sequence[str]]:
    """A line per model of Table 7, under `HEADS`."""
    accuracy = printed_results(3)
    cells = []
    for model in models:
        on_row(model)
        cells.append((*as_cells(cost_row(model)), f"{accuracy[model]['acc']:.2f}"))
    return cells
