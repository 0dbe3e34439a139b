"""Training and evaluation of M3Net: what the paper reports, measured on data anyone can get."""
