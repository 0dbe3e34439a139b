"""The paper's figures, drawn from what runs said of their test nodules: `m3train figure NAME`."""
