"""Services that end are started again, with pauses that grow and are forgotten."""

from deploy.local.keeper import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, SETTLED_SECONDS, Keeper


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class StandIn:
    """A service that runs until told to end."""

    name = "customers"

    def __init__(self) -> None:
        self.running = False
        self.starts = 0

    def start(self) -> None:
        self.running = True
        self.starts += 1

    def stop(self) -> None:
        self.running = False


def seconds_until_start(keeper: Keeper, service: StandIn, clock: Clock) -> float:
    """End the service and let time pass until the keeper has started it again."""
    service.running = False
    ended = clock.now
    while not service.running:
        keeper.tick()
        clock.now += 0.25
    return clock.now - ended


def test_a_service_that_keeps_ending_is_started_ever_more_slowly() -> None:
    """A service that cannot run must not take the machine from those that can."""
    clock, service = Clock(), StandIn()
    keeper = Keeper([service], clock)
    keeper.start()
    pauses = [seconds_until_start(keeper, service, clock) for _ in range(8)]
    assert pauses[0] <= FIRST_PAUSE_SECONDS + 0.5
    assert pauses == sorted(pauses)
    assert LONGEST_PAUSE_SECONDS <= pauses[-1] <= LONGEST_PAUSE_SECONDS + 0.5


def test_a_service_that_had_settled_comes_back_at_once() -> None:
    """One failure a day is not a service that keeps ending."""
    clock, service = Clock(), StandIn()
    keeper = Keeper([service], clock)
    keeper.start()
    for _ in range(6):
        seconds_until_start(keeper, service, clock)
    clock.now += SETTLED_SECONDS + 1
    assert seconds_until_start(keeper, service, clock) <= FIRST_PAUSE_SECONDS + 0.5


def test_a_running_service_is_left_alone_and_stopped_at_the_end() -> None:
    """Nothing is started twice."""
    clock, service = Clock(), StandIn()
    keeper = Keeper([service], clock)
    keeper.start()
    for _ in range(100):
        keeper.tick()
        clock.now += 1
    assert service.starts == 1
    keeper.stop()
    assert not service.running
