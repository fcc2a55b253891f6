"""Reads back the log groups: one JSON object a line with `group` and `retention_days` (null: kept for ever).

    groups.py ENDPOINT
"""

import json
import sys

from client import connect


def main(endpoint: str) -> None:
    """Prints the groups."""
    logs = connect("logs", endpoint)
    for page in logs.get_paginator("describe_log_groups").paginate():
        for group in page["logGroups"]:
            print(json.dumps({"group": group["logGroupName"], "retention_days": group.get("retentionInDays")}))


if __name__ == "__main__":
    main(*sys.argv[1:])
