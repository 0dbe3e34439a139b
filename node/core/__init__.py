"""What can be medically wrong, as pure functions: no database, no network, no clock.

Read `pipeline` first: it is the whole way from pixels to report.
"""
