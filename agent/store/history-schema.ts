/**
 * `vitals`: one row per reading (`step_ms` 0) and one per minute (`step_ms` 60000), the numbers packed. `stalls`: whole records. In the
 * index, so that they are in the disk budget and survive the agent; in memory where there is no data directory.
 */
export const historySchema = `CREATE TABLE vitals (
     target TEXT NOT NULL,
     step_ms INTEGER NOT NULL,
     at_ms INTEGER NOT NULL,
     readings INTEGER NOT NULL,
     failed INTEGER NOT NULL,
     series BLOB NOT NULL,
     PRIMARY KEY (target, step_ms, at_ms)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE stalls (
     id TEXT PRIMARY KEY,
     target TEXT NOT NULL,
     kind TEXT NOT NULL,
     started_ms INTEGER NOT NULL,
     stall TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX stalls_by_start ON stalls (started_ms, id);`;
