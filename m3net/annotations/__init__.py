"""Nodule annotations: their kinds (`kinds`), who reads them (`readers`), and what they mean."""
