// A mesos-framework (npm) scheduler: command tasks that finish. node mesos_framework.js HOST PORT TASKS
"use strict";

const {Scheduler, Mesos} = require("mesos-framework");
const mesos = Mesos.getMesos();
const [host, port, total] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];

const scheduler = new Scheduler({
    masterUrl: host,
    port: port,
    frameworkName: "mesos-framework",
    frameworkFailoverTimeout: 0,
    logging: {level: "error"},
    restartStates: [],
    tasks: {
        work: {
            priority: 1,
            instances: total,
            commandInfo: new mesos.CommandInfo(null, new mesos.Environment([new mesos.Environment.Variable("X", "1")]),
                true, "test $X = 1", null, null),
            resources: {cpus: 0.1, mem: 16, ports: 0, disk: 0}
        }
    },
    handlers: {}
});

const finished = new Set();
let heartbeats = 0;
scheduler.on("heartbeat", () => { heartbeats++; });
scheduler.on("update", (update) => {
    const status = update.status;
    console.log("status", status.task_id.value, status.state, status.message || "");
    if (status.state === "TASK_FINISHED") {
        finished.add(status.task_id.value);
        if (finished.size === total) {
            scheduler.teardown();
            setTimeout(() => process.exit(heartbeats > 0 ? 0 : 4), 500);
        }
    } else if (!["TASK_STARTING", "TASK_RUNNING"].includes(status.state)) {
        process.exit(1);
    }
});
scheduler.on("error", (error) => {
    // It reports the end of the stream that its own teardown asked for.
    if (finished.size < total) { console.log("error", error); process.exit(2); }
});
scheduler.on("ready", () => scheduler.subscribe());
setTimeout(() => { console.log("timed out"); process.exit(3); }, 60000);
