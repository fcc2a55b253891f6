"""Judges requests to Datadog's intake by the typed models of Datadog's own client, and prints what they hold.

    judge_datadog.py FILE

FILE has one JSON object a line: `path`, `encoding` (the header `Content-Encoding`, or null) and `body` in hexadecimal
digits. For each, one line is printed: `path`, and `items`, what was sent as the models read it. Ends with an error if an
encoding is not one that the endpoint takes, a member is missing, of another type or none that the model knows, or an
enumeration has no such value. Log items alone may have members of any name.
"""

import gzip
import json
import pathlib
import sys
import zlib

from datadog_api_client import ApiClient, Configuration
from datadog_api_client.model_utils import ModelComposed, ModelNormal, ModelSimple
from datadog_api_client.v1.model.distribution_points_payload import DistributionPointsPayload
from datadog_api_client.v1.model.service_check import ServiceCheck
from datadog_api_client.v2.model.event_create_request_payload import EventCreateRequestPayload
from datadog_api_client.v2.model.http_log import HTTPLog
from datadog_api_client.v2.model.http_log_item import HTTPLogItem
from datadog_api_client.v2.model.metric_payload import MetricPayload

CLIENT = ApiClient(Configuration())
# Each endpoint's model, where its items are, and the encodings that its documentation names.
ENDPOINTS = {
    "/api/v2/series": ((MetricPayload,), "series", {None, "gzip", "deflate", "zstd1"}),
    "/api/v1/distribution_points": ((DistributionPointsPayload,), "series", {"deflate"}),
    "/api/v2/logs": ((HTTPLog,), None, {None, "gzip", "deflate", "identity"}),
    "/api/v1/check_run": (([ServiceCheck],), None, {None}),
    "/api/v2/events": ((EventCreateRequestPayload,), None, {None}),
}


def main(file: str) -> None:
    """Judges every request of the file."""
    for line in pathlib.Path(file).read_text().splitlines():
        request = json.loads(line)
        print(json.dumps({"path": request["path"], "items": judge(request)}))


def judge(request: dict) -> list:
    """The items of one request, read by the models and as they were."""
    model, member, encodings = ENDPOINTS[request["path"]]
    if request["encoding"] not in encodings:
        sys.exit(f"{request['path']} does not take {request['encoding']}")
    text = decoded(request["encoding"], bytes.fromhex(request["body"])).decode()
    walk(CLIENT.deserialize(text, model, True), request["path"])
    body = json.loads(text)
    items = body[member] if member else body
    return items if isinstance(items, list) else [items]


def decoded(encoding, body: bytes) -> bytes:
    """The body without its encoding."""
    if encoding == "gzip":
        return gzip.decompress(body)
    return zlib.decompress(body) if encoding == "deflate" else body


def walk(value, where: str) -> None:
    """Ends with an error where the models have not understood something."""
    if getattr(value, "_unparsed", False):
        sys.exit(f"{where}: not what {type(value).__name__} has: {value}")
    if isinstance(value, ModelSimple):
        walk(value.value, where)
    elif isinstance(value, ModelComposed):
        for instance in value._composed_instances:
            walk(instance, where)
    elif isinstance(value, ModelNormal):
        for name, inner in value._data_store.items():
            if name not in value.attribute_map and not isinstance(value, HTTPLogItem):
                sys.exit(f"{where}: {type(value).__name__} has no member {name}")
            walk(inner, f"{where}.{name}")
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            walk(inner, f"{where}[{at}]")


if __name__ == "__main__":
    main(*sys.argv[1:])
