"""A foreign publisher and consumer. `send`: publishes what stands on standard input, as JSON lines; `receive`: prints the
messages of a queue as JSON lines, and takes them out."""

import json
import sys

import pika



def nested(depth):
    table = {}
    for _ in range(depth):
        table = {"t": table}
    return table


def headers(given):
    made = {}
    for name, value in given.items():
        if isinstance(value, dict) and "hex" in value:
            made[name] = bytes.fromhex(value["hex"])
        elif isinstance(value, dict) and "nested" in value:
            made[name] = nested(value["nested"])
        elif isinstance(value, dict) and "long" in value:
            made[name] = "x" * value["long"]
        else:
            made[name] = value
    return made


def main():
    what, port, queue = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    sys.setrecursionlimit(1_000_000)
    connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port))
    channel = connection.channel()
    channel.confirm_delivery()
    if what == "send":
        for line in sys.stdin:
            given = json.loads(line)
            properties = pika.BasicProperties(**given.get("properties", {}))
            if "headers" in given:
                properties.headers = headers(given["headers"])
            channel.basic_publish("", queue, given["body"].encode(), properties, mandatory=True)
    else:
        while True:
            method, properties, body = channel.basic_get(queue)
            if method is None:
                break
            told = {name: value for name, value in vars(properties).items() if value is not None}
            told["headers"] = {
                name: {"hex": value.hex()} if isinstance(value, bytes) else value
                for name, value in (properties.headers or {}).items()
            }
            print(json.dumps({"properties": told, "body": body.decode()}))
            channel.basic_ack(method.delivery_tag)
    connection.close()


main()
