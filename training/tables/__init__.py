"""The paper's eight tables, ours beside its own numbers: `m3train table N`."""
