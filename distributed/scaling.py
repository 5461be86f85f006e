"""Reckons how training by several ranks scales, from what was measured on one core and from a network's latency and bandwidth.

`python3 scaling.py` prints the tables of README.md. The network is that of the README: a batch of B images is cut into shards; a
rank computes its shards one after the other on one core, exchanges, and takes the whole step of the optimizer.
"""

from math import ceil, log2

SHARDED, FACTORS = 56_394, 640  # weights that are summed over the shards; floats of an image that the dense layer 576 to 64 keeps
WEIGHTS = SHARDED + 576 * 64
# Zen 5, 2026-11-26, benches/README.md: 15.59 ms at batch 512 on one core, of which 32 shards of 16 images take 0.455 ms each.
IMAGE, STEP = 0.455e-3 / 16, 1.03e-3
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


def exchange(batch, ranks, network, floats=4):
    """The seconds of a step's exchange, and the bytes of the rank that gives or gets most."""
    if ranks == 1:
        return 0.0, 0
    latency, bandwidth = network
    all_shards = shards(batch)
    of_rank = [terms(*part(all_shards, ranks, rank)) for rank in range(ranks)]
    ends = [min(SHARDED, (rank + 1) * WEIGHTS // ranks) for rank in range(ranks)]
    summed = [end - start for start, end in zip([0] + ends, ends)]
    even = (ranks - 1) / ranks * floats
    gathered = even * (WEIGHTS + batch * FACTORS)
    given = max(of_rank[rank] * (SHARDED - summed[rank]) for rank in range(ranks)) * floats
    got = max((sum(of_rank) - of_rank[rank]) * summed[rank] for rank in range(ranks)) * floats
    # Header, tallies, factors and sums are gathered by doubling; terms go from each to each.
    messages = 4 * ceil(log2(ranks)) + ranks - 1
    moved = gathered + max(given, got)
    return messages * latency + moved / bandwidth, moved


def step(batch, ranks, network, floats=4):
    busiest = ceil(shards(batch) / ranks) * batch / shards(batch)
    return busiest * IMAGE + STEP + exchange(batch, ranks, network, floats)[0]


def table(title, batch_of):
    print(f"\n{title}\n\n| ranks | batch | MB a step | " + " | ".join(f"{name} | bf16" for name in NETWORKS) + " |")
    print("| --- " * (3 + 2 * len(NETWORKS)) + "|")
    for ranks in [1, 2, 4, 8, 16, 32, 64]:
        batch = batch_of(ranks)
        cells = []
        for network in NETWORKS.values():
            for floats in [4, 2]:
                speed = batch / step(batch, ranks, network, floats) * step(batch_of(1), 1, network) / batch_of(1)
                cells.append(f"{speed:.1f}")
        print(f"| {ranks} | {batch} | {exchange(batch, ranks, network)[1] / 1e6:.2f} | " + " | ".join(cells) + " |")


table("Strong scaling: images a second against one rank, always 512 images a step", lambda ranks: 512)
table("Weak scaling: the same with 64 images for each rank", lambda ranks: 64 * ranks)
