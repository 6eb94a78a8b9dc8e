"""The safeguards of the system: what each keeps true, what switches it off, and which tests then fail.

A test that fails for another reason than the pattern says proves nothing.
"""

from dataclasses import dataclass

CONSUMING = "tests/service/shared/test_consuming.py::"
RELAY = "tests/service/shared/test_relay.py::"
KILLS = "tests/end_to_end/test_kills.py::"
CAMPAIGNS = "tests/service/campaigns/"
CUSTOMERS = "tests/service/customers/"
OUTAGES = "tests/chaos/test_outages.py::"


@dataclass(frozen=True)
class Proof:
    """One test, and a pattern of what it says without the safeguard."""

    test: str
    failure: str

    @property
    def needs_a_system(self) -> bool:
        """Whether it runs a whole system, to kill parts of it."""
        return self.test.startswith(("tests/chaos/", KILLS))


@dataclass(frozen=True)
class Safeguard:
    """One safeguard; `switch` is its fault in `tests.chaos.sabotage`."""

    name: str
    keeps: str
    switch: str
    proofs: tuple[Proof, ...]


SAFEGUARDS = (
    Safeguard(
        "inbox",
        "an event of a topic of facts that is told twice has one effect",
        "inbox_off",
        (Proof(f"{CONSUMING}test_an_event_told_twice_has_one_effect", "an event took effect twice"),),
    ),
    Safeguard(
        "version-guard",
        "a copy never goes back to an older version",
        "version_guard_off",
        (
            Proof(
                "tests/service/shared/test_copies.py::test_an_older_version_that_comes_late_changes_nothing",
                "an older version replaced a newer one",
            ),
        ),
    ),
    Safeguard(
        "known-facts",
        "a fact that is reported twice, or read twice, counts once",
        "facts_are_always_new",
        (
            Proof(
                f"{KILLS}test_facts_survive_their_consumer[consumer_dies_after_commit:2]",
                r"shows \d+ facts where there are 12",
            ),
            Proof(
                f"{OUTAGES}test_consumers_that_join_leave_and_die_under_load_lose_and_repeat_nothing",
                r"shows \d+ facts where there are \d+",
            ),
        ),
    ),
    Safeguard(
        "offsets-after-effects",
        "a consumer that is killed at work gets its batch again",
        "offsets_before_effects",
        (
            Proof(
                f"{CONSUMING}test_while_a_batch_is_being_applied_the_broker_is_not_told_that_it_is_done",
                "10 of 10 records were given up before they were applied",
            ),
            Proof(
                f"{KILLS}test_facts_survive_their_consumer[consumer_dies_before_commit:2]",
                r"shows \d+ of 12 facts",
            ),
        ),
    ),
    Safeguard(
        "offsets-not-by-the-clock",
        "no client says by itself that a batch is done",
        "offsets_by_the_clock",
        (
            Proof(
                f"{CONSUMING}test_while_a_batch_is_being_applied_the_broker_is_not_told_that_it_is_done",
                "10 of 10 records were given up before they were applied",
            ),
        ),
    ),
    Safeguard(
        "earliest-start",
        "a new consumer group reads what was there before it",
        "start_at_the_latest",
        (
            Proof(
                f"{CONSUMING}test_a_new_group_begins_with_what_lay_there_before_it",
                "what lay on the topic before the group is lost",
            ),
        ),
    ),
    Safeguard(
        "dead-letters",
        "what cannot be processed is kept with its error",
        "dead_letters_off",
        (
            Proof(
                "tests/service/shared/test_dead_letters.py::"
                "test_every_kind_of_poison_is_set_aside_with_its_error_and_its_neighbours_pass",
                r"0 letters of \d+ poisoned records",
            ),
        ),
    ),
    Safeguard(
        "passing-faults-are-waited-out",
        "while the database is away nothing is given up",
        "every_fault_is_final",
        (
            Proof(
                f"{CONSUMING}test_a_connection_lost_in_the_middle_of_a_batch_is_no_reason_to_set_it_aside",
                "9 effects of 10",
            ),
            Proof(
                f"{OUTAGES}test_postgres_killed_for_ten_seconds_is_503_and_afterwards_everything_is_there",
                r"shows \d+ of 60 facts",
            ),
        ),
    ),
    Safeguard(
        "consumer-watch",
        "a process whose client library hangs ends, so that a platform starts it again",
        "consumers_unwatched",
        (
            Proof(
                "tests/service/shared/test_consumer_watch.py::"
                "test_a_consumer_that_hears_nothing_though_the_broker_answers_ends_its_process",
                "the process lives on with a consumer that hangs",
            ),
        ),
    ),
    Safeguard(
        "relay-leader",
        "one relay sends, however many run",
        "relay_without_leader",
        (Proof(f"{RELAY}test_beside_a_leader_nobody_sends_however_long_they_wait", "two relays lead at once"),),
    ),
    Safeguard(
        "relay-takeover-wait",
        "a killed relay's last batch arrives before its successor's first",
        "relay_without_takeover_wait",
        (
            Proof(
                f"{RELAY}test_after_a_relay_that_was_killed_the_next_one_waits",
                "while its predecessor's batch may be on its way",
            ),
        ),
    ),
    Safeguard(
        "relay-deletes-what-is-acknowledged",
        "an event leaves the outbox when the broker has it",
        "relay_deletes_before_it_sends",
        (
            Proof(
                f"{RELAY}test_while_a_topic_is_missing_its_events_wait_and_then_go",
                "the event left the outbox, and no broker has it",
            ),
            Proof(
                f"{KILLS}test_changes_survive_their_relay[relay_dies_before_send:3]",
                "has not heard of the last change|versions on the topic",
            ),
        ),
    ),
    Safeguard(
        "relay-waits-for-the-broker",
        "however long the broker is away, what happened meanwhile is told",
        "relay_gives_up",
        (
            Proof(
                f"{OUTAGES}test_kafka_killed_for_twenty_seconds_costs_nothing_and_nobody_is_turned_away",
                "has not heard of the last change",
            ),
        ),
    ),
    Safeguard(
        "events-keep-their-id",
        "an event that is sent again is known by its id",
        "relay_gives_new_ids",
        (
            Proof(
                f"{KILLS}test_changes_survive_their_relay[relay_dies_before_delete:3]",
                r"versions on the topic: \[1, 2, ",
            ),
        ),
    ),
    Safeguard(
        "refused-key-keeps-its-order",
        "no version of a key goes before an older one that was refused",
        "relay_passes_over_what_was_refused",
        (
            Proof(
                f"{RELAY}test_what_was_refused_stays_and_what_follows_it_on_the_same_key_stays_with_it",
                "a version went without the one before it",
            ),
        ),
    ),
    Safeguard(
        "idempotency-key",
        "a request that is repeated with its key happens once",
        "idempotency_off",
        (
            Proof(
                "tests/service/shared/test_idempotency.py::"
                "test_of_many_at_once_one_does_it_and_the_others_wait_or_repeat",
                "more than one customer was made",
            ),
            Proof(
                f"{KILLS}test_requests_survive_their_api[api_dies_before_answer:5]",
                r"\d+ customers where 12 were made",
            ),
        ),
    ),
    Safeguard(
        "fair-over-time",
        "shares are fair over many distributions, not only within one (K4)",
        "turns_are_forgotten",
        (
            Proof(
                f"{CAMPAIGNS}test_distribution.py::test_weights_are_honoured_over_many_calls",
                r"assert 1\.0 < 1",
            ),
        ),
    ),
    Safeguard(
        "daily-capacity",
        "who has had enough today gets no more, however often is distributed (K4)",
        "capacity_is_for_each_call",
        (
            Proof(
                f"{CAMPAIGNS}test_distribution.py::test_a_daily_capacity_is_for_the_day_over_all_calls",
                r"assert \(4, 0\) == \(1, 3\)",
            ),
        ),
    ),
    Safeguard(
        "once-in-a-campaign",
        "a customer has one open opportunity in a campaign that does not allow two (K1)",
        "campaigns_take_anybody_twice",
        (
            Proof(
                f"{CAMPAIGNS}test_opportunities.py::test_a_customer_is_in_a_campaign_once_unless_it_allows_two",
                r"assert \[None, None\] == \[None, 'already_in_campaign'\]",
            ),
        ),
    ),
    Safeguard(
        "chains-end",
        "rules that trigger rules end at the third (K5)",
        "chains_of_rules_go_on",
        (
            Proof(
                f"{CAMPAIGNS}test_automations.py::test_a_chain_of_rules_ends_at_the_third",
                r"'taken'\] == \[.*'left'\]",
            ),
        ),
    ),
    Safeguard(
        "rows-once",
        "a row of a file is written once, however often its chunk comes (M9)",
        "confirmed_rows_are_always_new",
        (
            Proof(
                f"{CUSTOMERS}test_confirmed_rows.py::test_a_chunk_that_comes_twice_writes_once_and_is_answered_twice",
                r"unique constraint \"import_row_pkey\"",
            ),
        ),
    ),
    Safeguard(
        "stale-previews",
        "what changed since the preview is a conflict and stays (M2)",
        "stale_previews_are_written",
        (
            Proof(
                f"{CUSTOMERS}test_confirmed_rows.py::"
                "test_a_stale_preview_is_a_conflict_and_nothing_of_the_row_is_written",
                r"assert \('updated'",
            ),
        ),
    ),
    Safeguard(
        "undo-keeps-later-changes",
        "an undo leaves alone what somebody changed since (M10)",
        "undo_writes_over_later_changes",
        (
            Proof(
                f"{CUSTOMERS}test_import_undo.py::test_cells_come_back_unless_somebody_changed_them_since",
                r"assert \('undone'",
            ),
        ),
    ),
    Safeguard(
        "all-or-nothing",
        "of an import of all or nothing a refused row takes the others back (M10)",
        "refused_rows_take_nothing_back",
        (
            Proof(
                "tests/service/imports/test_all_or_nothing.py::test_a_conflict_in_one_chunk_takes_back_the_others",
                "a refused row let the others stay",
            ),
        ),
    ),
    Safeguard(
        "one-chunk-at-a-time",
        "a chunk that is sent twice waits for itself (M9)",
        "chunks_do_not_wait_for_their_like",
        (
            Proof(
                f"{CUSTOMERS}test_confirmed_rows.py::"
                "test_a_chunk_that_is_sent_again_while_it_is_written_waits_and_is_answered_the_same",
                "it did not wait for the first|import_row_pkey",
            ),
        ),
    ),
    Safeguard(
        "refused-for-the-erased",
        "a row that is refused for somebody who is erased meanwhile keeps nothing of them (C8)",
        "rows_on_their_way_are_not_marked",
        (
            Proof(
                "tests/service/imports/test_erased_on_the_way.py::"
                "test_a_row_refused_for_somebody_who_is_erased_is_emptied_whatever_is_heard_first[False-erasure]",
                "a refused row still says who was erased",
            ),
        ),
    ),
    Safeguard(
        "removals-from-what-is-left",
        "a campaign that is deleted again is removed by one piece of work (K3)",
        "removals_are_begun_again_always",
        (
            Proof(
                f"{CAMPAIGNS}test_removals.py::test_deleted_again_while_it_is_removed_a_campaign_answers_the_same_work",
                "a second removal was begun",
            ),
        ),
    ),
)
