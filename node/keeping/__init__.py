"""What is kept, whose it is, and for how long: database and storage directory, seen together.

- `identity`: a database and a storage directory that belong together, and no others
"""
