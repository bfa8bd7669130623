"""SQS, SNS and EventBridge, as far as a client of ECS's events meets them.

A queue is at least once: what was received is hidden for the visibility timeout, and comes again unless it is
deleted by the receipt of that time. Whoever sends to a queue needs its policy's leave, as in AWS: a topic or a rule
that has none loses what it sends. EventBridge's rule is the control door's: it sends an "ECS Task State Change" to
one target, some time after the task changed.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import json
import threading
import time
import uuid
from typing import Any, Callable, Iterator

from . import errors, wire
from .world import ACCOUNT, Cluster, Key, Refused, Task, World

Document = dict[str, Any]

LONGEST_WAIT = 20
MOST_MESSAGES = 10
LOOK_SECONDS = 0.05  # how often a long poll looks whether its client is still there
DEFAULTS = {"VisibilityTimeout": "30", "MessageRetentionPeriod": "345600", "ReceiveMessageWaitTimeSeconds": "0"}
_TIMES = {"createdAt", "startedAt", "stoppingAt", "stoppedAt", "connectivityAt", "pullStartedAt", "pullStoppedAt",
          "executionStoppedAt"}
# What the API tells and an event does not.
_NOT_TOLD = {"healthStatus", "tags", "enableExecuteCommand", "platformFamily"}


def _error(code: str, message: str) -> errors.AwsError:
    return errors.AwsError(f"com.amazonaws.sqs#{code}", message)


@dataclasses.dataclass
class Message:
    body: str
    sent_at: float
    id: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))
    visible_at: float = 0.0
    receipt: str = ""
    times_received: int = 0


class Queue:
    def __init__(self, name: str, url: str, arn: str, attributes: dict[str, str]) -> None:
        self.name, self.url, self.arn = name, url, arn
        self.attributes = attributes
        self.messages: list[Message] = []
        self.deleted = 0

    def seconds(self, attribute: str) -> int:
        return int(self.attributes.get(attribute, DEFAULTS[attribute]))

    def drop_old(self, now: float) -> None:
        kept = self.seconds("MessageRetentionPeriod")
        self.messages = [message for message in self.messages if now - message.sent_at < kept]

    def allows(self, service: str, source: str) -> bool:
        """Does the policy let this service send, in the name of that topic or rule?"""
        try:
            statements = json.loads(self.attributes.get("Policy", "{}")).get("Statement", [])
        except ValueError:
            return False
        return any(_permits(statement, service, source, self.arn) for statement in statements)


def _permits(statement: Document, service: str, source: str, queue: str) -> bool:
    principal, resource = statement.get("Principal", {}), statement.get("Resource")
    wanted = [value for test in ("ArnEquals", "ArnLike")
              for value in statement.get("Condition", {}).get(test, {}).values()]
    return (statement.get("Effect") == "Allow" and resource in ("*", queue)
            and (principal == "*" or principal.get("Service") == service)
            and statement.get("Action") in ("sqs:SendMessage", "SQS:SendMessage", "sqs:*")
            and all(value == source for value in wanted))


@dataclasses.dataclass
class Subscription:
    arn: str
    queue: str  # its ARN
    raw: bool


class Topic:
    def __init__(self, arn: str) -> None:
        self.arn = arn
        self.subscriptions: dict[str, Subscription] = {}


@dataclasses.dataclass
class Rule:
    """Where events go; `loss` and `repeat`: each so-many-th is lost, or comes twice (0: none)."""

    target: str = ""  # ARN of a queue or of a topic
    delay: float = 0.3
    loss: int = 0
    repeat: int = 0
    arn: str = f"arn:aws:events:eu-west-1:{ACCOUNT}:rule/rollcall"


class Bus:
    """All queues and topics. Under its own lock: a long poll must not hold up the world."""

    def __init__(self, region: str, later: Callable[[float, Callable[[], None]], None]) -> None:
        self._region = region
        self._later = later
        self._changed = threading.Condition()
        self.queues: dict[str, Queue] = {}  # by URL
        self.topics: dict[str, Topic] = {}  # by ARN
        self.rule = Rule()
        self.cooldown = 60.0  # before the name of a deleted queue may be used again
        self._deleted: dict[str, float] = {}
        self._count = itertools.count(1)
        self.sent: collections.Counter[str] = collections.Counter()
        self.base_url = ""

    # Events

    def changed(self, task: Task) -> None:
        """A task has changed: what is true now will be told after the rule's delay."""
        if not self.rule.target:
            return
        event = event_of(task, self._region)
        self._later(self.rule.delay, lambda: self._tell(event))

    def _tell(self, event: Document) -> None:
        number, rule = next(self._count), self.rule
        if rule.loss and number % rule.loss == 0:
            self.sent["lost"] += 1
            return
        for _ in range(2 if rule.repeat and number % rule.repeat == 0 else 1):
            self.publish(rule.target, json.dumps(event), "events.amazonaws.com", rule.arn)

    def publish(self, target: str, body: str, service: str, source: str) -> None:
        with self._changed:
            topic = self.topics.get(target)
            if topic is None:
                self._send(target, body, service, source)
                return
            for subscription in topic.subscriptions.values():
                text = body if subscription.raw else _wrapped(topic.arn, body)
                self._send(subscription.queue, text, "sns.amazonaws.com", topic.arn)

    def _send(self, queue_arn: str, body: str, service: str, source: str) -> None:
        queue = next((queue for queue in self.queues.values() if queue.arn == queue_arn), None)
        if queue is None or not queue.allows(service, source):
            self.sent["refused"] += 1
            return
        self.put(queue, body)

    def put(self, queue: Queue, body: str) -> None:
        with self._changed:
            queue.messages.append(Message(body, time.monotonic()))
            self.sent["delivered"] += 1
            self._changed.notify_all()

    # What both doors do

    def make_queue(self, name: str, account: str, attributes: dict[str, str]) -> Queue:
        with self._changed:
            url = f"{self.base_url}/{account}/{name}"
            if url not in self.queues:
                arn = f"arn:aws:sqs:{self._region}:{account}:{name}"
                self.queues[url] = Queue(name, url, arn, dict(attributes))
            return self.queues[url]

    def make_topic(self, name: str, account: str) -> Topic:
        arn = f"arn:aws:sns:{self._region}:{account}:{name}"
        return self.topics.setdefault(arn, Topic(arn))

    def queue_named(self, name: str) -> Queue:
        found = [queue for queue in self.queues.values() if name in (queue.name, queue.url, queue.arn)]
        if len(found) != 1:
            raise Refused(f"{len(found)} queues are called {name!r}")
        return found[0]

    def remove_queue(self, queue: Queue) -> None:
        with self._changed:
            del self.queues[queue.url]
            self._deleted[queue.url] = time.monotonic()
            self._changed.notify_all()

    # SQS

    def _queue(self, request: Document, key: Key) -> Queue:
        queue = self.queues.get(request.get("QueueUrl", ""))
        if queue is None or queue.arn.split(":")[4] != key.account:
            raise _error("QueueDoesNotExist", "The specified queue does not exist.")
        return queue

    def create_queue(self, key: Key, request: Document) -> Document:
        name, attributes = request["QueueName"], request.get("Attributes", {})
        url = f"{self.base_url}/{key.account}/{name}"
        if time.monotonic() - self._deleted.get(url, -1e9) < self.cooldown:
            raise _error("QueueDeletedRecently", "You must wait 60 seconds after deleting a queue before you can "
                                                 "create another with the same name.")
        known = self.queues.get(url)
        if known and any(known.attributes.get(name) != value for name, value in attributes.items()):
            raise _error("QueueNameExists", "A queue already exists with the same name and a different value for "
                                            "attribute")
        return {"QueueUrl": self.make_queue(name, key.account, attributes).url}

    def get_queue_url(self, key: Key, request: Document) -> Document:
        return {"QueueUrl": self._queue({"QueueUrl": f"{self.base_url}/{key.account}/{request['QueueName']}"}, key).url}

    def get_queue_attributes(self, key: Key, request: Document) -> Document:
        queue, names = self._queue(request, key), request.get("AttributeNames", [])
        known = {**DEFAULTS, **queue.attributes, "QueueArn": queue.arn,
                 "ApproximateNumberOfMessages": str(len(queue.messages))}
        return {"Attributes": {name: value for name, value in known.items() if name in names or "All" in names}}

    def set_queue_attributes(self, key: Key, request: Document) -> Document:
        self._queue(request, key).attributes.update(request["Attributes"])
        return {}

    def delete_queue(self, key: Key, request: Document) -> Document:
        self.remove_queue(self._queue(request, key))
        return {}

    def purge_queue(self, key: Key, request: Document) -> Document:
        self._queue(request, key).messages.clear()
        return {}

    def delete_message_batch(self, key: Key, request: Document) -> Document:
        queue, gone, failed = self._queue(request, key), [], []
        if not 1 <= len(request["Entries"]) <= MOST_MESSAGES:
            raise _error("TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10.")
        for entry in request["Entries"]:
            kept = [message for message in queue.messages if message.receipt != entry["ReceiptHandle"]]
            if not entry["ReceiptHandle"]:
                failed.append({"Id": entry["Id"], "SenderFault": True, "Code": "ReceiptHandleIsInvalid"})
                continue
            queue.deleted += len(queue.messages) - len(kept)
            queue.messages = kept
            gone.append({"Id": entry["Id"]})
        return {"Successful": gone, "Failed": failed}

    def receive(self, key: Key, request: Document, is_gone: Callable[[], bool]) -> Document:
        """A long poll; until something comes, the time is over, or the client hangs up."""
        with self._changed:
            queue = self._queue(request, key)
            wait = request.get("WaitTimeSeconds", queue.seconds("ReceiveMessageWaitTimeSeconds"))
            most, end = request.get("MaxNumberOfMessages", 1), time.monotonic() + wait
            if not 0 <= wait <= LONGEST_WAIT or not 1 <= most <= MOST_MESSAGES:
                raise _error("InvalidParameterValue", "Value for parameter is invalid.")
            hidden = request.get("VisibilityTimeout", queue.seconds("VisibilityTimeout"))
            while True:
                found = list(itertools.islice(self._take(queue, hidden), most))
                left = end - time.monotonic()
                if found or left <= 0 or is_gone():
                    return {"Messages": found} if found else {}
                self._changed.wait(min(LOOK_SECONDS, left))
                queue = self._queue(request, key)

    @staticmethod
    def _take(queue: Queue, hidden: float) -> Iterator[Document]:
        now = time.monotonic()
        queue.drop_old(now)
        for message in queue.messages:
            if message.visible_at > now:
                continue
            message.visible_at, message.receipt = now + hidden, uuid.uuid4().hex
            message.times_received += 1
            yield {"MessageId": message.id, "ReceiptHandle": message.receipt, "Body": message.body,
                   "MD5OfBody": "0" * 32}

    def perform(self, key: Key, action: str, request: Document, is_gone: Callable[[], bool]) -> Document:
        """One call to SQS; raises AwsError."""
        if action == "ReceiveMessage":
            return self.receive(key, request, is_gone)
        calls = {"CreateQueue": self.create_queue, "GetQueueUrl": self.get_queue_url,
                 "GetQueueAttributes": self.get_queue_attributes, "SetQueueAttributes": self.set_queue_attributes,
                 "DeleteQueue": self.delete_queue, "PurgeQueue": self.purge_queue,
                 "DeleteMessageBatch": self.delete_message_batch}
        if action not in calls:
            raise errors.unknown_operation()
        with self._changed:
            return calls[action](key, request)


def _wrapped(topic: str, body: str) -> str:
    """As SNS delivers it unless the subscription asks for raw messages."""
    return json.dumps({"Type": "Notification", "MessageId": str(uuid.uuid4()), "TopicArn": topic, "Message": body,
                       "Timestamp": "2026-01-01T00:00:00.000Z", "SignatureVersion": "1"})


# SNS: called as sts's are, under the world's lock.

def _topic(world: World, arn: str, key: Key | None) -> Topic:
    topic = world.bus.topics.get(arn)
    if topic is None or key is None or topic.arn.split(":")[4] != key.account:
        raise errors.AwsError("NotFound", "Topic does not exist", 404)
    return topic


def subscribe(world: World, key: Key | None, request: Document) -> Document:
    topic, queue = _topic(world, request["TopicArn"], key), request.get("Endpoint", "")
    if request.get("Protocol") != "sqs" or not queue.startswith("arn:aws:sqs:"):
        raise errors.AwsError("InvalidParameter", "Invalid parameter: SQS endpoint ARN")
    raw = request.get("Attributes", {}).get("RawMessageDelivery") == "true"
    for known in topic.subscriptions.values():
        if known.queue == queue:
            return {"SubscriptionArn": known.arn}
    made = Subscription(f"{topic.arn}:{uuid.uuid4()}", queue, raw)
    topic.subscriptions[made.arn] = made
    return {"SubscriptionArn": made.arn}


def unsubscribe(world: World, _key: Key | None, request: Document) -> Document:
    for topic in world.bus.topics.values():
        topic.subscriptions.pop(request["SubscriptionArn"], None)
    return {}


SNS_ACTIONS: dict[str, Callable[[World, Key | None, Document], Document]] = {
    "Subscribe": subscribe, "Unsubscribe": unsubscribe}


# The event

def _iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds * 1000) % 1000:03d}Z"


def event_of(task: Task, region: str) -> Document:
    """As documented: the task as DescribeTasks tells it, but for ISO times, "eni", and no health."""
    detail = {name: _iso(value) if name in _TIMES else value for name, value in wire.task(task).items()
              if name not in _NOT_TOLD}
    detail["attachments"] = [{**attachment, "type": "eni"} for attachment in detail["attachments"]
                             if attachment["type"] == "ElasticNetworkInterface"]
    for container in detail["containers"]:
        container.pop("healthStatus", None)
    cluster: Cluster = task.cluster
    return {"version": "0", "id": str(uuid.uuid4()), "detail-type": "ECS Task State Change", "source": "aws.ecs",
            "account": cluster.account, "time": _iso(time.time())[:19] + "Z", "region": region,
            "resources": [task.arn], "detail": detail}
