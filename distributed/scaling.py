"""Reckons how training by several ranks scales, from what was measured on one core and from a network's latency and bandwidth.

`python3 scaling.py` prints the tables of README.md; with `--microseconds` and `--gigabytes`, as the program `network` prints them, those of
one's own network. The model is that of the README: a batch of B images is cut into shards; a
rank computes its shards one after the other on one core, exchanges, and takes the whole step of the optimizer.
"""

from argparse import ArgumentParser
from math import ceil, log2

# What travels together: weights that are summed over the shards, others, and floats of an image that a dense layer keeps. The last
# layers, to the third convolution, travel while the backward pass of the last shard goes through the first two.
AHEAD, LAST = (37_578, 36_928, 640), (18_816, 0, 0)
# Zen 5, 2026-11-26, benches/README.md: 15.59 ms at batch 512 on one core, of which 32 shards of 16 images take 0.455 ms each.
IMAGE, STEP = 0.455e-3 / 16, 1.03e-3
# The part of an image's time that those two convolutions' backward pass takes: README.md.
MEANWHILE = 0.3
# Latency of a message, and bytes a second; assumed.
NETWORKS = {"InfiniBand, 2 us, 20 GB/s": (2e-6, 20e9), "Ethernet, 20 us, 2.5 GB/s": (20e-6, 2.5e9)}
GROUP = 8


def shards(batch):
    """As `train/shards.rs` has it for this network at these sizes."""
    return {32: 4, 64: 4, 128: 8, 256: 16, 512: 32}.get(batch, 64)


def part(tasks, ranks, rank):
    return rank * tasks // ranks, (rank + 1) * tasks // ranks


def terms(start, end):
    count = 0
    while start < end:
        start = min(end, start + GROUP) if start % GROUP == 0 else start + 1
        count += 1
    return count


def travel(stage, batch, ranks, network, floats):
    """The seconds of a stage's exchange, and the bytes of the rank that gives or gets most."""
    latency, bandwidth = network
    sharded, rest, factors = stage
    weights = sharded + rest
    all_shards = shards(batch)
    of_rank = [terms(*part(all_shards, ranks, rank)) for rank in range(ranks)]
    ends = [min(sharded, (rank + 1) * weights // ranks) for rank in range(ranks)]
    summed = [end - start for start, end in zip([0] + ends, ends)]
    even = (ranks - 1) / ranks * floats
    gathered = even * (weights + batch * factors)
    given = max(of_rank[rank] * (sharded - summed[rank]) for rank in range(ranks)) * floats
    got = max((sum(of_rank) - of_rank[rank]) * summed[rank] for rank in range(ranks)) * floats
    # Factors and sums are gathered by doubling; terms go from each to each.
    messages = (2 if factors else 1) * ceil(log2(ranks)) + ranks - 1
    moved = gathered + max(given, got)
    return messages * latency + moved / bandwidth, moved


def travel_in_any_order(stage, _batch, ranks, network, floats):
    """The same where the communicator adds up: twice all bytes but for one part, of each run of weights."""
    latency, bandwidth = network
    sharded, rest, _factors = stage
    moved = 2 * (ranks - 1) / ranks * floats * (sharded + rest)
    return 2 * ceil(log2(ranks)) * (1 + (rest > 0)) * latency + moved / bandwidth, moved


def exchange(batch, ranks, network, way):
    """The seconds that a step waits for exchanges, and the bytes of the rank that gives or gets most."""
    if ranks == 1:
        return 0.0, 0
    travels, floats, at_once = way
    ahead, last = (travels(stage, batch, ranks, network, floats) for stage in (AHEAD, LAST))
    meanwhile = MEANWHILE * IMAGE * batch / shards(batch) if at_once else 0.0
    # Header and tallies.
    rest = 2 * ceil(log2(ranks)) * network[0]
    return max(0.0, ahead[0] - meanwhile) + last[0] + rest, ahead[1] + last[1]


def step(batch, ranks, network, way):
    busiest = ceil(shards(batch) / ranks) * batch / shards(batch)
    return busiest * IMAGE + STEP + exchange(batch, ranks, network, way)[0]


# How gradients travel, in how many bytes each, and whether others are computed meanwhile.
WAYS = {
    "in order": (travel, 4, True),
    "apart": (travel, 4, False),
    "any order": (travel_in_any_order, 4, True),
    "bf16": (travel_in_any_order, 2, True),
}


def table(title, batch_of, networks):
    for name, network in networks.items():
        print(f"\n{title}; {name}\n\n| ranks | batch | MB a step | " + " | ".join(WAYS) + " |")
        print("| --- " * (3 + len(WAYS)) + "|")
        for ranks in [1, 2, 4, 8, 16, 32, 64]:
            batch = batch_of(ranks)
            one = [step(batch_of(1), 1, network, way) / batch_of(1) for way in WAYS.values()]
            speeds = [f"{one * batch / step(batch, ranks, network, way):.1f}" for one, way in zip(one, WAYS.values())]
            moved = exchange(batch, ranks, network, WAYS["in order"])[1] / 1e6
            print(f"| {ranks} | {batch} | {moved:.2f} | " + " | ".join(speeds) + " |")


arguments = ArgumentParser(description="How training by several ranks scales")
arguments.add_argument("--microseconds", type=float, help="the latency of a message")
arguments.add_argument("--gigabytes", type=float, help="what each rank gets in a second, in 1e9 bytes")
given = arguments.parse_args()
networks = NETWORKS
if (given.microseconds is None) != (given.gigabytes is None):
    arguments.error("--microseconds and --gigabytes go together")
if given.microseconds is not None:
    if given.microseconds < 0 or given.gigabytes <= 0:
        arguments.error("--microseconds is at least 0, --gigabytes more")
    name = f"{given.microseconds:g} us, {given.gigabytes:g} GB/s"
    networks = {name: (given.microseconds / 1e6, given.gigabytes * 1e9)}
table("Strong scaling: images a second against one rank, always 512 images a step", lambda ranks: 512, networks)
table("Weak scaling: the same with 64 images for each rank", lambda ranks: 64 * ranks, networks)
