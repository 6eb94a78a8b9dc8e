"""The whole system on one machine, without containers.

`python -m deploy.local up` starts it. The servers are classes that stand on their own
(`PostgresServer`, `KafkaServer`, `GatewayServer`): the tests take theirs from here.
"""
