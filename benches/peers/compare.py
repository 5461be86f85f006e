"""Runs the peers in turn on the same data, several rounds, and prints their medians as a Markdown table.

Arguments: folder epochs batch rounds name=command ...
"""

import os
import platform
import shlex
import statistics
import subprocess
import sys
import time

folder, epochs, batch, rounds = sys.argv[1], *sys.argv[2:5]
peers = {name: shlex.split(command) for name, command in (peer.split("=", 1) for peer in sys.argv[5:])}
figures = {name: {"epoch": [], "test": [], "program": [], "memory": [], "accuracy": []} for name in peers}


def run(name, command):
    start = time.perf_counter()
    process = subprocess.Popen(command + [folder, epochs, batch], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    lines = [line.split() for line in process.stdout]
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, f"{name} failed: {shlex.join(command)}"
    kept = figures[name]
    kept["program"].append(time.perf_counter() - start)
    # Kilobytes on Linux, bytes on macOS.
    kept["memory"].append(usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2))
    kept["epoch"] += [float(line[2]) for line in lines if line[:1] == ["epoch"]]
    tests = [line for line in lines if line[:1] == ["test"]]
    kept["test"] += [float(line[1]) for line in tests]
    kept["accuracy"].append(float(tests[-1][3]))


for round_ in range(int(rounds)):
    for name, command in peers.items():
        run(name, command)
        print(f"round {round_ + 1}: {name} {figures[name]['epoch'][-1]:.2f} s", file=sys.stderr, flush=True)


def processor():
    try:
        with open("/proc/cpuinfo") as info:
            return next(line.split(":")[1].strip() for line in info if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


first = next(iter(peers))
print(f"{time.strftime('%Y-%m-%d')}, {processor()}, {os.cpu_count()} cores, batch {batch}, medians of {rounds} rounds of {epochs} epochs:\n")
print(f"| | epoch | against {first} | test set | whole program | peak memory | accuracy |")
print("| --- | --- | --- | --- | --- | --- | --- |")
base = statistics.median(figures[first]["epoch"])
for name, kept in figures.items():
    m = {figure: statistics.median(values) for figure, values in kept.items()}
    print(f"| {name} | {m['epoch']:.2f} s | {m['epoch'] / base:.2f} | {m['test']:.2f} s | {m['program']:.1f} s | {m['memory']:.0f} MB | {m['accuracy']:.4f} |")
