"""One plug-in of every kind, as a package of its own."""
