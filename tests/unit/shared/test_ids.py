"""Ids are what the standard library would make, only sooner; keys go where every client of Kafka sends them."""

import copy
import pickle
import random
from uuid import UUID, uuid4, uuid5

from aiokafka.partitioner import murmur2

from shared import relay
from shared.ids import Named, new_id


def test_ids_by_name_are_those_of_the_standard() -> None:
    """A fact that was recorded by another release is known again."""
    for space in (uuid4(), UUID(int=0), UUID(int=2**128 - 1)):
        for name in ("", "a", "tiếng Việt", "call\0answered\0" * 9):
            assert Named(space).id(name) == uuid5(space, name)


def test_new_ids_are_ordinary_and_sort_by_time() -> None:
    """Version 7; equal to, hashed and kept like any other UUID."""
    made = [new_id() for _ in range(1_000)]
    assert {one.version for one in made} == {7}
    assert made == sorted(made)
    for one in made[:3]:
        same = UUID(str(one))
        assert (one, hash(one), repr(one)) == (same, hash(same), repr(same))
        assert pickle.loads(pickle.dumps(one)) == copy.deepcopy(one) == one  # our own bytes


def test_a_key_has_the_partition_that_every_client_gives_it() -> None:
    """Of keys of any length, or a key's order would end where two clients write it."""
    lots = random.Random(7)
    for length in range(70):
        key = lots.randbytes(length)
        for partitions in (1, 12, 50):
            assert relay.partition_of(key, partitions) == (murmur2(key) & 0x7FFFFFFF) % partitions
