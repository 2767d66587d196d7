"""Reads an `etl.py` for Spark without running it, and writes the files with which this package replaces it.

    values        what an expression of the script can be: texts with unknown parts, columns, conditions
    frames        frames: their columns, and what happened to their rows
    recording     what the script does: what it reads, writes, sets, and what could not be understood
    sql           SQL texts as frames
    columns       functions and methods of columns
    library       functions of Python and its libraries that build paths and settings
    storage       methods of readers and writers, and the state of the script
    spark         methods of sessions and frames
    evaluation    the values of expressions
    interpreter   statements, functions and classes
    tables        which of the five tables a write is, and how it differs
    locations     the input, the output and the folders below it
    script        the new `etl.py`, with the functions that callers of the old one use
    report        the result of a migration, and the writing of its files
    conclusions   from everything that was found to the files and the report
    files         new files, which replace no existing ones
    project       the files of a new project

Invariant: nothing of the script is run or imported. A value that is not understood is reported with its line
and never replaced by a guess. No secret of the script is stored in a value that is displayed or written.
"""
