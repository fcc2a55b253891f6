"""Reads back every event of a log group: one JSON object a line, streams by name, events in the server's order.

    logs.py ENDPOINT GROUP [STREAM]

Each line has `stream`, `timestamp` (milliseconds since the Unix epoch) and `message`. A group that is not there
has no events.
"""

import json
import sys

from client import connect


def main(endpoint: str, group: str, only: str = "") -> None:
    """Prints the events."""
    logs = connect("logs", endpoint)
    for stream in streams(logs, group):
        for event in events(logs, group, stream) if only in ("", stream) else []:
            print(json.dumps({"stream": stream, "timestamp": event["timestamp"], "message": event["message"]}))


def streams(logs, group: str) -> list:
    """The names of the group's streams, in order of name."""
    pages = logs.get_paginator("describe_log_streams").paginate(logGroupName=group)
    try:
        return sorted(stream["logStreamName"] for page in pages for stream in page["logStreams"])
    except logs.exceptions.ResourceNotFoundException:
        return []


def events(logs, group: str, stream: str):
    """Every event of a stream. GetLogEvents has reached its end when it returns the token that it was given."""
    token = None
    while True:
        more = {"nextToken": token} if token else {}
        page = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True, **more)
        yield from page["events"]
        if page["nextForwardToken"] == token:
            return
        token = page["nextForwardToken"]


if __name__ == "__main__":
    main(*sys.argv[1:])
