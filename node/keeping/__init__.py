"""What is kept, whose it is, and for how long: database and storage directory, seen together.

- `retention`: what is freed, when and why
- `removal`: files that no row needs leave the disk
- `erasure`: a study of which nothing stays
- `backup`, `manifest`, `restore`: the whole storage at one moment, and back
- `verify`: every file against its digest
- `rebuild`: a lost database is made again from the files
- `identity`: a database and a storage directory that belong together, and no others
"""
