// A backend of the reference server of StatsD: prints what each flush holds, one JSON object a line.
"use strict";

exports.init = (start, config, events) => {
  events.on("flush", (time, metrics) => {
    const { counters, gauges, timers, timer_counters: counts, timer_data: told } = metrics;
    console.log(JSON.stringify({ counters, gauges, timers, counts, told }));
  });
  return true;
};
