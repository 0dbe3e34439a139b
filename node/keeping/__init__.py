"""What is kept, whose it is, and for how long: database and storage directory, seen together.

- `retention`: what is freed, when and why
- `removal`: files that no row needs leave the disk
- `erasure`: a study of which nothing stays
- `identity`: a database and a storage directory that belong together, and no others
"""
