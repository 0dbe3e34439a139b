"""Facts on disk: the database and its transactions, the spool and its files."""
