"""The page for operator and radiologist: what came, what it came to, what is wrong now.

`routes` has the addresses; `look` and `frame` make HTML of what each other file gathers, and `bare`
of what strangers see.
"""
