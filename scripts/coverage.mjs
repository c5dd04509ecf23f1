// Kept as the name that package.json calls; the work is in coverage.ts.
import './coverage.ts'
