"""A consumer as the Sensu server is one, by pika: queues bound to Sensu's exchanges, and what is in them.

    python3 tests/rig/amqp.py PORT CA CERT KEY ACTION...

Actions, in order: `bind` declares the exchanges `results` and `keepalives` as Sensu does and binds a queue to each;
`bind-durable` declares the exchanges durable, as somebody else may have; `unbind` deletes the queues; `get:N` prints each
message as one JSON object on a line, N of them or what there is after 20 seconds. Works on the virtual host /sensu.
"""

import json
import ssl
import sys
import time

import pika

PATIENCE_S = 20
PIPES = ("results", "keepalives")


def main(port: str, ca: str, cert: str, key: str, actions: list) -> None:
    """Connects and does what it is told."""
    context = ssl.create_default_context(cafile=ca)
    context.load_cert_chain(cert, key)
    parameters = pika.ConnectionParameters(
        host="127.0.0.1", port=int(port), virtual_host="/sensu",
        credentials=pika.PlainCredentials("client.test", "hush-hush"),
        ssl_options=pika.SSLOptions(context, "broker.test"),
    )
    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()
    for action in actions:
        if action in ("bind", "bind-durable"):
            bind(channel, action == "bind-durable")
        elif action == "unbind":
            for pipe in PIPES:
                channel.queue_delete(pipe)
        else:
            get(channel, int(action.removeprefix("get:")))
    connection.close()


def bind(channel, durable: bool) -> None:
    """Exchanges and queues of Sensu's pipes."""
    for pipe in PIPES:
        channel.exchange_declare(pipe, exchange_type="direct", durable=durable)
        channel.queue_declare(pipe, auto_delete=True)
        channel.queue_bind(pipe, pipe, routing_key="")


def get(channel, count: int) -> None:
    """Prints messages of both queues."""
    until, found = time.monotonic() + PATIENCE_S, 0
    while found < count and time.monotonic() < until:
        for pipe in PIPES:
            method, properties, body = channel.basic_get(pipe, auto_ack=True)
            if method:
                found += 1
                told = {"exchange": method.exchange, "id": properties.message_id, "type": properties.content_type}
                print(json.dumps({**told, "body": body.decode()}), flush=True)
        if found < count:
            time.sleep(0.01)


if __name__ == "__main__":
    main(*sys.argv[1:5], sys.argv[5:])
