"""Beyond one machine: the fold of `cds.population` on Apache Spark. Lines, charts and answers are made by the same functions.

`engine.py` runs on the driver and alone touches the database; `executor.py` is what each executor does to its part.
"""
