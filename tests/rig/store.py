"""Reads a local store with Python's own SQLite, which knows nothing of the program that wrote it.

    store.py PATH

Prints one JSON object: `functions` (calls and errors by name), `levels` (log events by level), `logs` (level, message
and fields of each, in order), `points` (how many), `counters` (sums by name), `ledger` (rows of the books), `found`
(how many events full-text search finds for "unreadable*" and for "cannot").
"""

import json
import sqlite3
import sys


def main(path: str) -> None:
    """Prints what is there."""
    store = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    assert store.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    rows = lambda query, *values: store.execute(query, values).fetchall()  # noqa: E731
    matching = "SELECT count(*) FROM logs_fts WHERE logs_fts MATCH ?"
    told = {
        "functions": {name: [calls, errors] for name, calls, errors, *_ in rows("SELECT * FROM v_functions")},
        "levels": dict(rows("SELECT level_name, count(*) FROM logs GROUP BY 1")),
        "logs": [
            {"level": level, "message": message, "fields": json.loads(fields)}
            # As `ops logs` has them: what several threads logged at once may have come to the store in another order.
            for level, message, fields in rows(
                "SELECT v.level, v.message, v.fields FROM v_logs v JOIN logs l USING (id) ORDER BY l.time_ns, l.id"
            )
        ],
        "points": rows("SELECT count(*) FROM points")[0][0],
        "counters": dict(rows("SELECT name, sum(sum) FROM v_points WHERE kind = 'counter' GROUP BY 1")),
        "ledger": [
            dict(zip(["signal", "recorded", "delivered", "pending", "dropped"], row))
            for row in rows("SELECT signal, recorded, delivered, pending, dropped FROM v_ledger ORDER BY signal")
        ],
        "found": {word: rows(matching, word)[0][0] for word in ["cannot", "unreadable*"]},
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
