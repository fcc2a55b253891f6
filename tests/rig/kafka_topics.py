"""Reads topics to their ends, or makes one; with kafka-python, which shares no code with librdkafka.

    kafka_topics.py read BROKER TOPIC...
    kafka_topics.py create BROKER TOPIC PARTITIONS MAX_MESSAGE_BYTES

Each message is a line of JSON: `topic`, `partition`, `offset`, `timestamp` (milliseconds), `key`, `value`, and `headers`,
pairs of texts.
"""

import json
import sys

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import NewTopic


def read(broker: str, *topics: str) -> None:
    """Prints every message, partition by partition."""
    consumer = KafkaConsumer(bootstrap_servers=broker)
    for topic in topics:
        for partition in sorted(consumer.partitions_for_topic(topic) or []):
            messages(consumer, TopicPartition(topic, partition))


def messages(consumer: KafkaConsumer, partition: TopicPartition) -> None:
    """Prints the messages of one partition."""
    end = consumer.end_offsets([partition])[partition]
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    while consumer.position(partition) < end:
        for found in consumer.poll(timeout_ms=1000).values():
            for message in found:
                print(json.dumps({
                    "topic": message.topic,
                    "partition": message.partition,
                    "offset": message.offset,
                    "timestamp": message.timestamp,
                    "key": message.key.decode(),
                    "value": message.value.decode(),
                    "headers": [[name, value.decode()] for name, value in message.headers],
                }))


def create(broker: str, topic: str, partitions: str, bytes_max: str) -> None:
    """Makes a topic that takes no more than so many bytes in a batch."""
    limits = {"max.message.bytes": bytes_max}
    new = NewTopic(name=topic, num_partitions=int(partitions), replication_factor=1, topic_configs=limits)
    KafkaAdminClient(bootstrap_servers=broker).create_topics([new])


if __name__ == "__main__":
    {"read": read, "create": create}[sys.argv[1]](*sys.argv[2:])
