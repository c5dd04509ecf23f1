// Set only now, this does not concern the present process, whose lines vitest counts, but those that tests start.
const folder = process.env.CHILD_COVERAGE_FOLDER
if (folder) process.env.NODE_V8_COVERAGE = folder
