"""Files people send and files we send back: .xlsx and .csv, no database, no framework.

Guarantees that reading a stranger's file costs bounded time and memory of a child process and ends
either in a table of texts or in `UnreadableFile`. What the texts mean is left to `services.imports`.
"""
