"""Data sets: one file each, named as the data set. Adding a file adds a data set; `data.load` finds it.

A file has ``load(split, folder) -> Dataset`` and, where the files may be fetched, ``download(folder, *, force)``.
"""
