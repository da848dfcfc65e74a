/** Whole records as JSON: deaths, alert episodes, leak verdicts, regressions. In the index, so that they are in the disk budget and survive the agent. */
export const recordSchema = `CREATE TABLE records (
     kind TEXT NOT NULL,
     id TEXT NOT NULL,
     target TEXT NOT NULL,
     at_ms INTEGER NOT NULL,
     record TEXT NOT NULL,
     PRIMARY KEY (kind, id)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX records_by_time ON records (kind, at_ms, id);`;
