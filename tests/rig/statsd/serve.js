// The reference server of StatsD with a backend that prints what each flush holds, one JSON object a line.
//
//	node serve.js MODULES CONFIG
//
// MODULES is the folder that statsd was installed into, CONFIG the server's own configuration file. Ends when standard
// input does: a test that is killed cannot leave a server behind.
"use strict";

const path = require("path");
const [, , modules, config] = process.argv;

process.stdin.on("end", () => process.exit(0)).resume();
process.argv.splice(2, 2, config);
require(path.join(modules, "node_modules", "statsd", "stats.js"));
