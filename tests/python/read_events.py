"""Prints what TensorBoard reads in a folder of event files, as JSON: scalars and histograms by their names, and the plugins that
TensorBoard shows them in. With a JSON file of arrays, what TensorBoard's own code makes of these as histograms, too.

    python read_events.py FOLDER [ARRAYS]
"""

import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator as PluginEventAccumulator
from tensorboard.plugins.histogram import summary_v2
from tensorboard.util import tensor_util

folder = sys.argv[1]
everything = {"scalars": 0, "histograms": 0, "tensors": 0}
events = EventAccumulator(folder, size_guidance=everything).Reload()
shown = PluginEventAccumulator(folder, size_guidance=everything).Reload()
tags = events.Tags()
record = {
    "scalars": {tag: [[event.step, event.value] for event in events.Scalars(tag)] for tag in tags["scalars"]},
    "histograms": {
        tag: [[event.step, list(event.histogram_value.bucket_limit), list(event.histogram_value.bucket)] for event in events.Histograms(tag)]
        for tag in tags["histograms"]
    },
    "file_version": events.file_version,
    "plugins": {tag: shown.SummaryMetadata(tag).plugin_data.plugin_name for tag in shown.Tags()["tensors"]},
    "expected": {},
}
if len(sys.argv) > 2:
    with open(sys.argv[2]) as file:
        for name, values in json.load(file).items():
            buckets = tensor_util.make_ndarray(summary_v2.histogram_pb(name, values).value[0].tensor)
            record["expected"][name] = buckets.tolist()
print(json.dumps(record))
