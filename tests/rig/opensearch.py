"""Reads back from OpenSearch: one JSON object a line.

    opensearch.py ENDPOINT documents TARGET [QUERY]   every document of the streams or indices, by time and sequence:
                                                      `_id`, `_index` and `_source`; QUERY as the search bar takes it
    opensearch.py ENDPOINT mapping TARGET             field and type, of all fields that are mapped
    opensearch.py ENDPOINT streams                    data streams and their templates
    opensearch.py ENDPOINT template NAME              the index template of this name
    opensearch.py ENDPOINT search (TARGET BODY)...    the answers to searches of one's own
"""

import json
import sys

from opensearchpy import OpenSearch


def main(endpoint: str, what: str, *rest: str) -> None:
    """Prints what was asked for."""
    server = OpenSearch(endpoint, timeout=180)
    for line in {"documents": documents, "mapping": mapping, "streams": streams, "template": template, "search": search}[
        what
    ](server, *rest):
        print(json.dumps(line))


def documents(server: OpenSearch, target: str, query: str = "*"):
    """Every document, a page after the other."""
    server.indices.refresh(index=target)
    sort = [{"@timestamp": "asc"}, {"event.id": "asc"}, {"_id": "asc"}]
    body = {"size": 5000, "sort": sort, "query": {"query_string": {"query": query}}}
    server.cluster.put_settings(body={"transient": {"indices.id_field_data.enabled": True}})
    while True:
        hits = server.search(index=target, body=body)["hits"]["hits"]
        for hit in hits:
            yield {key: hit[key] for key in ("_id", "_index", "_source")}
        if len(hits) < body["size"]:
            return
        body["search_after"] = hits[-1]["sort"]


def mapping(server: OpenSearch, target: str):
    """Fields with their types, dotted."""
    found = {}
    for index in server.indices.get_mapping(index=target).values():
        flatten("", index["mappings"].get("properties", {}), found)
    yield found


def flatten(prefix: str, properties: dict, found: dict) -> None:
    """Walks down the objects."""
    for name, field in properties.items():
        if "properties" in field:
            flatten(f"{prefix}{name}.", field["properties"], found)
        else:
            found[f"{prefix}{name}"] = field["type"]


def streams(server: OpenSearch):
    """Data streams and the templates that made them."""
    for stream in server.indices.get_data_stream()["data_streams"]:
        yield {"name": stream["name"], "template": stream["template"]}


def template(server: OpenSearch, name: str):
    """One index template."""
    yield server.indices.get_index_template(name=name)["index_templates"][0]["index_template"]


def search(server: OpenSearch, *pairs: str):
    """The answers as they came."""
    for target, body in zip(pairs[::2], pairs[1::2]):
        server.indices.refresh(index=target)
        yield server.search(index=target, body=json.loads(body))


if __name__ == "__main__":
    main(*sys.argv[1:])
