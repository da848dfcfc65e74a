"""A metrics page on stdin, read by Prometheus' own Python client; every sample of it as JSON on stdout."""

import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

parse = openmetrics if sys.argv[1] == "openmetrics" else plain
page = sys.stdin.buffer.read().decode("utf-8")


def exemplar_of(sample):
    return None if sample.exemplar is None else [sample.exemplar.labels, repr(float(sample.exemplar.value))]


# repr: as many digits as the number has, and a name for what JSON has none.
json.dump(
    [
        [sample.name, sample.labels, repr(float(sample.value)), family.type, exemplar_of(sample)]
        for family in parse(page)
        for sample in family.samples
    ],
    sys.stdout,
)
